package main

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/outrider-run/outrider/plugins/script/internal/events"
	"github.com/outrider-run/outrider/plugins/script/internal/lines"
	"github.com/outrider-run/outrider/sdk"
)

// maxWarnings is how many bad events are told of one by one.
const maxWarnings = 20

// hearer hands on what a command says. Each of stdout, stderr and events runs
// in a goroutine of its own; the fields are read when all have ended.
type hearer struct {
	run         *sdk.Run
	takesOutput bool

	last, lastError string // of stderr: its last line, the last that tells what is wrong
	warnings        int    // from here on of events
	outputs         events.Outputs
	failure         *events.Error
}

// stdout logs line by line.
func (h *hearer) stdout(r io.Reader) {
	each(r, func(line []byte) { h.run.Log().Info(string(line)) })
}

// stderr logs line by line, and says where each came from.
func (h *hearer) stderr(r io.Reader) {
	log := h.run.Log().With("stream", "stderr")
	each(r, func(line []byte) {
		log.Info(string(line))
		if text := bytes.TrimSpace(line); len(text) > 0 {
			h.last = cut(text)
		}
		if tells(line) {
			h.lastError = cut(line)
		}
	})
}

// tells reports whether a line can stand for what went wrong. Programs end with
// lines that add to the one that does: frames of a stack, hints and markers,
// which are indented or without a word, and Node with its version.
func tells(line []byte) bool {
	first, _ := utf8.DecodeRune(line)
	return !unicode.IsSpace(first) && !bytes.HasPrefix(line, []byte("Node.js v")) &&
		bytes.ContainsFunc(line, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
}

// said is what stderr says went wrong.
func (h *hearer) said() string { return cmp.Or(h.lastError, h.last) }

func each(r io.Reader, do func(line []byte)) {
	for lr := lines.NewReader(r); ; {
		line, _, err := lr.Next()
		if err != nil {
			return
		}
		do(line)
	}
}

// cut makes a line fit for an error text.
func cut(line []byte) string {
	const most = 500
	if len(line) > most {
		line = append(line[:most:most], "…"...)
	}
	return strings.ToValidUTF8(string(line), "\uFFFD")
}

// events acts on what comes on descriptor 3. Nothing there fails a run but an
// output that is too large to be taken.
func (h *hearer) events(r io.Reader) {
	for er := events.NewReader(r); ; {
		e, err := er.Next()
		var bad *events.BadLineError
		switch {
		case errors.As(err, &bad):
			h.warn("descriptor 3: not an event: "+bad.Reason, "line", bad.Start)
			// What was in a line that nobody could hold may have been an
			// output, and a success without it would be a lie.
			if bad.TooLong && h.takesOutput && strings.Contains(bad.Start, `"output"`) {
				h.outputs.Overflow()
			}
		case err != nil:
			return
		default:
			h.event(e)
		}
	}
}

func (h *hearer) event(e events.Event) {
	if len(e.Unknown) > 0 {
		h.warn("descriptor 3: unknown event", "names", e.Unknown)
	}
	if p := e.Progress; p != nil {
		h.run.Progress(p.Done, p.Total, p.Note)
	}
	if e.Alive {
		h.run.Alive()
	}
	if e.Error != nil {
		h.failure = e.Error
	}
	switch {
	case e.Output == nil:
	case h.takesOutput:
		h.outputs.Merge(e.Output)
	default:
		h.warn("descriptor 3: output ignored: the manifest has neither an output schema nor outputs: events")
	}
}

// warn tells of a bad event, unless the command makes too many of them.
func (h *hearer) warn(text string, args ...any) {
	switch h.warnings++; {
	case h.warnings < maxWarnings:
		h.run.Log().Warn(text, args...)
	case h.warnings == maxWarnings:
		h.run.Log().Warn("descriptor 3: further bad events are not told of")
	}
}
