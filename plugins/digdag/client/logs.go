package client

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
)

// LogFiles are the log files of the tasks of an attempt whose full names start
// with prefix, "" for all. A server without a log store (its default) has none, and
// one with a remote store gets a task's log mostly at the task's end
// (GET /api/logs/{attempt}/files).
func (c *Client) LogFiles(ctx context.Context, attempt ID, prefix string) ([]LogFile, error) {
	q := read("/api/logs/" + string(attempt) + "/files")
	if err := c.ids(q, attempt); err != nil {
		return nil, err
	}
	q.Query = url.Values{"direct_download": {"false"}}
	if prefix != "" {
		q.Query.Set("task", prefix)
	}
	return listed[LogFile](ctx, c, q, "files")
}

// LogFile is a log file as the server has it by now, packed with gzip. Of a running
// task that is an unfinished stream; see UnpackLog
// (GET /api/logs/{attempt}/files/{name}).
func (c *Client) LogFile(ctx context.Context, attempt ID, name string) ([]byte, error) {
	q := read("/api/logs/" + string(attempt) + "/files/" + url.PathEscape(name))
	q.Accept = "application/gzip"
	if err := c.ids(q, attempt); err != nil {
		return nil, err
	}
	if name == "" || name == "." || name == ".." {
		return nil, c.rest.Refuse(q, "%q is no log file", name)
	}
	a, err := c.do(ctx, q)
	return a.Body, err
}

// LogReader reads the text of a log file.
type LogReader struct {
	packed io.Reader
	text   io.Reader // nil before the first Read
	err    error     // how it ended
	whole  bool
}

// UnpackLog reads a log file that may be unfinished: it ends with what is there.
func UnpackLog(packed []byte) *LogReader { return &LogReader{packed: bytes.NewReader(packed)} }

// Read gives io.EOF at the end, also at that of an unfinished file. Another error
// says that the file is no gzip, or is damaged.
func (r *LogReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	var n int
	var err error
	if r.text == nil {
		r.text, err = gzip.NewReader(r.packed)
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF // no byte of it is there yet
		}
	}
	if err == nil {
		n, err = r.text.Read(p)
	}
	switch {
	case errors.Is(err, io.EOF):
		r.whole, r.err = true, io.EOF
	case errors.Is(err, io.ErrUnexpectedEOF):
		r.err = io.EOF
	case err != nil:
		r.err = fmt.Errorf("unpack a log file: %w", err)
	}
	return n, r.err
}

// Whole reports, after Read gave io.EOF, whether the file was finished: the
// delivery that it is of has ended.
func (r *LogReader) Whole() bool { return r.whole }
