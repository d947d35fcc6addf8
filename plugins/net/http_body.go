package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"

	"github.com/outrider-run/outrider/plugins/net/internal/web"
)

// body is what the parameters say to send, nil for nothing.
func (p requestParams) body() (*web.Body, error) {
	switch {
	case p.JSON != nil:
		return inMemory("application/json", p.JSON), nil
	case p.Form != nil:
		fields := url.Values{}
		for name, value := range p.Form {
			fields.Set(name, value)
		}
		return inMemory("application/x-www-form-urlencoded", []byte(fields.Encode())), nil
	case p.BodyFile != "":
		return fromFile(p.BodyFile)
	}
	return nil, nil
}

func inMemory(contentType string, content []byte) *web.Body {
	return &web.Body{ContentType: contentType, Length: int64(len(content)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	}}
}

// fromFile reads the file anew for every try.
func fromFile(path string) (*web.Body, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("body_file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("body_file: %s is no regular file, which alone can be sent a second time", path)
	}
	return &web.Body{ContentType: "application/octet-stream", Length: info.Size(), Open: func() (io.ReadCloser, error) {
		return os.Open(path)
	}}, nil
}

// idempotencyKey is a digest of the run's key and of what is sent: the same over all
// tries of a request, and another for another request of the same task, whose answer
// would else be taken for this one's.
func (p requestParams) idempotencyKey(key string, body *web.Body) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q %q\n", key, p.Method, p.URL, fmt.Sprint(p.Query)) // fmt sorts a map
	if body != nil {
		content, err := body.Open()
		if err != nil {
			return "", fmt.Errorf("read the body for its idempotency key: %w", err)
		}
		_, err = io.Copy(h, content)
		if err := errors.Join(err, content.Close()); err != nil {
			return "", fmt.Errorf("read the body for its idempotency key: %w", err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
