package web

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/outrider-run/outrider/sdk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rebinding is a name server that answers the first question for IPv4 with one
// address and all later ones with another.
func rebinding(t *testing.T, first, later [4]byte) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { _ = server.Close(); <-done })
	go func() {
		defer close(done)
		buf, address := make([]byte, 1500), first
		for {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			m.Response, m.Authoritative, m.Additionals = true, true, nil
			if q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class},
					Body:   &dnsmessage.AResource{A: address},
				}}
				address = later
			}
			if out, err := m.Pack(); err == nil {
				_, _ = server.WriteTo(out, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// The name is allowed the first time. What it resolves to the second time is not,
// and a server waits there: Linux has the whole of 127.0.0.0/8 on its loopback.
func TestPublicOnlyHoldsAgainstRebinding(t *testing.T) {
	var reached atomic.Int64
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if reached.Add(1) == 1 {
			http.Redirect(w, r, "/again", http.StatusFound)
		}
	})
	l, err := net.Listen("tcp", ":0") // on all addresses
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(handler)
	_ = s.Listener.Close()
	s.Listener = l
	s.Start()
	defer s.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	target := Target{URL: "http://public.test:" + port + "/", Method: "GET", Redirects: 10, PublicOnly: true, AllowNetworks: []string{"127.0.0.1/32"}}
	c, err := open(target, rebinding(t, [4]byte{127, 0, 0, 1}, [4]byte{127, 0, 0, 2}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	answer, err := c.Do(ctx, nil)
	if err == nil {
		_ = answer.Body.Close()
	}
	if f, ok := errors.AsType[*Failure](err); !ok || f.Code != "private_address" || f.Retry || reached.Load() != 1 {
		t.Errorf("error %v, %d requests", err, reached.Load())
	}
}

func TestExplainTellsTheEndOfAllFromATimeout(t *testing.T) {
	c, err := Open(Target{URL: "http://127.0.0.1", Method: "GET"})
	if err != nil {
		t.Fatal(err)
	}
	stop := errors.New("stopped by hand")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stop)
	if got := c.Explain(ctx, io.ErrUnexpectedEOF); got != stop {
		t.Errorf("a cancelled run ends with %v", got)
	}
	try, cancelTry := context.WithCancelCause(t.Context())
	cancelTry(ErrTry)
	if f, ok := errors.AsType[*Failure](c.Explain(try, io.ErrUnexpectedEOF)); !ok || f.Code != "timeout" || !f.Retry {
		t.Errorf("a try that takes too long ends with %v", f)
	}
}

func TestSameOrigin(t *testing.T) {
	for _, c := range []struct {
		first, next string
		want        bool
	}{
		{"https://a.example/x", "https://a.example:443/y", true},
		{"http://a.example", "https://a.example", true},
		{"https://a.example", "http://a.example", false},
		{"https://a.example", "https://b.a.example", false},
		{"https://a.example", "https://a.example:444", false},
		{"http://a.example:8080", "https://a.example:8080", false},
		{"http://a.example:8080", "http://a.example:8081", false},
	} {
		first, err := url.Parse(c.first)
		next, err2 := url.Parse(c.next)
		if err != nil || err2 != nil || sameOrigin(first, next) != c.want {
			t.Errorf("%s and %s: want %v", c.first, c.next, c.want)
		}
	}
}

func TestParseStatuses(t *testing.T) {
	for text, want := range map[string]map[int]bool{
		"2xx":            {199: false, 200: true, 299: true, 300: false},
		"200, 4XX":       {200: true, 201: false, 404: true},
		"200-204,304":    {204: true, 205: false, 304: true},
		" 500 , 100-100": {100: true, 101: false, 500: true},
	} {
		s, err := ParseStatuses(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		for n, has := range want {
			if s.Has(n) != has {
				t.Errorf("%q has %d: %v", text, n, !has)
			}
		}
	}
	for _, text := range []string{"", ",", "0", "20", "2000", "099", "xx", "22xx", "0xx", "204-200", "200-", "-200", "+20", "200 204", "2xx-3xx", "1e2"} {
		if s, err := ParseStatuses(text); err == nil {
			t.Errorf("%q is read as %v", text, s)
		}
	}
}

// TestExcerptHoldsNoHalfSecret where the reading ends in the middle of it, in a page that
// is mostly blanks.
func TestExcerptHoldsNoHalfSecret(t *testing.T) {
	c := &Client{hide: Target{SecretHeaders: map[string]sdk.Secret{"Authorization": sdk.NewSecret("Bearer abcdefghijklmnop")}}.hider()}
	for n := range 60 {
		got := c.Excerpt(strings.NewReader(strings.Repeat(" ", excerptBytes+longestSecret-40+n) + "Bearer abcdefghijklmnop is denied"))
		if strings.Contains(got, "abc") {
			t.Fatalf("%d: %q", n, got)
		}
	}
}

func TestExcerptIsOneLine(t *testing.T) {
	c := &Client{hide: Target{}.hider()}
	got := c.Excerpt(strings.NewReader("a\r\n\tb\x1b[0m \x00ü\xff" + strings.Repeat("x", 5000)))
	if want := "a b[0m ü" + strings.Repeat("x", 292) + "…"; got != want {
		t.Errorf("%q", got)
	}
}
