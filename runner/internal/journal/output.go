package journal

import (
	"bytes"
	"io"
	"sync"
	"time"
)

// output cuts what a command prints into lines.
type output struct {
	w     *Writer
	level string

	mu   sync.Mutex // before Writer.mu
	part []byte     // a line whose end has not come yet
}

func (w *Writer) newOutput(level string) *output {
	o := &output{w: w, level: level}
	w.outputs.Lock()
	defer w.outputs.Unlock()
	w.outputs.all = append(w.outputs.all, o)
	return o
}

// Write takes what a command printed, where one pipe carries all of it. It takes
// everything and never fails; see [Writer.Line] for how long it may wait.
func (w *Writer) Write(p []byte) (int, error) { return w.outputs.plain.Write(p) }

// Output takes what a command printed on one of two pipes; level is stdout or
// stderr. Their lines are kept apart.
func (w *Writer) Output(level string) io.Writer { return w.newOutput(level) }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	at, n := time.Now(), len(p)
	for len(p) > 0 {
		line, rest, whole := bytes.Cut(p, []byte{'\n'})
		o.take(at, line, whole)
		p = rest
	}
	return n, nil
}

// take adds the next bytes of a line, whole if its end comes with them.
func (o *output) take(at time.Time, line []byte, whole bool) {
	o.w.mu.Lock()
	defer o.w.mu.Unlock()
	if len(o.part) > 0 {
		o.part = append(o.part, line...)
		line = o.part
	}
	for len(line) > maxText {
		add(o.w, at, o.level, line[:maxText], true)
		line = line[maxText:]
	}
	if whole {
		add(o.w, at, o.level, line, false)
		o.part = o.part[:0]
		return
	}
	o.part = append(o.part[:0], line...)
	o.w.arm()
}

// flushOutputs hands on what commands have printed of lines not yet ended: dots
// of progress, a question.
func (w *Writer) flushOutputs() {
	w.outputs.Lock()
	all := w.outputs.all
	w.outputs.Unlock()
	for _, o := range all {
		o.mu.Lock()
		w.mu.Lock()
		if len(o.part) > 0 {
			add(w, time.Now(), o.level, o.part, true)
			o.part = o.part[:0]
		}
		w.mu.Unlock()
		o.mu.Unlock()
	}
}
