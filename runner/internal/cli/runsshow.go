package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/cli/term"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/journal"
	"github.com/outrider-run/outrider/runner/internal/ledger"
)

func (a *app) runsShow() *cli.Command {
	return &cli.Command{
		Name:        "show",
		Usage:       "show a run with its relatives, artifacts and last log lines",
		ArgsUsage:   "RUN",
		Description: "  outrider runs show 01KAMM2V\n\nRUN is an id or the beginning of one, as with every verb.",
		Flags:       []cli.Flag{term.FormatFlag("text", "json"), configFlag()},
		Action: func(c *cli.Context) error {
			format, err := term.Format(c, "text", "json")
			if err != nil {
				return err
			}
			got, err := term.Args(c, 1, 1, "the run's id")
			if err != nil {
				return err
			}
			return onBook(func(ctx context.Context, b *book, _ *cli.Context) error {
				b.reconcile(ctx)
				r, err := findRun(ctx, b, got[0])
				if err != nil {
					return err
				}
				f, err := b.Show(ctx, r.ID)
				if err != nil {
					return host(err)
				}
				if format == "json" {
					return term.JSON(a.Out, f)
				}
				return a.showRun(ctx, b, f)
			})(c)
		},
	}
}

// lastLines is how much of a log `show` has.
const lastLines = 10

func (a *app) showRun(ctx context.Context, b *book, f ledger.Family) error {
	var out strings.Builder
	for _, row := range facts(f.Run, time.Now()) {
		text := strings.ReplaceAll(strings.TrimRight(row[1], "\n"), "\n", "\n            ")
		fmt.Fprintf(&out, "%-11s %s\n", row[0], term.Printable(text))
	}
	if t := tree(f); len(t) > 1 {
		fmt.Fprintf(&out, "\nrelatives\n")
		for _, line := range t {
			fmt.Fprintln(&out, line)
		}
	}
	if len(f.Artifacts) > 0 {
		fmt.Fprintf(&out, "\nartifacts\n")
		for _, x := range f.Artifacts {
			fmt.Fprintf(&out, "  %s  %s  %s:%s\n", term.Printable(x.Name), humanize.Bytes(uint64(max(x.Size, 0))), x.Host, x.Path)
		}
	}
	if lines := tailOf(ctx, b, f.Run); len(lines) > 0 {
		fmt.Fprintf(&out, "\nlog, the end of it (all: outrider runs logs %s)\n", f.Run.ID)
		for _, l := range lines {
			fmt.Fprintf(&out, "  %s\n", term.Printable(l))
		}
	}
	_, err := io.WriteString(a.Out, out.String())
	return term.Undeliverable(err)
}

// facts are the run's own, by name; what is unknown is left out.
func facts(r ledger.Run, now time.Time) (rows [][2]string) {
	add := func(name, text string) {
		if text != "" {
			rows = append(rows, [2]string{name, text})
		}
	}
	add("run", r.ID)
	component := r.Component
	if r.PluginVersion != "" {
		component += " " + r.PluginVersion
	}
	if r.PluginSHA256 != "" {
		component += " (sha256 " + r.PluginSHA256 + ")"
	}
	add("component", component)
	add("state", stateText(r))
	add("error", r.Message)
	add("asked", term.Clock(r.AskedAt))
	if !r.StartedAt.IsZero() && r.StartedAt.Sub(r.AskedAt) >= time.Millisecond {
		add("started", term.Clock(r.StartedAt)+", waited "+short(r.StartedAt.Sub(r.AskedAt)))
	} else {
		add("started", term.Clock(r.StartedAt))
	}
	add("ended", term.Clock(r.EndedAt))
	add("took", took(r, now))
	where := fmt.Sprintf("%s, pid %d", r.Host, r.PID)
	if r.User != "" {
		where += ", user " + r.User
	}
	add("host", where)
	rows = append(rows, callerFacts(r.Caller)...)
	var labels []string
	for name, value := range r.Labels {
		labels = append(labels, name+"="+value)
	}
	slices.Sort(labels)
	add("labels", strings.Join(labels, "\n"))
	add("params", string(r.Params))
	add("output", string(r.Output))
	add("progress", progressText(r.Progress))
	add("checkpoint", string(r.Checkpoint))
	if r.Token > 0 {
		add("token", fmt.Sprint(r.Token))
	}
	add("cancel", r.Cancel)
	if len(r.LateResult) > 0 {
		add("late result", string(r.LateResult)+"\n(its host told this after it had been taken for dead; it counts for nothing)")
	}
	add("next due", term.Clock(r.NextDue))
	return rows
}

func stateText(r ledger.Run) string {
	s := string(r.State)
	if r.Code != "" && r.Code != s {
		s += " (" + r.Code + ")"
	}
	if r.Unchanged {
		s += ", nothing was to do"
	}
	if r.Permanent {
		s += ", a retry does not help"
	}
	if r.Attempts > 1 {
		s += fmt.Sprintf(", %d attempts", r.Attempts)
	}
	if r.Ended() {
		s += fmt.Sprintf(", exit code %d", exitOf(r))
	}
	return s
}

func callerFacts(c ledger.Caller) (rows [][2]string) {
	if c.Engine == "" || c.Engine == "none" {
		return nil
	}
	var more []string
	for _, p := range [][2]string{
		{"instance", c.Instance}, {"run", c.Run}, {"session", c.Session}, {"for", c.LogicalTime}, {"task id", c.TaskID},
	} {
		if p[1] != "" {
			more = append(more, p[0]+" "+p[1])
		}
	}
	if c.Try > 0 {
		more = append(more, fmt.Sprintf("try %d", c.Try))
	}
	rows = append(rows, [2]string{"caller", strings.Join(append([]string{callerName(c)}, more...), ", ")})
	if c.Link != "" {
		rows = append(rows, [2]string{"link", c.Link})
	}
	return rows
}

// progressText is a run's progress in words, "" where it has none.
func progressText(raw json.RawMessage) string {
	var p struct {
		Done, Total float64
		Note        string
	}
	if len(raw) == 0 {
		return ""
	}
	if json.Unmarshal(raw, &p) != nil {
		return string(raw)
	}
	s := number(p.Done)
	if p.Total > 0 {
		s = fmt.Sprintf("%.0f%% (%s of %s)", 100*p.Done/p.Total, s, number(p.Total))
	}
	if p.Note != "" {
		s += ": " + p.Note
	}
	return s
}

// tree is the run among its relatives, one line each: those above it, itself, what
// was made of it and who took its result.
func tree(f ledger.Family) (lines []string) {
	line := func(depth int, r ledger.Run, what string) {
		text := strings.Repeat("  ", depth+1) + r.ID + "  " + term.OneLine(r.Component, 40) + "  " + string(r.State)
		if what != "" {
			text += "  (" + what + ")"
		}
		lines = append(lines, text)
	}
	// What a run is to the one above it.
	relation := func(r ledger.Run) string {
		switch {
		case r.RerunOf != "":
			return "rerun"
		case r.Parent != "":
			return "part"
		}
		return ""
	}
	depth := 0
	for _, r := range slices.Backward(f.Above) {
		line(depth, r, relation(r))
		depth++
	}
	this := "this run"
	if rel := relation(f.Run); rel != "" {
		this = rel + ", " + this
	}
	line(depth, f.Run, this)
	for _, r := range f.Children {
		line(depth+1, r, "part")
	}
	for _, r := range f.Reruns {
		line(depth+1, r, "rerun")
	}
	for _, l := range f.Links {
		text := fmt.Sprintf("%s%s  %s by pid %d on %s, %s", strings.Repeat("  ", depth+2), l.ID, linkWord(l.Kind), l.PID, l.Host, term.Clock(l.At))
		if l.Task != "" {
			text += ", task " + term.OneLine(l.Task, 60)
		}
		lines = append(lines, text)
	}
	return lines
}

// linkWord says what kind of call took a run's result.
func linkWord(kind string) string {
	switch kind {
	case "hit":
		return "took its result"
	case "join":
		return "waited and took its result"
	case "remembered":
		return "failed at once as it had failed for good"
	}
	return cmp.Or(kind, "took its result")
}

// tailOf is the end of a run's log: of the record, else of the file.
func tailOf(ctx context.Context, b *book, r ledger.Run) []string {
	if r.LogTail == "" && r.Host == b.Host() {
		var lines []string
		part := ""
		_ = journal.Read(ctx, logFile(b, r), func(e journal.Entry) error {
			if part += e.String(); e.More {
				return nil
			}
			lines = append(lines, part)
			if part = ""; len(lines) > 2*lastLines {
				lines = slices.Delete(lines, 0, lastLines)
			}
			return nil
		})
		return lines[max(0, len(lines)-lastLines):]
	}
	lines := strings.Split(strings.TrimRight(r.LogTail, "\n"), "\n")
	if lines[0] == "" && len(lines) == 1 {
		return nil
	}
	return lines[max(0, len(lines)-lastLines):]
}

// logFile is where the full log of a run of this host is.
func logFile(b *book, r ledger.Run) string {
	if r.LogPath != "" {
		return r.LogPath
	}
	return logPath(b.dir, r.ID)
}

// hostHas reports whether a file of a run can be read here.
func hostHas(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
