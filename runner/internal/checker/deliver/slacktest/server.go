// Package slacktest plays Slack for tests, over HTTP on the loopback: the methods that
// slack.post calls, with Slack's checks of shapes, threads and channels, its rate limits,
// and failures to order. What it was told can be read by thread.
//
// It knows no alerts, and nothing but tests links it.
package slacktest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Token is the bot token that the server takes.
const Token = "xoxb-210000000000-slacktest"

// Fault is what a posting call ends with instead of success.
type Fault struct {
	// Code is an error of Slack's, such as channel_not_found.
	Code string
	// Status is an HTTP status, with RetryAfter in whole seconds where there is one.
	Status     int
	RetryAfter time.Duration
	// Drop cuts the connection without an answer.
	Drop bool
	// Take says that the message is taken nevertheless.
	Take bool
	// Hold keeps the call until it is closed or the client has gone.
	Hold <-chan struct{}
}

// Server is a Slack.
type Server struct {
	// URL is what slack.post gets as api_url.
	URL string

	mu       sync.Mutex
	now      func() time.Time
	last     int64             // microseconds of the last message
	channels map[string]string // names by id
	messages []*Message
	order    []Fault
	always   *Fault
	calls    []string
	scopes   map[string]bool // those that are missing
	changed  chan struct{}   // closed at the next message
}

// New starts one that has the channels named, and ends it with the test.
func New(t testing.TB, channels ...string) *Server {
	t.Helper()
	s := &Server{now: time.Now, channels: map[string]string{}, scopes: map[string]bool{}, changed: make(chan struct{})}
	for _, name := range channels {
		s.Channel(name)
	}
	http := httptest.NewServer(s)
	t.Cleanup(http.Close)
	s.URL = http.URL + "/api/"
	return s
}

// Channel adds a channel, if need be, and returns its id.
func (s *Server) Channel(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	name = strings.TrimPrefix(name, "#")
	for id, has := range s.channels {
		if has == name {
			return id
		}
	}
	id := fmt.Sprintf("C%08d", len(s.channels)+1)
	s.channels[id] = name
	return id
}

// Clock sets the clock that messages get their ts of.
func (s *Server) Clock(now func() time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = now
}

// Order lets the next posting calls, one each, end with the faults; the zero Fault is none.
func (s *Server) Order(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.order = append(s.order, faults...)
}

// Always lets every posting call end with the fault, until it is nil again.
func (s *Server) Always(f *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.always = f
}

// Limit refuses the next n posting calls, since they are too many.
func (s *Server) Limit(n int, retryAfter time.Duration) {
	s.Order(slices.Repeat([]Fault{{Status: http.StatusTooManyRequests, RetryAfter: retryAfter}}, n)...)
}

// Forbid takes a scope from the token, such as channels:history.
func (s *Server) Forbid(scope string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scopes[scope] = true
}

// Calls are the methods called so far.
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// ServeHTTP answers a call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method := strings.TrimPrefix(r.URL.Path, "/api/")
	do := s.method(method)
	if do == nil {
		answer(w, nil, "unknown_method")
		return
	}
	if err := r.ParseForm(); err != nil {
		answer(w, nil, "invalid_form_data")
		return
	}
	if token := r.Form.Get("token"); token != Token && r.Header.Get("Authorization") != "Bearer "+Token {
		answer(w, nil, "invalid_auth")
		return
	}
	f := s.fault(method)
	if f.Hold != nil {
		select {
		case <-f.Hold:
		case <-r.Context().Done():
		}
	}
	wrong := f.Code != "" || f.Status != 0 || f.Drop
	var said map[string]any
	var code string
	if !wrong || f.Take {
		s.mu.Lock()
		said, code = do(r.Form)
		s.mu.Unlock()
	}
	switch {
	case f.Drop:
		panic(http.ErrAbortHandler)
	case f.Status != 0:
		if f.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(f.RetryAfter.Seconds())))
		}
		w.WriteHeader(f.Status)
	case f.Code != "":
		answer(w, nil, f.Code)
	default:
		answer(w, said, code)
	}
}

func (s *Server) method(name string) func(url.Values) (map[string]any, string) {
	return map[string]func(url.Values) (map[string]any, string){
		"auth.test": s.auth, "chat.postMessage": s.post, "chat.update": s.update, "conversations.history": s.history,
		"conversations.replies": s.replies, "conversations.list": s.list,
	}[name]
}

// Try calls a method without HTTP and returns its error code, "" for success.
func (s *Server) Try(method string, form url.Values) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, code := s.method(method)(form)
	return code
}

// fault is that of a call, the zero Fault without.
func (s *Server) fault(method string) (f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, method)
	if !strings.HasPrefix(method, "chat.") {
		return f
	}
	if s.always != nil {
		return *s.always
	}
	if len(s.order) > 0 {
		f, s.order = s.order[0], s.order[1:]
	}
	return f
}

func answer(w http.ResponseWriter, said map[string]any, code string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if code != "" {
		said = map[string]any{"ok": false, "error": code}
		if code, why, ok := strings.Cut(code, ": "); ok {
			said["error"], said["response_metadata"] = code, map[string]any{"messages": []string{"[ERROR] " + why}}
		}
	} else {
		said["ok"] = true
	}
	_ = json.NewEncoder(w).Encode(said) // the client may have gone
}

// Wait returns the first message for which is says so, when it is there.
func (s *Server) Wait(ctx context.Context, is func(Message) bool) (Message, error) {
	for {
		s.mu.Lock()
		changed := s.changed
		all := s.all()
		s.mu.Unlock()
		if i := slices.IndexFunc(all, is); i >= 0 {
			return all[i], nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Message{}, fmt.Errorf("no such message among %d: %w", len(all), context.Cause(ctx))
		}
	}
}
