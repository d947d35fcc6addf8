package digdagtest

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// client speaks just enough of Digdag's REST API for tests.
type client struct{ base, user, password string }

// StatusError is an answer that is no success.
type StatusError struct {
	Status int
	Body   string
}

func (e *StatusError) Error() string { return fmt.Sprintf("HTTP %d: %s", e.Status, e.Body) }

// do sends a request; the answer's body goes to out, which is nil, a *[]byte or
// something to decode JSON into.
func (c client) do(ctx context.Context, method, path, contentType string, body []byte, out any) error {
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if c.user != "" {
		r.SetBasicAuth(c.user, c.password)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %w", method, path, &StatusError{answer.StatusCode, string(data)})
	}
	if raw, ok := out.(*[]byte); ok {
		*raw = data
		return nil
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// Get reads path, which starts with /api, into out.
func (s *Server) Get(ctx context.Context, path string, out any) error {
	return s.client.do(ctx, http.MethodGet, path, "", nil, out)
}

// Send puts or posts a JSON body to path and reads the answer into out.
func (s *Server) Send(ctx context.Context, method, path string, body, out any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return s.client.do(ctx, method, path, "application/json", data, out)
}

// Log is all that the deliveries of the tasks whose names start with prefix
// have logged. Of a running task it has what is on disk by now, often nothing.
func (s *Server) Log(ctx context.Context, attempt, prefix string) (string, error) {
	files, err := s.LogFiles(ctx, attempt, prefix)
	if err != nil {
		return "", err
	}
	var all strings.Builder
	for _, f := range files {
		var data []byte
		if err := s.Get(ctx, "/api/logs/"+attempt+"/files/"+url.PathEscape(f.FileName), &data); err != nil {
			return "", err
		}
		z, err := gzip.NewReader(bytes.NewReader(data))
		if errors.Is(err, io.EOF) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("read the log %s: %w", f.FileName, err)
		}
		if _, err := io.Copy(&all, z); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return "", fmt.Errorf("read the log %s: %w", f.FileName, err)
		}
	}
	return all.String(), nil
}

// LogFiles lists the log files of an attempt: one for each delivery of a task.
func (s *Server) LogFiles(ctx context.Context, attempt, prefix string) ([]LogFile, error) {
	var list struct{ Files []LogFile }
	err := s.Get(ctx, "/api/logs/"+attempt+"/files?task="+url.QueryEscape(prefix), &list)
	return list.Files, err
}
