package launch

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// maxTail is how much of stderr is kept for the report of a crash.
const maxTail = 64 << 10

// stderr reads a plugin's descriptor 2: it makes log lines and keeps the end.
type stderr struct {
	lines *splitter
	crash bool // what follows is Go's report of a panic

	mu   sync.Mutex
	tail []byte
}

func newStderr(log func(*taskv1.LogLine)) *stderr {
	s := &stderr{}
	s.lines = newSplitter(func(b []byte) { log(s.parse(b)) })
	return s
}

func (s *stderr) write(b []byte) {
	s.keep(b)
	_, _ = s.lines.Write(b)
}

// end is called at the end of stderr.
func (s *stderr) end() { s.lines.flush() }

// keep appends to the tail. It holds up to twice of what is wanted, so that
// bytes move seldom.
func (s *stderr) keep(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b = b[max(0, len(b)-maxTail):]
	if len(s.tail)+len(b) > 2*maxTail {
		s.tail = slices.Delete(s.tail, 0, len(s.tail)-maxTail)
	}
	s.tail = append(s.tail, b...)
}

// end of stderr as text.
func (s *stderr) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return valid(s.tail[max(0, len(s.tail)-maxTail):])
}

// parse makes a log line of what hclog wrote as JSON, or of any text.
func (s *stderr) parse(b []byte) *taskv1.LogLine {
	if l := parseHclog(b); l != nil {
		return l
	}
	s.crash = s.crash || beginsCrash(string(b[:min(len(b), 40)]))
	level := "info"
	if s.crash {
		level = "error"
	}
	return plainLine(b, sourceStderr, level)
}

// parseHclog reads a line of hclog's JSON: @message, @level and @timestamp, all
// of them text. Anything else is nil: it is not hclog's.
func parseHclog(b []byte) *taskv1.LogLine {
	if !bytes.HasPrefix(b, []byte("{")) || !bytes.Contains(b, []byte(`"@message"`)) {
		return nil
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(b, &fields) != nil {
		return nil
	}
	var message, level, stamp string
	for name, to := range map[string]*string{"@message": &message, "@level": &level, "@timestamp": &stamp} {
		raw, ok := fields[name]
		if !ok || len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, to) != nil {
			return nil
		}
		delete(fields, name)
	}
	if !slices.Contains([]string{"trace", "debug", "info", "warn", "error"}, level) {
		level = "info"
	}
	at, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil {
		at = time.Now()
	}
	l := &taskv1.LogLine{UnixNano: at.UnixNano(), Level: level, Message: valid([]byte(message)), Source: sourceStderr}
	if len(fields) > 0 {
		if raw, err := json.Marshal(fields); err == nil {
			l.Fields = raw
		}
	}
	return l
}

// beginsCrash tells the first line of what Go's runtime prints when it dies: of a
// panic, of its own error, or, as "SIGSEGV: segmentation violation", of a signal.
func beginsCrash(line string) bool {
	if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
		return true
	}
	name, _, ok := strings.Cut(line, ": ")
	return ok && strings.HasPrefix(name, "SIG") && !strings.ContainsFunc(name, func(r rune) bool { return r < 'A' || r > 'Z' })
}

// gist is the one line of a tail that says most: of Go's report of a crash the
// first, else the last.
func gist(tail string) string {
	last := ""
	for line := range strings.Lines(tail) {
		line = strings.TrimSpace(line)
		if beginsCrash(line) {
			return cutText(line)
		}
		if line != "" {
			last = line
		}
	}
	return cutText(last)
}

func cutText(s string) string {
	const most = 400
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
