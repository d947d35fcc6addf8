package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
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

// longestKey is what servers take of an idempotency key; Stripe's limit is the
// lowest that is told (docs.stripe.com/api/idempotent_requests).
const longestKey = 255

// idempotencyKey is a run's key as a header can hold it: itself, or its digest.
func idempotencyKey(key string) string {
	plain := key != "" && len(key) <= longestKey
	for _, c := range []byte(key) {
		plain = plain && '!' <= c && c <= '~'
	}
	if plain {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}
