package client

import (
	"context"
	"io"
)

// LogFiles are the log files of the tasks of an attempt whose full names start
// with prefix, "" for all. A server without a log store (its default) has none, and
// one with a remote store gets a task's log mostly at the task's end
// (GET /api/logs/{attempt}/files).
func (c *Client) LogFiles(ctx context.Context, attempt ID, prefix string) ([]LogFile, error) {
	return nil, errLater
}

// LogFile is a log file as the server has it by now, packed with gzip. Of a running
// task that is an unfinished stream; see UnpackLog
// (GET /api/logs/{attempt}/files/{name}).
func (c *Client) LogFile(ctx context.Context, attempt ID, name string) ([]byte, error) {
	return nil, errLater
}

// LogReader reads the text of a log file.
type LogReader struct{}

// UnpackLog reads a log file that may be unfinished: it ends with what is there.
func UnpackLog(packed []byte) *LogReader { return &LogReader{} }

// Read gives io.EOF at the end, also at that of an unfinished file. Another error
// says that the file is no gzip, or is damaged.
func (r *LogReader) Read(p []byte) (int, error) { return 0, io.EOF }

// Whole reports, after Read gave io.EOF, whether the file was finished: the
// delivery that it is of has ended.
func (r *LogReader) Whole() bool { return false }
