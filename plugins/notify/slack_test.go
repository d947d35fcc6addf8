package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/outrider-run/outrider/sdk/sdktest"
)

const (
	testToken = "xoxb-100200300400-abcdefghijkl"
	hookPath  = "/services/T00000001/B00000002/q1w2e3r4t5y6u7i8"
)

// answer is what a server is to say once.
type answer struct {
	status int
	body   string
	header http.Header
}

// request is what it got.
type request struct {
	path, contentType string
	form              url.Values
	body              string
}

// fakeSlack plays Slack with answers of the shapes that it gives; the last is
// given again and again.
type fakeSlack struct {
	*httptest.Server
	mu      sync.Mutex
	answers []answer
	got     []request
}

func newSlack(t *testing.T, answers ...answer) *fakeSlack {
	t.Helper()
	s := &fakeSlack{answers: answers}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *fakeSlack) serve(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(raw))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, request{r.URL.Path, r.Header.Get("Content-Type"), form, string(raw)})
	a := s.answers[0]
	if len(s.answers) > 1 {
		s.answers = s.answers[1:]
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	for k, v := range a.header {
		w.Header()[k] = v
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

func (s *fakeSlack) requests() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got
}

// recorded is an answer from testdata.
func recorded(t *testing.T, name string) answer {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "slack", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return answer{status: 200, body: string(raw)}
}

// slackJSON are parameters with the server's address and a token in them.
func slackJSON(s *fakeSlack, more string) string {
	return `{"token": "` + testToken + `", "api_url": "` + s.URL + `/api/"` + more + `}`
}

func hookJSON(s *fakeSlack, more string) string {
	return `{"webhook": "` + s.URL + hookPath + `"` + more + `}`
}

func post(t *testing.T, params string, options ...sdktest.Option) sdktest.Outcome {
	t.Helper()
	return sdktest.RunJSON(t, slackPost(), params, options...)
}
