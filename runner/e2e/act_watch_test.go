package e2e

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// lineWatch keeps what is written, and closes seen once that holds want.
type lineWatch struct {
	want string
	seen chan struct{}

	mu   sync.Mutex
	all  bytes.Buffer
	once sync.Once
}

func (l *lineWatch) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all.Write(p)
	if bytes.Contains(l.all.Bytes(), []byte(l.want)) {
		l.once.Do(func() { close(l.seen) })
	}
	return len(p), nil
}

// await waits until what is wanted was written.
func (l *lineWatch) await(ctx context.Context, t *testing.T) {
	t.Helper()
	select {
	case <-l.seen:
	case <-ctx.Done():
		t.Fatalf("no %q in\n%s", l.want, l.text())
	}
}

func (l *lineWatch) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// serveHTTP serves until the test's end.
func serveHTTP(t *testing.T, h http.Handler) (address string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}
