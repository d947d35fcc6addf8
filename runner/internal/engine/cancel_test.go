package engine

import (
	"compress/gzip"
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// attempt is an answer as recorded from Digdag 0.10.5.1, told apart by its ends.
func attempt(id, done, cancel string) string {
	return `{"status":"running","id":"` + id + `","index":1,"project":{"id":"1","name":"demo"},"workflow":{"name":"long","id":"39"},
	"sessionId":"9","sessionUuid":"u-u","sessionTime":"2026-11-21T23:12:43+00:00","retryAttemptName":null,
	"done":` + done + `,"success":false,"cancelRequested":` + cancel + `,"params":{},"createdAt":"2026-11-21T23:12:43Z","finishedAt":null}`
}

// askDigdag has a server answer one request after the other, the last for ever, until
// the attempt is killed or answers are over; it returns why, and what failed.
func askDigdag(t *testing.T, user string, api API, answers ...http.HandlerFunc) (failures []string, killed error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var n atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i := int(n.Add(1)) - 1
		if i >= len(answers) {
			cancel()
			return
		}
		answers[i](w, r)
	}))
	defer s.Close()
	api.Endpoints = append(api.Endpoints, strings.Replace(s.URL, "http://", "http://"+user, 1))
	a := asker{api: api, id: Identity{Run: "42", Session: "u-u"}, client: clientFor(t, api, time.Minute), every: time.Millisecond}
	killed = a.untilKilled(ctx, func(err error) { failures = append(failures, err.Error()) })
	return failures, killed
}

func clientFor(t *testing.T, api API, timeout time.Duration) *http.Client {
	t.Helper()
	c, err := newClient(api, timeout)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestAskOverTLS: a server of a private authority is asked where it is to be trusted.
func TestAskOverTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(says(200, attempt("42", "false", "true")))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		api  API
		asks bool
	}{"unknown": {API{}, false}, "trusted": {API{CAFile: ca}, true}, "whatever it is": {API{Insecure: true}, true}} {
		a := asker{api: c.api, id: Identity{Run: "42", Session: "u-u"}, client: clientFor(t, c.api, time.Minute)}
		if killed, err := a.ask(t.Context(), s.URL); killed != c.asks || (err == nil) != c.asks {
			t.Errorf("%s: %v, %v", name, killed, err)
		}
	}
	for file, want := range map[string]string{filepath.Join(t.TempDir(), "none"): "no such file", os.DevNull: "holds no certificate in PEM"} {
		if _, err := newClient(API{CAFile: file}, time.Second); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", file, err, want)
		}
	}
}

func TestEndpoints(t *testing.T) {
	for text, want := range map[string][]string{
		"": nil, " , ": nil, "http://a:1": {"http://a:1"}, "localhost:65432": {"http://localhost:65432"},
		"http://a/,https://b/digdag/api/ c/api": {"http://a", "https://b/digdag", "http://c"},
	} {
		if got := Endpoints(text); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// TestCancelled: whatever Digdag answers, only a kill that was asked for is one, and
// one failure is told of many.
func TestCancelled(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		failed string
	}{
		"running":         {says(200, attempt("42", "false", "false")), ""},
		"done":            {says(200, attempt("42", "true", "false")), ""},
		"another attempt": {says(200, attempt("43", "false", "true")), "knows another attempt 42"},
		"another server":  {says(200, strings.Replace(attempt("42", "false", "true"), "u-u", "x-x", 1)), "it is not the Digdag that runs this task"},
		"401":             {says(401, `{"message":"Unauthorized","status":401}`), "answered 401"},
		"404 empty":       {says(404, ""), "answered 404"},
		"500 HTML":        {says(500, "<html>"), "answered 500"},
		"503":             {says(503, ""), "answered 503"},
		"HTML":            {says(200, "<!doctype html>"), "answered no attempt"},
		"empty":           {says(200, ""), "answered no attempt"},
		"a list":          {says(200, "[]"), "answered no attempt"},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, attempt("42", "false", "true"))
		}, "unexpected EOF"},
		"cut connection": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/api/attempts/42?again", http.StatusFound)
		}, "answered 302"},
	} {
		t.Run(name, func(t *testing.T) {
			failures, killed := askDigdag(t, "", API{}, c.answer, c.answer, says(200, attempt("42", "false", "true")))
			if killed == nil || killed.Error() != "digdag was asked to kill attempt 42" {
				t.Errorf("a kill is %v", killed)
			}
			if c.failed == "" && len(failures) > 0 || c.failed != "" && (len(failures) != 1 || !strings.Contains(failures[0], c.failed)) {
				t.Errorf("told %q, want one with %q", failures, c.failed)
			}
			if _, killed := askDigdag(t, "", API{}, c.answer, c.answer); killed != nil {
				t.Errorf("killed for %v", killed)
			}
		})
	}
}

// TestCancelledAsks looks at the request: one, plain, with what the API wants.
func TestCancelledAsks(t *testing.T) {
	var got *http.Request
	failures, killed := askDigdag(t, "me:se%40cret@", API{Headers: map[string]string{"X-Team": "data"}}, func(w http.ResponseWriter, r *http.Request) {
		got = r
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, attempt("42", "false", "true"))
		_ = z.Close()
	})
	if killed == nil || len(failures) > 0 {
		t.Fatalf("%v, %q", killed, failures)
	}
	user, password, _ := got.BasicAuth()
	if got.Method != http.MethodGet || got.RequestURI != "/api/attempts/42" || user != "me" || password != "se@cret" || got.Header.Get("X-Team") != "data" {
		t.Errorf("%s %s %q:%q %v", got.Method, got.RequestURI, user, password, got.Header)
	}
}

func TestCancelledAddresses(t *testing.T) {
	for endpoint, want := range map[string]string{
		"http://d:65432": "http://d:65432/api/attempts/42", "http://d:65432/": "http://d:65432/api/attempts/42",
		"https://d/digdag/": "https://d/digdag/api/attempts/42", "http://d/api": "http://d/api/attempts/42", "http://d/?x=y#z": "http://d/api/attempts/42",
	} {
		a := asker{api: API{User: "me", Password: "pw"}, id: Identity{Run: "42"}}
		req, err := a.request(t.Context(), endpoint)
		if err != nil || req.URL.String() != want {
			t.Errorf("%s: %v, %v", endpoint, req, err)
			continue
		}
		if user, password, _ := req.BasicAuth(); user != "me" || password != "pw" {
			t.Errorf("%s: %s:%s", endpoint, user, password)
		}
	}
	for _, endpoint := range []string{"d:65432", "ftp://d", "http://", "http://me:secret@[::1", "/x"} {
		a := asker{id: Identity{Run: "42"}}
		if _, err := a.request(t.Context(), endpoint); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
}

// TestCancelledTellsNoPassword in what failed.
func TestCancelledTellsNoPassword(t *testing.T) {
	refused, _ := askDigdag(t, "me:secret@", API{}, says(403, ""))
	cut, _ := askDigdag(t, "me:secret@", API{}, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	for _, told := range append(refused, cut...) {
		if strings.Contains(told, "secret") {
			t.Error(told)
		}
	}
	if len(refused)+len(cut) != 2 {
		t.Errorf("told %q and %q", refused, cut)
	}
}

// TestCancelledSlowAnswer: one that does not come in time is a failure like any other.
func TestCancelledSlowAnswer(t *testing.T) {
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer s.Close()
	defer close(release)
	a := asker{id: Identity{Run: "42"}, client: clientFor(t, API{}, time.Millisecond)}
	if killed, err := a.ask(t.Context(), s.URL); killed || !os.IsTimeout(errors.Unwrap(errors.Unwrap(err))) && !os.IsTimeout(err) {
		t.Errorf("%v, %v", killed, err)
	}
}

// TestCancelledNobodyToAsk: outside of Digdag, without an attempt or an address
// nothing is asked.
func TestCancelledNobodyToAsk(t *testing.T) {
	api := API{Endpoints: []string{"http://d"}}
	for name, c := range map[string]struct {
		e    Engine
		api  API
		asks bool
	}{
		"digdag":      {Engine{Name: Digdag, Identity: Identity{Run: "42"}}, api, true},
		"none":        {Engine{Name: None, Identity: Identity{Run: "42"}}, api, false},
		"airflow":     {Engine{Name: Airflow, Identity: Identity{Run: "42"}}, api, false},
		"no attempt":  {Engine{Name: Digdag}, api, false},
		"no endpoint": {Engine{Name: Digdag, Identity: Identity{Run: "42"}}, API{}, false},
	} {
		if got := c.e.asks(c.api); got != c.asks {
			t.Errorf("%s: asks: %v", name, got)
		}
	}
}

// TestDetectContained: docker: in the task's own parameters tells, nothing else does.
func TestDetectContained(t *testing.T) {
	for text, want := range map[string]bool{`{"image":"x"}`: true, "": false, "docker": false, "/usr/bin/docker": false} {
		if got := Detect(Digdag, env(map[string]string{"docker": text}), nil).Contained; got != want {
			t.Errorf("docker=%s: %v", text, got)
		}
	}
	if Detect(Airflow, env(map[string]string{"docker": "{}"}), nil).Contained {
		t.Error("airflow knows no docker:")
	}
}

// TestCancelledAsksTheNext: after an endpoint that fails the next one is asked.
func TestCancelledAsksTheNext(t *testing.T) {
	dead := httptest.NewServer(nil)
	dead.Close()
	running, killed := says(200, attempt("42", "false", "false")), says(200, attempt("42", "false", "true"))
	failures, why := askDigdag(t, "", API{Endpoints: []string{dead.URL}}, running, running, killed)
	if why == nil || len(failures) != 1 || !strings.Contains(failures[0], "refused") {
		t.Errorf("%v, told %q", why, failures)
	}
}
