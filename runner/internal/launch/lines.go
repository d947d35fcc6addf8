package launch

import (
	"bytes"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// Where a line that a process printed came from.
const (
	sourceStdout = "stdout"
	sourceStderr = "stderr"
)

// maxLine is where a line is cut into several.
const maxLine = 64 << 10

// splitter cuts what is written to it into lines of at most maxLine bytes. A
// line handed on is only lent.
type splitter struct {
	line func([]byte)

	mu   sync.Mutex // go-plugin does not say when it has stopped writing
	part []byte
	cut  bool // part continues a line of which pieces were handed on
}

func newSplitter(line func([]byte)) *splitter { return &splitter{line: line} }

func (s *splitter) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(b)
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n')
		switch {
		case end >= 0 && len(s.part) == 0 && end <= maxLine:
			s.whole(b[:end])
			b = b[end+1:]
		case end >= 0 && len(s.part)+end <= maxLine:
			s.part = append(s.part, b[:end]...)
			s.whole(s.part)
			b = b[end+1:]
		default:
			room := min(maxLine-len(s.part), len(b))
			s.part = append(s.part, b[:room]...)
			b = b[room:]
			if len(s.part) == maxLine {
				s.piece()
			}
		}
	}
	return n, nil
}

// whole hands on the end of a line.
func (s *splitter) whole(line []byte) {
	line = bytes.TrimSuffix(line, []byte{'\r'})
	if len(line) > 0 || !s.cut {
		s.line(line)
	}
	s.part, s.cut = s.part[:0], false
}

// piece hands on a full buffer, but for a character that is not yet whole.
func (s *splitter) piece() {
	end := len(s.part)
	for i := 1; i < utf8.UTFMax; i++ {
		if c := s.part[len(s.part)-i]; utf8.RuneStart(c) {
			if !utf8.FullRune(s.part[len(s.part)-i:]) {
				end = len(s.part) - i
			}
			break
		}
	}
	s.line(s.part[:end])
	s.part, s.cut = append(s.part[:0], s.part[end:]...), true
}

// flush hands on a last line without an end.
func (s *splitter) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.part) > 0 {
		s.whole(s.part)
	}
}

// printed returns what takes plain lines of a source.
func (p *Plugin) printed(source string) func([]byte) {
	return func(b []byte) { p.line(plainLine(b, source, "info")) }
}

func plainLine(b []byte, source, level string) *taskv1.LogLine {
	return &taskv1.LogLine{UnixNano: time.Now().UnixNano(), Level: level, Message: valid(b), Source: source}
}

// line hands on one line, never while the task's own are handed on.
func (p *Plugin) line(l *taskv1.LogLine) {
	p.say.Lock()
	defer p.say.Unlock()
	if !p.over.Load() {
		p.o.Lines(l)
	}
}

// valid makes text that protobuf takes.
func valid(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }
