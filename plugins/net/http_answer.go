package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/outrider-run/outrider/plugins/net/internal/web"
	"github.com/outrider-run/outrider/sdk"
)

// take makes the output of an answer that has an expected status.
func (x *exchange) take(ctx context.Context, answer *http.Response) (requestOutput, error) {
	p := x.params
	out := requestOutput{
		Status: answer.StatusCode, URL: web.Place(answer.Request.URL),
		ContentType: answer.Header.Get("Content-Type"), Artifact: p.Artifact,
	}
	for _, name := range p.ShowHeaders {
		if all := answer.Header.Values(name); len(all) > 0 {
			if out.Headers == nil {
				out.Headers = map[string]string{}
			}
			out.Headers[name] = strings.Join(all, ", ")
		}
	}
	limit, field := int64(p.MaxBody), "max_body"
	if p.Artifact != "" {
		limit, field = int64(p.MaxArtifact), "max_artifact"
	}
	if answer.Request.Method != http.MethodHead && answer.ContentLength > limit {
		return out, tooLarge(fmt.Sprintf("of %d bytes", answer.ContentLength), field, limit)
	}
	from := &source{from: io.LimitReader(answer.Body, limit+1)}
	var err error
	if p.Artifact != "" {
		out.Size, err = x.store(from, answer.ContentLength, limit)
	} else {
		err = x.hold(from, limit, &out)
	}
	if from.err != nil {
		err = x.client.Explain(ctx, from.err)
	}
	return out, err
}

func tooLarge(size, field string, limit int64) error {
	return sdk.Permanent(sdk.Code("answer_too_large", fmt.Errorf("the answer is %s, %s allows %s", size, field, sdk.Bytes(limit))))
}

// source remembers its own error, so that one of writing is not taken for it.
type source struct {
	from io.Reader
	err  error
}

func (s *source) Read(b []byte) (int, error) {
	n, err := s.from.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// hold reads a body into the output.
func (x *exchange) hold(from io.Reader, limit int64, out *requestOutput) error {
	raw, err := io.ReadAll(from)
	if err != nil {
		return err
	}
	if int64(len(raw)) > limit {
		return tooLarge("longer", "max_body", limit)
	}
	out.Size = int64(len(raw))
	if len(x.params.Values) > 0 {
		out.Values, err = values(raw, x.params.Values)
		return err
	}
	if isJSON(out.ContentType) {
		if tree, err := parseJSON(raw); err == nil {
			out.JSON, err = json.Marshal(tree)
			return err
		}
	}
	if utf8.Valid(raw) {
		out.Body = string(raw)
	} else {
		out.BodyBase64 = raw
	}
	return nil
}

// store streams a body to the artifact, which exists once all of it is there.
func (x *exchange) store(from io.Reader, total, limit int64) (int64, error) {
	to, err := x.run.Create(x.params.Artifact)
	if err != nil {
		return 0, sdk.Permanent(fmt.Errorf("artifact: %w", err))
	}
	n, err := io.Copy(&counted{to: to, tell: func(done int64) {
		x.run.Progress(float64(done), float64(max(total, 0)), "bytes")
	}}, from)
	if err != nil {
		return n, fmt.Errorf("artifact: %w", err)
	}
	if n > limit {
		return n, tooLarge("longer", "max_artifact", limit)
	}
	return n, to.Close()
}

type counted struct {
	to   io.Writer
	done int64
	tell func(done int64)
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.to.Write(b)
	c.done += int64(n)
	c.tell(c.done)
	return n, err
}

// isJSON knows application/json and the likes of application/problem+json (RFC 6839).
func isJSON(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json"))
}

// parseJSON reads one value and keeps numbers as they are written.
func parseJSON(raw []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var tree any
	if err := d.Decode(&tree); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something stands after the first value")
	}
	return tree, nil
}
