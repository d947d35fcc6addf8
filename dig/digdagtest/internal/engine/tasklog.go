package engine

import (
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// taskLog is the log of one delivery of a task: a gzip file that is only
// readable to its end once it is closed, as Digdag's are.
type taskLog struct {
	mu   sync.Mutex
	file *os.File
	zip  *gzip.Writer
}

// LogDir is where the logs of an attempt are.
func (e *Engine) LogDir(attempt int64) string {
	return filepath.Join(e.cfg.LogDir, strconv.FormatInt(attempt, 10))
}

func newTaskLog(dir string, attempt int64, task, agent string, now time.Time) (*taskLog, error) {
	if dir == "" {
		return &taskLog{}, nil
	}
	dir = filepath.Join(dir, strconv.FormatInt(attempt, 10))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make a task log: %w", err)
	}
	name := fmt.Sprintf("%s@%08x%08x.%s.log.gz", task, now.Unix(), now.Nanosecond(), agent)
	file, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		return nil, fmt.Errorf("make a task log: %w", err)
	}
	l := &taskLog{file: file, zip: gzip.NewWriter(file)}
	l.write(nil) // the header, which is all there is for a while
	return l, nil
}

// Write takes what a command printed. It never fails: a full disk must not stop
// a command.
func (l *taskLog) Write(p []byte) (int, error) {
	l.write(p)
	return len(p), nil
}

func (l *taskLog) write(p []byte) {
	if l.zip == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.zip.Write(p)
}

// line writes a line of Digdag's own.
func (l *taskLog) line(level string, j *job, format string, args ...any) {
	l.write(fmt.Appendf(nil, "%s [%s] (0000@[0:%s:%d:%d]%s) io.digdag.core.agent.OperatorManager: %s\n",
		j.engine.now().Format("2006-01-02 15:04:05.000 +0000"), level, j.project, j.session, j.attempt, j.name, fmt.Sprintf(format, args...)))
}

// Close ends the file.
func (l *taskLog) Close() {
	if l.zip != nil {
		_, _ = l.zip.Close(), l.file.Close()
	}
}
