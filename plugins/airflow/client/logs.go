package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Log is what a try of a task said so far, as the server has it: the lines that Airflow
// itself puts before it (a group "Log message source details") included. A try that has
// no log is CodeNotFound (GET …/taskInstances/{task}/logs/{try}).
func (c *Client) Log(ctx context.Context, t TaskInstance, try int) ([]LogLine, error) {
	v, err := c.Version(ctx)
	if err != nil {
		return nil, err
	}
	whole := t
	whole.MapIndex = -1 // it is a parameter here
	q := call{Method: http.MethodGet, Path: of(whole, "logs", strconv.Itoa(try)), Query: url.Values{"full_content": {"true"}, "map_index": {strconv.Itoa(t.MapIndex)}}}
	if err := c.namesOf(q, t); err != nil {
		return nil, err
	}
	if try < 1 {
		return nil, c.refuse(q, "try %d: tries count from 1", try)
	}
	none := fmt.Sprintf("log of try %d of task %q in run %s of dag %s", try, t.Task, t.Run, t.DAG)
	if v.API == 1 {
		q.Accept = "text/plain"
		a, err := c.do(ctx, q)
		if err != nil {
			return nil, c.noTask(ctx, err, t)
		}
		lines := plainLog(string(a.Body))
		if noLog(lines) {
			return nil, c.Missing(none, nil)
		}
		return lines, nil
	}
	a, err := c.do(ctx, q)
	if isCode(err, CodeNotFound) {
		if found := c.noTask(ctx, err, t); found != err {
			return nil, found
		}
		return nil, c.Missing(none, nil)
	}
	if err != nil {
		return nil, err
	}
	lines, err := jsonLog(a.Body)
	if err != nil {
		return nil, c.rest.Bad(a, err)
	}
	return lines, nil
}

// event is a line of Airflow 3's log. Older ones are plain text.
type event struct {
	Time   any    `json:"timestamp"`
	Level  string `json:"level"`
	Event  any    `json:"event"`
	Errors []struct {
		Type   string `json:"exc_type"`
		Value  string `json:"exc_value"`
		Frames []struct {
			File string `json:"filename"`
			Line int    `json:"lineno"`
			Name string `json:"name"`
		} `json:"frames"`
	} `json:"error_detail"`
}

// jsonLog reads the log of Airflow 3: content of events, or of texts.
func jsonLog(body []byte) ([]LogLine, error) {
	var whole struct{ Content *[]json.RawMessage }
	if err := json.Unmarshal(body, &whole); err != nil {
		return nil, err
	}
	if whole.Content == nil {
		return nil, fmt.Errorf("no content in it")
	}
	var lines []LogLine
	for _, raw := range *whole.Content {
		var text string
		if json.Unmarshal(raw, &text) == nil {
			lines = append(lines, plainLog(text)...)
			continue
		}
		var e event
		if err := json.Unmarshal(raw, &e); err != nil {
			return nil, err
		}
		lines = append(lines, e.lines()...)
	}
	return lines, nil
}

// lines are one for each line of its text, and for an exception what Python prints.
func (e event) lines() []LogLine {
	var at time.Time
	if text, ok := e.Time.(string); ok {
		at, _ = time.Parse(time.RFC3339, text)
	}
	text, ok := e.Event.(string)
	if !ok && e.Event != nil {
		raw, _ := json.Marshal(e.Event)
		text = string(raw)
	}
	var lines []LogLine
	add := func(text string) {
		for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
			lines = append(lines, LogLine{Time: at, Level: levelOf(e.Level), Text: strings.TrimSuffix(line, "\r")})
		}
	}
	add(text)
	for _, x := range e.Errors {
		for _, f := range x.Frames {
			add(fmt.Sprintf("  File %q, line %d, in %s", f.File, f.Line, f.Name))
		}
		add(x.Type + ": " + x.Value)
	}
	return lines
}

// levelOf is a level as we name it.
func levelOf(text string) string {
	switch text = strings.ToLower(text); text {
	case "debug", "info", "warning", "error", "critical":
		return text
	case "warn":
		return "warning"
	case "fatal":
		return "critical"
	case "exception":
		return "error"
	}
	return ""
}

// line is a line of Airflow 2's log: [TIME] {FILE:LINE} LEVEL - TEXT, or of what the
// server adds: LEVEL - TEXT.
var line = regexp.MustCompile(`^(?:\[([0-9T:.+-]+)\] \{[^}]*\} | )([A-Z]+) - (.*)$`)

// plainLog reads the log of Airflow 2.
func plainLog(text string) []LogLine {
	var lines []LogLine
	for row := range strings.Lines(text) {
		row = strings.TrimRight(row, "\r\n")
		l := LogLine{Text: row}
		if m := line.FindStringSubmatch(row); m != nil && levelOf(m[2]) != "" {
			l.Level, l.Text = levelOf(m[2]), m[3]
			l.Time, _ = time.Parse("2006-01-02T15:04:05.999-0700", m[1])
		}
		lines = append(lines, l)
	}
	return lines
}

// noLog reports whether Airflow 2 says in the place of a log that there is none.
func noLog(lines []LogLine) bool {
	said := false
	for i, l := range lines {
		switch {
		case strings.HasPrefix(l.Text, "*** ") || strings.HasPrefix(l.Text, "***   "):
			lower := strings.ToLower(l.Text)
			if strings.Contains(lower, "*** found ") || strings.Contains(lower, "*** reading ") {
				return false
			}
			said = said || strings.Contains(lower, "not found") || strings.Contains(lower, "could not") || strings.Contains(lower, "no logs found")
		case i == 0, l.Text == "", strings.HasPrefix(l.Text, "::group::"), strings.HasPrefix(l.Text, "::endgroup::"):
			// the host's name, and what frames the words
		default:
			return false
		}
	}
	return said
}
