package client_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/outrider-run/outrider/plugins/digdag/client"
)

func gzipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return b.String()
}

// TestFaults shows what a caller sees of answers that are none, and how often the
// server was asked.
func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		reply    reply
		code     string
		says     string
		requests int
	}{
		"401":                {recorded(t, "error_401"), client.CodeUnauthorized, "GET /api/attempts/7: 401: Missing Authorization header; set user and password", 1},
		"401 HTML":           {html(401, "<h1>Log in"), client.CodeUnauthorized, "401 unauthorized, with a page instead of a message; set user", 1},
		"403":                {reply{status: 403, body: `{"message":"not allowed","status":403}`}, client.CodeForbidden, "403: not allowed; this user may not", 1},
		"403 empty":          {reply{status: 403}, client.CodeForbidden, "403 forbidden; this user may not", 1},
		"404":                {recorded(t, "error_404_attempt"), client.CodeNotFound, "404: Resource does not exist: session attempt id=999999", 1},
		"404 empty":          {recorded(t, "error_404_nonnumeric"), client.CodeNotFound, "404 not found; a Digdag server says so of an id that it cannot have; else is this the base URL", 1},
		"404 HTML":           {html(404, "<h1>nginx"), client.CodeNotDigdag, "is this the base URL of a Digdag server", 1},
		"404 other JSON":     {reply{status: 404, body: `{"error":"no route"}`}, client.CodeNotDigdag, "is this the base URL", 1},
		"405":                {recorded(t, "error_405"), client.CodeNotDigdag, "405 method not allowed; is this the base URL", 1},
		"408":                {reply{status: 408}, client.CodeServerError, "408 request timeout (after 3 tries)", 3},
		"409":                {recorded(t, "error_project_same_revision"), client.CodeConflict, "409: Resource already exists: revision=rev1 in project id=1", 1},
		"400":                {recorded(t, "error_400_start_bad"), client.CodeBadRequest, "some of required attributes are not set [sessionTime, params] at", 1},
		"400 running":        {recorded(t, "error_400_too_many_attempts"), client.CodeTooManyAttempts, "400: Too many attempts running. Limit: 100, Current: 100; wait until some have ended", 1},
		"400 plain":          {reply{status: 400, header: http.Header{"Content-Type": {"text/plain"}}, body: "Client sent an HTTP request to an HTTPS server.\n"}, client.CodeBadRequest, "400: Client sent an HTTP request to an HTTPS server.", 1},
		"429":                {reply{status: 429, header: http.Header{"Retry-After": {"0"}}}, client.CodeRateLimited, "429 too many requests (after 3 tries)", 3},
		"500 HTML":           {html(500, page500), client.CodeServerError, "500 internal server error, with a page instead of a message; the server's log says more (after 3 tries)", 3},
		"500 empty":          {reply{status: 500}, client.CodeServerError, "500 internal server error; the server's log", 3},
		"501":                {reply{status: 501, body: `{"message":"backfill: not there","status":501}`}, client.CodeServerError, "501: backfill: not there", 1},
		"503":                {reply{status: 503}, client.CodeServerError, "503 service unavailable (after 3 tries)", 3},
		"200 HTML":           {html(200, "<!doctype html><html>"), client.CodeNotDigdag, "200 ok, with a page instead of a message; is this the base URL", 1},
		"200 HTML, no type":  {reply{header: http.Header{"Content-Type": {""}}, body: " \n<html>"}, client.CodeNotDigdag, "is this the base URL", 1},
		"204":                {reply{status: 204}, client.CodeNotDigdag, "204 no content; is this", 1},
		"302":                {reply{status: 302, header: http.Header{"Location": {"https://login.example.com/?token=geheim"}}}, client.CodeNotDigdag, "it redirects to https://login.example.com/; if that is the Digdag server", 1},
		"empty body":         {reply{}, client.CodeBadAnswer, "the answer is empty", 1},
		"not JSON":           {reply{body: "OK"}, client.CodeBadAnswer, "the answer is not what a Digdag server sends: invalid character 'O'", 1},
		"half of it":         {reply{body: `{"id": "7"`}, client.CodeBadAnswer, "unexpected end of JSON input", 1},
		"another thing":      {reply{body: `{"status":"up"}`}, client.CodeBadAnswer, "the answer is not what a Digdag server sends; is there something between", 1},
		"null":               {reply{body: `null`}, client.CodeBadAnswer, "not what a Digdag", 1},
		"wrong type":         {reply{body: `{"id":[7]}`}, client.CodeBadAnswer, "[7] is no id", 1},
		"huge":               {reply{body: `{"id":"7","params":"` + strings.Repeat("x", 2<<20) + `"}`}, client.CodeTooBig, "the answer is longer than 1.0 MiB", 1},
		"huge when unpacked": {reply{header: http.Header{"Content-Encoding": {"gzip"}}, body: gzipped(strings.Repeat(" ", 2<<20))}, client.CodeTooBig, "longer than 1.0 MiB", 1},
		"huge error":         {reply{status: 500, body: strings.Repeat("x", 1<<20)}, client.CodeServerError, "500 internal server error", 3},
		"cut at once":        {cut(""), client.CodeUnreachable, "the connection was cut before the whole answer was there (after 3 tries)", 3},
		"cut in the body":    {cut("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"id\":"), client.CodeUnreachable, "the connection was cut before", 3},
		"no HTTP":            {cut("SSH-2.0-OpenSSH\r\n"), client.CodeUnreachable, "the connection broke: ", 3},
		"slow":               {hang(), client.CodeTimeout, "no whole answer within 100ms (after 3 tries)", 3},
		"many lines":         {reply{status: 400, body: `{"message":"one\n\ttwo\u001b[31m\u0000three","status":400}`}, client.CodeBadRequest, "400: one two [31m three", 1},
	} {
		t.Run(name, func(t *testing.T) {
			f := serve(t, c.reply)
			o := client.Options{Endpoints: []string{f.URL}, MaxAnswer: 1 << 20}
			if name == "slow" {
				o.Timeout = 100 * time.Millisecond
			}
			_, err := newClient(t, o).Attempt(t.Context(), "7")
			var e *client.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if e.Code != c.code || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %s\nwant %s: … %s", e.Code, err, c.code, c.says)
			}
			if !strings.HasPrefix(err.Error(), "Digdag at "+f.URL+": GET /api/attempts/7: ") || strings.ContainsAny(err.Error(), "\n\t\x1b\x00") || strings.Contains(err.Error(), "geheim") {
				t.Errorf("the error is %q", err)
			}
			if e.Method != "GET" || e.Path != "/api/attempts/7" || e.Endpoint != f.URL || e.Tries != c.requests {
				t.Errorf("the error is %+v", e)
			}
			if c.reply.act == nil && e.Status != max(c.reply.status, 200*min(1, 1-c.reply.status/100)) {
				t.Errorf("the status is %d", e.Status)
			}
			if n := len(f.all()); n != c.requests {
				t.Errorf("%d requests, want %d", n, c.requests)
			}
		})
	}
}

// TestEndlessAnswer: no more is read than may be.
func TestEndlessAnswer(t *testing.T) {
	var sent atomic.Int64
	f := serve(t, reply{act: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		chunk := bytes.Repeat([]byte(" "), 64<<10)
		for r.Context().Err() == nil && sent.Load() < 1<<30 {
			n, err := w.Write(chunk)
			if sent.Add(int64(n)); err != nil {
				return
			}
		}
	}})
	_, err := newClient(t, client.Options{Endpoints: []string{f.URL}, MaxAnswer: 1 << 20}).Attempt(t.Context(), "7")
	var e *client.Error
	if !errors.As(err, &e) || e.Code != client.CodeTooBig || len(f.all()) != 1 {
		t.Errorf("%v, %d requests", err, len(f.all()))
	}
	f.Close() // waits for the answer's end
	if sent.Load() > 64<<20 {
		t.Errorf("%d bytes were taken", sent.Load())
	}
}

// TestListFaults: an answer without the list is no empty list.
func TestListFaults(t *testing.T) {
	for _, body := range []string{`{}`, `{"attempts":null}`, `[]`, `{"attempts":{}}`, `{"attempts":[null]}`, `{"attempts":[{"id":"7"}]}`, `{"attempts":[{"id":"7","sessionTime":"yesterday"}]}`} {
		f := serve(t, reply{body: body})
		page, err := ask(t, f).AttemptsPage(t.Context(), client.AttemptFilter{})
		var e *client.Error
		if !errors.As(err, &e) || e.Code != client.CodeBadAnswer || len(page) > 0 {
			t.Errorf("%s: %v, %v", body, page, err)
		}
	}
}

func TestRetryAfterIsHeeded(t *testing.T) {
	f := serve(t, reply{status: 429, header: http.Header{"Retry-After": {"3600"}}})
	_, err := ask(t, f).Attempt(t.Context(), "7")
	var e *client.Error
	if !errors.As(err, &e) || e.RetryAfter != time.Hour || !e.Retryable() || len(f.all()) != 1 {
		t.Errorf("asked for an hour's rest: %+v, %d requests", e, len(f.all()))
	}
	in := time.Now().Add(90 * time.Minute).UTC().Format(http.TimeFormat)
	f = serve(t, reply{status: 503, header: http.Header{"Retry-After": {in}}})
	if _, err = ask(t, f).Attempt(t.Context(), "7"); !errors.As(err, &e) || e.RetryAfter < time.Hour || len(f.all()) != 1 {
		t.Errorf("asked for rest until %s: %+v, %d requests", in, e, len(f.all()))
	}
	for _, text := range []string{"-1", "99999999999999999999", "soon", "Mon, 01 Jan 2001 00:00:00 GMT"} {
		f = serve(t, reply{status: 429, header: http.Header{"Retry-After": {text}}})
		if _, err = ask(t, f).Attempt(t.Context(), "7"); !errors.As(err, &e) || e.RetryAfter != 0 || len(f.all()) != 3 {
			t.Errorf("Retry-After %q: %+v, %d requests", text, e, len(f.all()))
		}
	}
}

func TestTroubleThatPasses(t *testing.T) {
	good := recorded(t, "attempt_retried")
	var log told
	f := serve(t, cut(""), html(502, "<h1>Bad Gateway"), good)
	c := newClient(t, client.Options{Endpoints: []string{f.URL}, Log: &log})
	a, err := c.Attempt(t.Context(), "34")
	if err != nil || a.ID != "34" || c.Requests() != 3 {
		t.Errorf("%+v, %v, %d requests", a, err, c.Requests())
	}
	if len(log.lines) != 2 || !strings.Contains(log.lines[1], "502 bad gateway") {
		t.Errorf("told: %q", log.lines)
	}
}

// TestContextEndsIt: the caller's own reason comes back, at once.
func TestContextEndsIt(t *testing.T) {
	why := errors.New("the user has had enough")
	for name, r := range map[string]reply{"while it waits for an answer": hang(), "between tries": {status: 503}} {
		ctx, cancel := context.WithCancelCause(t.Context())
		act := r.act
		f := serve(t, reply{act: func(w http.ResponseWriter, r *http.Request) {
			cancel(why)
			if act != nil {
				act(w, r)
				return
			}
			w.WriteHeader(http.StatusServiceUnavailable)
		}})
		c := newClient(t, client.Options{Endpoints: []string{f.URL}, Retry: client.Retry{Wait: time.Minute}})
		if _, err := c.Attempt(ctx, "7"); !errors.Is(err, why) {
			t.Errorf("%s: %v", name, err)
		}
		if c.Requests() != 1 {
			t.Errorf("%s: %d requests", name, c.Requests())
		}
	}
}

func TestHints(t *testing.T) {
	for says, o := range map[string]client.Options{
		`check user "ann" and the password`:                      {User: "ann", Password: "wrong"},
		"a Digdag server takes no empty password":                {User: "ann"},
		"and none with a colon":                                  {User: "ann", Password: "a:b"},
		"check the header Authorization":                         {Headers: map[string]string{"Authorization": "TD1 x"}},
		"answers so to any other kind of Authorization (after 3": {Headers: map[string]string{"authorization": "Bearer x"}},
	} {
		f := serve(t, recorded(t, "error_401"))
		if o.Headers["authorization"] != "" {
			f = serve(t, html(500, page500))
		}
		o.Endpoints = []string{f.URL}
		if _, err := newClient(t, o).Attempt(t.Context(), "7"); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v\nwant %s", err, says)
		}
	}
}
