package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/outrider-run/outrider/runner/internal/redact"
	"github.com/outrider-run/outrider/runner/internal/run"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// talk is a run's stderr: the task's log lines, its progress and what the host
// says, each redacted, in text or JSON.
type talk struct {
	mu     sync.Mutex
	w      io.Writer
	log    hclog.Logger
	redact *redact.Redactor
	json   bool
	// at is the time of the line being written; zero means now. hclog has no
	// other way to log a line under the time at which the task wrote it.
	at       time.Time
	progress progress
	// keep takes every line of the task's for the full log; may be nil.
	keep func(at time.Time, level, text string)
}

func newTalk(w io.Writer, name, format string, level hclog.Level) *talk {
	t := &talk{w: w, json: format == "json", redact: redact.New(nil)}
	t.log = hclog.New(&hclog.LoggerOptions{
		Name: name, Level: level, Output: w, JSONFormat: t.json,
		TimeFn: func() time.Time {
			if t.at.IsZero() {
				return time.Now()
			}
			return t.at
		},
	})
	return t
}

// say logs a line of the host's own.
func (t *talk) say(level hclog.Level, format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.log.Log(level, t.redact.String(fmt.Sprintf(format, args...)))
}

// line logs a line of the task's.
func (t *talk) line(l *taskv1.LogLine) {
	t.mu.Lock()
	defer t.mu.Unlock()
	level := hclog.LevelFromString(l.GetLevel())
	if level == hclog.NoLevel {
		level = hclog.Info
	}
	if level < t.log.GetLevel() {
		return
	}
	var fields []any
	if s := l.GetSource(); s != "" && s != "task" {
		fields = append(fields, "source", s)
	}
	fields = append(fields, t.fields(l.GetFields())...)
	text := t.redact.String(l.GetMessage())
	t.at = time.Unix(0, l.GetUnixNano())
	t.log.Log(level, text, fields...)
	if t.keep != nil {
		t.keep(t.at, level.String(), withFields(text, fields))
	}
	t.at = time.Time{}
}

// fields turns a JSON object into redacted key-value pairs, sorted by key.
func (t *talk) fields(object []byte) []any {
	if len(object) == 0 {
		return nil
	}
	var kv map[string]any
	if err := json.Unmarshal(t.redact.JSON(object), &kv); err != nil {
		return []any{"fields", t.redact.String(string(object))}
	}
	keys := make([]string, 0, len(kv))
	for k := range kv {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	pairs := make([]any, 0, 2*len(kv))
	for _, k := range keys {
		pairs = append(pairs, k, kv[k])
	}
	return pairs
}

// outcome says how the run ended. In JSON it is the line that programs read, so
// it is written at every log level.
func (t *talk) outcome(id string, o run.Outcome, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	message := t.redact.String(o.Message)
	if t.json {
		b, _ := json.Marshal(struct {
			Run        string  `json:"run"`
			State      string  `json:"state"`
			Code       string  `json:"code,omitempty"`
			Error      string  `json:"error,omitempty"`
			RetryAfter float64 `json:"retry_after_s,omitempty"`
			Attempts   int     `json:"attempts,omitempty"`
			Unchanged  bool    `json:"unchanged,omitempty"`
		}{id, string(o.State), o.Code, message, o.RetryAfter.Seconds(), o.Attempts, o.Unchanged})
		_, _ = t.w.Write(append(b, '\n'))
		return
	}
	o.Message = message
	if o.Stack != "" {
		_, _ = io.WriteString(t.w, strings.TrimRight(t.redact.String(o.Stack), "\n")+"\n")
	}
	switch o.State {
	case run.Success, run.Skipped:
		t.log.Info(o.Line(), "run", id, "took", took.Round(time.Millisecond).String())
	default:
		fmt.Fprintf(t.w, "outrider: %s: run %s: %s\n", t.log.Name(), id, o.Line())
	}
}

// withFields is a log line's text with its pairs behind it.
func withFields(text string, fields []any) string {
	for i := 0; i+1 < len(fields); i += 2 {
		text += fmt.Sprintf(" %v=%v", fields[i], fields[i+1])
	}
	return text
}
