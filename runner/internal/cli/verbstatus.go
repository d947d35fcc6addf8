package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/cli/term"
	"github.com/outrider-run/outrider/sdk/observe"
)

// printStatus prints a run of an engine with its tasks: as a tree, as bars over time,
// or as JSON.
func (a *app) printStatus(format string, outputs json.RawMessage) error {
	if format == "json" {
		return term.JSON(a.Out, outputs)
	}
	var r struct {
		observe.Run
		// Attempts are the others of the session, Blind what was not looked at.
		Attempts []observe.Run `json:"attempts"`
		Blind    []string      `json:"blind"`
	}
	if err := json.Unmarshal(outputs, &r); err != nil {
		return broken(fmt.Errorf("read the status: %w", err))
	}
	now := time.Now()
	var out strings.Builder
	for _, line := range headOf(r.Run, now) {
		out.WriteString(line + "\n")
	}
	for _, other := range r.Attempts {
		fmt.Fprintf(&out, "%-9s %s: %s, %s\n", "other", other.ID, other.State, term.Clock(other.Created))
	}
	for _, what := range r.Blind {
		fmt.Fprintf(&out, "%-9s %s\n", "not seen", what)
	}
	if len(r.Tasks) > 0 {
		out.WriteString("\n")
	}
	if _, err := io.WriteString(a.Out, term.Printable(out.String())); err != nil {
		return term.Undeliverable(err)
	}
	if len(r.Tasks) > 0 {
		var err error
		if format == "timeline" {
			_, err = io.WriteString(a.Out, timeline(r.Tasks, now))
		} else {
			err = term.Table(a.Out, []string{"TASK", "STATE", "STARTED", "TOOK", "TRIES", "NOTE"}, taskRows(r.Tasks, now))
		}
		if err != nil {
			return term.Undeliverable(err)
		}
	}
	if r.LogTail != "" {
		_, err := fmt.Fprintf(a.Out, "\nlog, the end of it\n  %s\n", strings.ReplaceAll(term.Printable(strings.TrimRight(r.LogTail, "\n")), "\n", "\n  "))
		return term.Undeliverable(err)
	}
	return nil
}

// headOf tells of the run itself.
func headOf(r observe.Run, now time.Time) (lines []string) {
	add := func(name, text string) {
		if text != "" {
			lines = append(lines, fmt.Sprintf("%-9s %s", name, text))
		}
	}
	add("run", r.Address)
	state := string(r.State)
	if r.CancelAsked && r.State != observe.Cancelled {
		state += ", its end was asked for"
	}
	add("state", state)
	id := r.ID
	if r.Try > 1 {
		id += fmt.Sprintf(", try %d", r.Try)
	}
	add("id", id)
	if !r.Time.IsZero() {
		add("session", r.Time.Format(time.RFC3339))
	}
	began := r.Started
	if began.IsZero() {
		began = r.Created
	}
	add("began", term.Clock(began))
	if !began.IsZero() {
		end := r.Ended
		if end.IsZero() {
			end = now
		}
		add("took", short(end.Sub(began)))
	}
	add("trigger", r.Trigger)
	add("revision", r.Revision)
	add("link", r.Link)
	return lines
}

// taskRows are the tasks in their order, each under its group.
func taskRows(tasks []observe.Task, now time.Time) (rows [][]string) {
	names := namesOf(tasks)
	for i, t := range tasks {
		tries := ""
		if t.Tries > 1 {
			tries = fmt.Sprint(t.Tries)
		}
		note := term.OneLine(t.Error, 100)
		if note == "" && !t.RetryAt.IsZero() && !t.State.Ended() {
			note = "next try at " + term.Clock(t.RetryAt)
		}
		rows = append(rows, []string{names[i], stateOf(t), term.Clock(t.Started), tookOf(t, now), tries, note})
	}
	return rows
}

// namesOf are the tasks' names without their groups', as deep as the groups stand.
func namesOf(tasks []observe.Task) []string {
	parents := map[string]string{}
	for _, t := range tasks {
		parents[t.Name] = t.Parent
	}
	names := make([]string, len(tasks))
	for i, t := range tasks {
		depth := 0
		for at := t.Parent; at != "" && depth <= len(tasks); at = parents[at] {
			depth++
		}
		names[i] = strings.Repeat("  ", depth) + term.Printable(strings.TrimPrefix(t.Name, t.Parent))
	}
	return names
}

// stateOf is the state, with the engine's own word where that says more.
func stateOf(t observe.Task) string {
	if t.Word == "" || t.Word == string(t.State) {
		return string(t.State)
	}
	return fmt.Sprintf("%s (%s)", t.State, t.Word)
}

func tookOf(t observe.Task, now time.Time) string {
	if t.Started.IsZero() {
		return ""
	}
	end := t.Ended
	if end.IsZero() {
		if t.State.Ended() {
			return ""
		}
		end = now
	}
	return short(end.Sub(t.Started))
}

// barWidth is how many columns the whole time takes in a timeline.
const barWidth = 50

// timeline draws a bar for each task that began: █ where it ran, ▒ where it runs on.
func timeline(tasks []observe.Task, now time.Time) string {
	var from, to time.Time
	for _, t := range tasks {
		if t.Started.IsZero() {
			continue
		}
		if from.IsZero() || t.Started.Before(from) {
			from = t.Started
		}
		if end := endOf(t, now); end.After(to) {
			to = end
		}
	}
	names, wide := namesOf(tasks), 0
	for _, name := range names {
		wide = max(wide, len([]rune(name)))
	}
	var out strings.Builder
	column := func(at time.Time) int {
		if !to.After(from) {
			return 0
		}
		return int(int64(barWidth) * int64(at.Sub(from)) / int64(to.Sub(from)))
	}
	for i, t := range tasks {
		name, bar := names[i], ""
		if !t.Started.IsZero() {
			begin, end := column(t.Started), column(endOf(t, now))
			block := "█"
			if !t.State.Ended() {
				block = "▒"
			}
			begin = min(begin, barWidth-1)
			bar = strings.Repeat(" ", begin) + strings.Repeat(block, max(1, end-begin))
		}
		fmt.Fprintf(&out, "%s%s  |%s%s|  %s\n", name, strings.Repeat(" ", wide-len([]rune(name))),
			bar, strings.Repeat(" ", max(0, barWidth-len([]rune(bar)))), strings.TrimSpace(stateOf(t)+" "+tookOf(t, now)))
	}
	if !from.IsZero() {
		fmt.Fprintf(&out, "%s  %s … %s, %s in all\n", strings.Repeat(" ", wide), term.Clock(from), term.Clock(to), short(to.Sub(from)))
	}
	return out.String()
}

func endOf(t observe.Task, now time.Time) time.Time {
	switch {
	case !t.Ended.IsZero():
		return t.Ended
	case t.State.Ended():
		return t.Started
	}
	return now
}
