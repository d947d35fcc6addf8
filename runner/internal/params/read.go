package params

import (
	"context"
	"fmt"
	"io"
)

// ReadAll reads r to its end, or fails: as soon as there is more than limit bytes,
// or when ctx ends, whose cause it then returns. A reader that never ends is left
// behind with its goroutine, since there is no way to interrupt it.
func ReadAll(ctx context.Context, r io.Reader, limit int) ([]byte, error) {
	return await(ctx, func() ([]byte, error) { return readMost(r, limit) })
}

func await(ctx context.Context, read func() ([]byte, error)) ([]byte, error) {
	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		data, err := read()
		done <- result{data, err}
	}()
	select {
	case got := <-done:
		return got.data, got.err
	case <-ctx.Done():
		return nil, fmt.Errorf("gave up waiting for the end of the input: %w", context.Cause(ctx))
	}
}

func readMost(r io.Reader, limit int) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return nil, err
	}
	if len(data) > limit {
		return nil, fmt.Errorf("is more than %s", size(limit))
	}
	return data, nil
}
