package client_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/outrider-run/outrider/plugins/airflow/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// reply is one answer of a fake server.
type reply struct {
	status int // 0 is 200
	kind   string
	header http.Header
	body   string
	// act answers by itself.
	act http.HandlerFunc
}

// seen is a request as the fake server got it.
type seen struct {
	Method, URI, Body string
	Header            http.Header
}

// fake answers as it is told: for what a real server cannot be made to show. What it
// says of its version is not counted among the requests.
type fake struct {
	*httptest.Server
	api      int
	mu       sync.Mutex
	replies  []reply
	requests []seen
}

// serve makes a server of Airflow 2 (api 1) or 3 (api 2) that gives these answers one
// after another, the last one for ever.
func serve(tb testing.TB, api int, replies ...reply) *fake {
	f := &fake{api: api, replies: replies}
	f.Server = httptest.NewServer(f)
	tb.Cleanup(f.Close)
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body)) // for act
	if f.api > 0 && strings.HasSuffix(r.URL.Path, "/version") {
		f.version(w, r)
		return
	}
	f.mu.Lock()
	f.requests = append(f.requests, seen{r.Method, r.RequestURI, string(body), r.Header})
	next := f.replies[0]
	if len(f.replies) > 1 {
		f.replies = f.replies[1:]
	}
	f.mu.Unlock()
	next.give(w, r)
}

func (f *fake) version(w http.ResponseWriter, r *http.Request) {
	v2 := strings.HasPrefix(r.URL.Path, "/api/v2")
	switch {
	case v2 && f.api == 2:
		_, _ = io.WriteString(w, `{"version":"3.3.2"}`)
	case !v2 && f.api == 1:
		_, _ = io.WriteString(w, `{"version":"2.11.2"}`)
	default:
		http.NotFound(w, r)
	}
}

func (next reply) give(w http.ResponseWriter, r *http.Request) {
	if next.act != nil {
		next.act(w, r)
		return
	}
	for name, values := range next.header {
		w.Header()[name] = values
	}
	if next.kind != "" {
		w.Header().Set("Content-Type", next.kind)
	} else if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	if next.status != 0 {
		w.WriteHeader(next.status)
	}
	_, _ = io.WriteString(w, next.body)
}

func (f *fake) all() []seen {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]seen(nil), f.requests...)
}

// lines are the requests in short.
func (f *fake) lines() (list []string) {
	for _, r := range f.all() {
		list = append(list, r.Method+" "+r.URI)
	}
	return list
}

// recorded is an answer of a real server of that API.
func recorded(tb testing.TB, api int, name string) reply {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", fmt.Sprintf("airflow%d", api+1), name+".json"))
	if err != nil {
		tb.Fatal(err)
	}
	var whole struct {
		Status int
		Type   string
		Body   json.RawMessage
	}
	if err := json.Unmarshal(data, &whole); err != nil {
		tb.Fatal(err)
	}
	r := reply{status: whole.Status, kind: whole.Type, body: string(whole.Body)}
	var text string
	if json.Unmarshal(whole.Body, &text) == nil {
		r.body = text
	}
	return r
}

func html(status int, body string) reply {
	return reply{status: status, kind: "text/html; charset=utf-8", body: body}
}

// cut ends the connection after a part of an answer.
func cut(part string) reply {
	return reply{act: func(w http.ResponseWriter, _ *http.Request) {
		conn, out, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = out.WriteString(part)
		_ = out.Flush()
		_ = conn.Close()
	}}
}

// hang answers when the client has gone.
func hang() reply {
	return reply{act: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }}
}

// quick are retries that need no time.
var quick = client.Retry{Tries: 3, Wait: time.Microsecond, MaxWait: time.Microsecond}

func newClient(tb testing.TB, o client.Options) *client.Client {
	tb.Helper()
	if o.Retry == (client.Retry{}) {
		o.Retry = quick
	}
	c, err := client.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

// ask makes a client of one server, with a token.
func ask(tb testing.TB, f *fake) *client.Client {
	tb.Helper()
	return newClient(tb, client.Options{Endpoints: []string{f.URL}, Token: "t0ken"})
}

// told keeps what a client tells.
type told struct {
	mu    sync.Mutex
	lines []string
}

func (l *told) Warn(msg string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, msg+" "+strings.TrimSpace(fmt.Sprintln(args...)))
}
