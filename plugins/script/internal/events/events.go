// Package events reads what a script tells on descriptor 3: one JSON object a
// line, each with "outrider":1 and one or more of
//
//	"progress": {"done": 1, "total": 3, "note": "x"}   total and note optional
//	"output":   {"rows": 42}                           outputs of the run
//	"alive":    true                                   still at work
//	"error":    {"code": "no_rows", "message": "…"}    what went wrong
//
// A line that is not so is reported and passed over: a script never fails for
// the way it talks. What the events lead to is decided elsewhere.
package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/outrider-run/outrider/plugins/script/internal/lines"
)

// Event is one line. Several members may be set.
type Event struct {
	Progress *Progress
	Output   map[string]json.RawMessage // nil: none
	Alive    bool
	Error    *Error
	// Unknown are the names of members that this version does not know.
	Unknown []string
}

// Progress tells how far the script is; Total 0 means unknown.
type Progress struct {
	Done  float64 `json:"done"`
	Total float64 `json:"total"`
	Note  string  `json:"note"`
}

// Error is what the script says went wrong: a stable code for programs and a
// text for people, either may be empty.
type Error struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// BadLineError tells of a line that is no event. Reading can go on.
type BadLineError struct {
	Start  string // of the line, to show
	Reason string
	// TooLong: the line was over the limit and looked like an event. What it
	// told is lost, an output perhaps.
	TooLong bool
}

func (e *BadLineError) Error() string { return fmt.Sprintf("%s: %s", e.Reason, e.Start) }

// Reader reads events.
type Reader struct{ lines *lines.Reader }

// NewReader returns a Reader of r.
func NewReader(r io.Reader) *Reader { return &Reader{lines: lines.NewReader(r)} }

// Next returns the next event, a *BadLineError, or the error that ended the
// stream, io.EOF as a rule. Blank lines are passed over.
func (r *Reader) Next() (Event, error) {
	for {
		line, more, err := r.lines.Next()
		if err != nil {
			return Event{}, err
		}
		if more {
			bad := &BadLineError{Start: start(line), Reason: fmt.Sprintf("longer than %d bytes", lines.Limit), TooLong: true}
			for more && err == nil {
				_, more, err = r.lines.Next()
			}
			return Event{}, bad // an error comes again with the next call
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return parse(line)
		}
	}
}

// parse reads one line.
func parse(line []byte) (Event, error) {
	if !utf8.Valid(line) {
		line = bytes.ToValidUTF8(line, []byte("\uFFFD"))
	}
	bad := func(format string, args ...any) (Event, error) {
		return Event{}, &BadLineError{Start: start(line), Reason: fmt.Sprintf(format, args...)}
	}
	// Into a map, since into a struct encoding/json matches names in any case.
	var members map[string]json.RawMessage
	if err := json.Unmarshal(line, &members); err != nil {
		return bad("not a JSON object: %v", err)
	}
	if string(members["outrider"]) != "1" {
		return bad(`no "outrider":1 in it`)
	}
	delete(members, "outrider")
	var e Event
	for name, value := range members {
		var err error
		switch name {
		case "progress":
			e.Progress, err = progress(value)
		case "output":
			err = json.Unmarshal(value, &e.Output)
			if err == nil && e.Output == nil {
				err = errors.New("not an object")
			}
		case "alive":
			err = json.Unmarshal(value, &e.Alive)
		case "error":
			e.Error, err = failure(value)
		default:
			e.Unknown = append(e.Unknown, name)
		}
		if err != nil {
			return bad("%s: %v", name, err)
		}
	}
	slices.Sort(e.Unknown)
	return e, nil
}

// progress reads a progress event. JSON has neither NaN nor infinity.
func progress(value json.RawMessage) (*Progress, error) {
	var p *Progress
	if err := json.Unmarshal(value, &p); err != nil {
		return nil, err
	}
	if p == nil || p.Done < 0 || p.Total < 0 {
		return nil, errors.New("want an object with done and total of at least 0")
	}
	return p, nil
}

// code is what an error code looks like: programs match on it.
var code = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`) })

// failure reads an error event.
func failure(value json.RawMessage) (*Error, error) {
	var e *Error
	if err := json.Unmarshal(value, &e); err != nil {
		return nil, err
	}
	if e == nil || e.Code == "" && e.Message == "" {
		return nil, errors.New("want an object with a code, a message or both")
	}
	if e.Code != "" && !code().MatchString(e.Code) {
		return nil, fmt.Errorf("code %.70q is not of lower-case letters, digits and underscores", e.Code)
	}
	return e, nil
}

// start returns the start of a line, fit to be shown.
func start(line []byte) string {
	const shown = 200
	if len(line) > shown {
		line = append(line[:shown:shown], "…"...)
	}
	return string(bytes.ToValidUTF8(line, []byte("\uFFFD")))
}
