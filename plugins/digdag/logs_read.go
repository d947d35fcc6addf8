package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/outrider-run/outrider/plugins/digdag/client"
	"github.com/outrider-run/outrider/sdk"
)

// maxLine is how much of a line is told; the artifact has all of it.
const maxLine = 16 << 10

// logReading reads the log files of an attempt, again and again: each time what has
// come.
type logReading struct {
	run    *sdk.Run
	whole  io.Writer // the artifact
	stream bool
	last   lastLines
	count  int
	files  []*openFile // by delivery
	byName map[string]*openFile
	told   *openFile // whose text the artifact had last
}

// openFile is a log file that was read to an offset of its text.
type openFile struct {
	about  logFile
	size   int64 // packed, when it was read last
	offset int64
	cut    lineCutter
}

func newLogReading(run *sdk.Run, whole io.Writer, lines int, stream bool) *logReading {
	return &logReading{run: run, whole: whole, stream: stream, last: lastLines{most: lines}, byName: map[string]*openFile{}}
}

// read takes in what is new of the tasks at prefix, "" for all.
func (r *logReading) read(ctx context.Context, c *client.Client, attempt client.ID, prefix string) error {
	list, err := c.LogFiles(ctx, attempt, prefix)
	if err != nil {
		return err
	}
	slices.SortStableFunc(list, func(a, b client.LogFile) int {
		return cmp.Or(a.Time.Compare(b.Time), strings.Compare(stamp(a), stamp(b)))
	})
	for _, about := range list {
		if !ofTask(about.TaskName, prefix) {
			continue
		}
		f := r.byName[about.Name]
		if f == nil {
			f = r.open(about)
		}
		if f.about.Whole || f.about.Error != "" || f.size == about.Size && f.size > 0 {
			continue
		}
		packed, err := c.LogFile(ctx, attempt, about.Name)
		if isMissing(err) {
			continue // it was moved to the store meanwhile, under another name
		}
		if tooBig(err) {
			r.damaged(f, fmt.Errorf("%w; it is %s packed, by the server's list: only the server's log store has all of it, and a +task in the address reads another task's", err, humanize.IBytes(uint64(max(0, about.Size)))))
			continue
		}
		if err != nil {
			return err
		}
		if len(packed) > 0 { // a proxy may send nothing for a server that restarts
			f.size = about.Size
		}
		if err := r.take(f, packed); err != nil {
			return err
		}
	}
	return nil
}

func (r *logReading) open(about client.LogFile) *openFile {
	f := &openFile{about: logFile{Name: about.Name, Task: about.TaskName, Started: about.Time, Agent: about.AgentID, Delivery: 1}}
	for _, other := range r.files {
		if other.about.Task == about.TaskName {
			f.about.Delivery++
		}
	}
	f.cut.line = func(text string) { r.line(f, text) }
	r.files = append(r.files, f)
	r.byName[about.Name] = f
	return f
}

// take reads what a file has beyond what was read before.
func (r *logReading) take(f *openFile, packed []byte) error {
	text := client.UnpackLog(packed)
	if _, err := io.CopyN(io.Discard, text, f.offset); errors.Is(err, io.EOF) {
		return nil // less than before: another copy of it, which has not caught up
	} else if err != nil {
		r.damaged(f, err)
		return nil
	}
	if f.offset == 0 || r.told != f {
		if _, err := fmt.Fprintf(r.whole, "==> %s, delivery %d, %s, %s <==\n", f.about.Task, f.about.Delivery, f.about.Started.Format(time.RFC3339), f.about.Agent); err != nil {
			return fmt.Errorf("writing the artifact log: %w", err)
		}
		r.told = f
	}
	n, err := io.Copy(&sink{r.whole, &f.cut}, text)
	f.offset += n
	var disk *writeError
	switch {
	case errors.As(err, &disk):
		return fmt.Errorf("writing the artifact log: %w", disk.err)
	case err != nil:
		r.damaged(f, err)
	}
	if f.about.Whole = text.Whole(); f.about.Whole {
		f.cut.end()
	}
	return nil
}

func tooBig(err error) bool {
	var e *client.Error
	return errors.As(err, &e) && e.Code == client.CodeTooBig
}

// damaged gives a file up; the others are read.
func (r *logReading) damaged(f *openFile, err error) {
	f.about.Error = err.Error()
	f.cut.end()
	r.run.Log().Warn("a log file cannot be read to its end", "file", f.about.Name, "error", err)
}

// line takes one line.
func (r *logReading) line(f *openFile, text string) {
	r.count++
	f.about.Lines++
	r.last.add(logLine{f.about.Task, text})
	if r.stream {
		r.run.Log().Info(text, "task", f.about.Task)
	}
}

// flush takes in the lines that have no end.
func (r *logReading) flush() {
	for _, f := range r.files {
		f.cut.end()
	}
}

// stamp tells deliveries within a second apart: the file's name holds its time after
// the task's.
func stamp(f client.LogFile) string { return strings.TrimPrefix(f.Name, f.TaskName) }

// ofTask reports whether a task is the one at prefix or below it. Digdag compares the
// beginnings of names only, so that +a finds +ab too.
func ofTask(name, prefix string) bool {
	rest, ok := strings.CutPrefix(name, prefix)
	return ok && (prefix == "" || rest == "" || strings.ContainsAny(rest[:1], "+^"))
}

// sink writes to the artifact and to the lines; its error is the artifact's.
type sink struct {
	whole io.Writer
	lines io.Writer
}

type writeError struct{ err error }

func (e *writeError) Error() string { return e.err.Error() }

func (s *sink) Write(p []byte) (int, error) {
	if n, err := s.whole.Write(p); err != nil {
		return n, &writeError{err}
	}
	return s.lines.Write(p)
}

// lineCutter cuts what is written into lines, of which it keeps no more than maxLine.
type lineCutter struct {
	line func(string)
	part []byte
	any  bool // a line has begun
}

func (c *lineCutter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		text, after, ends := bytes.Cut(rest, []byte("\n"))
		c.any = true
		c.part = append(c.part, text[:min(len(text), maxLine-len(c.part))]...)
		if ends {
			c.end()
		}
		rest = after
	}
	return len(p), nil
}

// end ends a line that has begun.
func (c *lineCutter) end() {
	if !c.any {
		return
	}
	c.line(strings.ToValidUTF8(strings.TrimSuffix(string(c.part), "\r"), "\uFFFD"))
	c.part, c.any = c.part[:0], false
}
