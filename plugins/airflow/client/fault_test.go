package client_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/outrider-run/outrider/plugins/airflow/client"
)

// TestFaults shows what a caller sees of answers that are none, and how often the
// server was asked. The request is one for pools, which asks for nothing else.
func TestFaults(t *testing.T) {
	type row struct {
		api      int
		reply    reply
		code     string
		says     string
		requests int
	}
	rows := map[string]row{
		"3: 401 no token":      {2, recorded(t, 2, "error-401-no-token"), client.CodeUnauthorized, "401: Not authenticated; check the token", 1},
		"3: 401 expired":       {2, recorded(t, 2, "error-expired-token"), client.CodeUnauthorized, "401: Token Expired; check the token, which may have ended", 1},
		"3: 403 invalid token": {2, recorded(t, 2, "error-401-bad-token"), client.CodeUnauthorized, "403: Invalid JWT token; check the token", 1},
		"3: 403":               {2, recorded(t, 2, "viewer-trigger"), client.CodeForbidden, "403: Forbidden; this user may not", 1},
		"3: 404":               {2, recorded(t, 2, "dag-404"), client.CodeNotFound, "404: The Dag with ID: `none` was not found", 1},
		"3: 404 no route":      {2, recorded(t, 2, "api-unknown-route"), client.CodeNotAirflow, "404: API route not found; is this the base URL of an Airflow", 1},
		"3: 409 object":        {2, recorded(t, 2, "trigger-409-same-id"), client.CodeConflict, "409: Unique constraint violation: Serious error", 1},
		"3: 422 list":          {2, recorded(t, 2, "patch-run-422"), client.CodeBadRequest, "422: body.state: Input should be 'queued', 'success' or 'failed'", 1},
		"3: 422 missing":       {2, recorded(t, 2, "trigger-422-no-logical-date"), client.CodeBadRequest, "422: body.logical_date: Field required", 1},
		"3: 200 HTML":          {2, recorded(t, 2, "unknown-path-html"), client.CodeNotAirflow, "200 ok, with a page instead of a message; is this the base URL of an Airflow (2.3 or later)", 1},
		"2: 403 empty detail":  {1, recorded(t, 1, "error-401-no-auth"), client.CodeUnauthorized, "403 forbidden, as Airflow 2 says of no login and of a wrong one; check the token", 2},
		"2: 403 with words":    {1, recorded(t, 1, "config-403"), client.CodeForbidden, "403: Your Airflow administrator chose not to expose", 1},
		"2: 404":               {1, recorded(t, 1, "dag-404"), client.CodeNotFound, "404: The DAG with dag_id: none was not found", 1},
		"2: 404 empty detail":  {1, reply{status: 404, kind: "application/problem+json", body: `{"detail":null,"status":404,"title":"TaskInstance not found","type":"x"}`}, client.CodeNotFound, "404: TaskInstance not found", 1},
		"2: 404 no route":      {1, recorded(t, 1, "api-unknown-route"), client.CodeNotAirflow, "is this the base URL", 1},
		"2: 404 HTML":          {1, recorded(t, 1, "root-api-v2-version"), client.CodeNotAirflow, "404 not found, with a page instead of a message; is this", 1},
		"2: 409":               {1, recorded(t, 1, "trigger-409-same-id"), client.CodeConflict, "already exists", 1},
		"2: 400":               {1, recorded(t, 1, "patch-run-400"), client.CodeBadRequest, "400: 'nope' is not one of ['success', 'failed', 'queued'] - 'state'", 1},
		"2: 500 HTML":          {1, recorded(t, 1, "trigger-bad-id"), client.CodeServerError, "500 internal server error, with a page instead of a message; the server's log says more (after 3 tries)", 3},
	}
	for name, r := range map[string]row{
		"400 plain":       {0, reply{status: 400, kind: "text/plain", body: "no\nway"}, client.CodeBadRequest, "400: no way", 1},
		"401 HTML":        {0, html(401, "<h1>Log in"), client.CodeUnauthorized, "401 unauthorized, with a page instead of a message", 1},
		"403 of a proxy":  {0, reply{status: 403, body: `{"Message":"User is not authorized"}`}, client.CodeForbidden, "403: User is not authorized", 1},
		"405":             {0, reply{status: 405}, client.CodeNotAirflow, "405 method not allowed; is this", 1},
		"404 empty":       {0, reply{status: 404}, client.CodeNotAirflow, "404 not found; is this", 1},
		"408":             {0, reply{status: 408}, client.CodeServerError, "408 request timeout (after 3 tries)", 3},
		"429":             {0, reply{status: 429, header: http.Header{"Retry-After": {"0"}}}, client.CodeRateLimited, "429 too many requests (after 3 tries)", 3},
		"500 in JSON":     {0, reply{status: 500, body: `{"detail":{"reason":"Database error","message":"see the log"}}`}, client.CodeServerError, "500: Database error: see the log", 3},
		"501":             {0, reply{status: 501}, client.CodeServerError, "501 not implemented", 1},
		"502 HTML":        {0, html(502, "<h1>Bad Gateway"), client.CodeServerError, "502 bad gateway, with a page instead of a message (after 3 tries)", 3},
		"503":             {0, reply{status: 503}, client.CodeServerError, "503 service unavailable (after 3 tries)", 3},
		"302":             {0, reply{status: 302, header: http.Header{"Location": {"https://login.example.com/?token=geheim"}}}, client.CodeNotAirflow, "it redirects to https://login.example.com/; if that is the Airflow server", 1},
		"no type":         {0, reply{header: http.Header{"Content-Type": {""}}, body: " \n<html>"}, client.CodeNotAirflow, "is this the base URL", 1},
		"empty body":      {0, reply{}, client.CodeBadAnswer, "the answer is empty", 1},
		"not JSON":        {0, reply{body: "OK"}, client.CodeBadAnswer, "the answer is not what an Airflow server sends: invalid character 'O'", 1},
		"half of it":      {0, reply{body: `{"pools": [`}, client.CodeBadAnswer, "unexpected end of JSON input", 1},
		"another thing":   {0, reply{body: `{"status":"up"}`}, client.CodeBadAnswer, "is there something between", 1},
		"null":            {0, reply{body: `null`}, client.CodeBadAnswer, "not what an Airflow", 1},
		"no list":         {0, reply{body: `{"pools":null,"total_entries":0}`}, client.CodeBadAnswer, "not what an Airflow", 1},
		"a list of none":  {0, reply{body: `{"pools":[null]}`}, client.CodeBadAnswer, "not what an Airflow", 1},
		"huge":            {0, reply{body: `{"pools":"` + strings.Repeat("x", 2<<20)}, client.CodeTooBig, "the answer is longer than 1.0 MiB", 1},
		"cut at once":     {0, cut(""), client.CodeUnreachable, "the connection was cut before the whole answer was there (after 3 tries)", 3},
		"cut in the body": {0, cut("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"id\":"), client.CodeUnreachable, "the connection was cut before", 3},
		"slow":            {0, hang(), client.CodeTimeout, "no whole answer within 100ms (after 3 tries)", 3},
		"many lines":      {0, reply{status: 400, body: `{"detail":"one\n\ttwo\u001b[31m\u0000three"}`}, client.CodeBadRequest, "400: one two [31m three", 1},
	} {
		for _, api := range []int{1, 2} {
			r.api = api
			rows[string(rune('4'-api))+" too: "+name] = r
		}
	}
	for name, c := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := serve(t, c.api, c.reply)
			o := client.Options{Endpoints: []string{f.URL}, MaxAnswer: 1 << 20, Token: "geheim"}
			k := newClient(t, o)
			if strings.HasSuffix(name, "slow") {
				// The version has to be known: it gets no time either.
				o.Timeout = 100 * time.Millisecond
				k = newClient(t, o)
				for !known(k, t.Context()) {
					continue
				}
			}
			_, err := k.Pools(t.Context())
			var e *client.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if e.Code != c.code || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %s\nwant %s: … %s", e.Code, err, c.code, c.says)
			}
			path := map[int]string{1: "/api/v1/pools", 2: "/api/v2/pools"}[c.api]
			if !strings.HasPrefix(err.Error(), "Airflow at "+f.URL+": GET "+path+": ") || strings.ContainsAny(err.Error(), "\n\t\x1b\x00") || strings.Contains(err.Error(), "geheim") {
				t.Errorf("the error is %q", err)
			}
			if e.Endpoint != f.URL || e.Retryable() != (c.requests == 3 || strings.HasSuffix(name, "501")) {
				t.Errorf("the error is %+v", e)
			}
			n := len(f.all())
			if n > c.requests && strings.HasSuffix(name, "cut at once") {
				n-- // net/http itself asks again, on a connection that it had before
			}
			if n != c.requests {
				t.Errorf("%d requests, want %d: %v", n, c.requests, f.lines())
			}
		})
	}
}

func known(c *client.Client, ctx context.Context) bool {
	_, err := c.Version(ctx)
	return err == nil
}

// TestForbiddenByAirflow2: of the same 403, no login is told from what a user may not do.
func TestForbiddenByAirflow2(t *testing.T) {
	forbidden := recorded(t, 1, "viewer-trigger")
	for name, c := range map[string]struct {
		o       client.Options
		replies []reply
		code    string
		says    string
		asked   int
	}{
		"a viewer":         {client.Options{User: "ann", Password: "x"}, []reply{forbidden, recorded(t, 1, "dags-limit-2-offset-2")}, client.CodeForbidden, "403 forbidden; this user may not do that", 2},
		"a wrong password": {client.Options{User: "ann", Password: "x"}, []reply{forbidden}, client.CodeUnauthorized, `check user "ann" and the password, and that the server's auth_backends have basic_auth`, 2},
		"nobody":           {client.Options{}, []reply{forbidden}, client.CodeUnauthorized, "set user and password, or a token", 1},
		"no answer":        {client.Options{User: "ann", Password: "x"}, []reply{forbidden, {status: 503}}, client.CodeForbidden, "403 forbidden; this user may not do that", 4},
	} {
		f := serve(t, 1, c.replies...)
		c.o.Endpoints = []string{f.URL}
		_, _, err := newClient(t, c.o).Trigger(t.Context(), client.Trigger{DAG: "d", ID: "r"})
		var e *client.Error
		if !errors.As(err, &e) || e.Code != c.code || !strings.Contains(err.Error(), c.says) || e.Path != "/api/v1/dags/d/dagRuns" || len(f.all()) != c.asked {
			t.Errorf("%s: %v, %v", name, err, f.lines())
		}
	}
}

// TestEndlessAnswer: no more is read than may be.
func TestEndlessAnswer(t *testing.T) {
	var sent atomic.Int64
	f := serve(t, 2, reply{act: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		chunk := bytes.Repeat([]byte(" "), 64<<10)
		for r.Context().Err() == nil && sent.Load() < 1<<30 {
			n, err := w.Write(chunk)
			if sent.Add(int64(n)); err != nil {
				return
			}
		}
	}})
	_, err := newClient(t, client.Options{Endpoints: []string{f.URL}, Token: "t", MaxAnswer: 1 << 20}).Pools(t.Context())
	if code(err) != client.CodeTooBig || len(f.all()) != 1 {
		t.Errorf("%v, %d requests", err, len(f.all()))
	}
	f.Close() // waits for the answer's end
	if sent.Load() > 64<<20 {
		t.Errorf("%d bytes were taken", sent.Load())
	}
}

// code is that of a client's error.
func code(err error) string {
	if e, ok := errors.AsType[*client.Error](err); ok {
		return e.Code
	}
	return ""
}

// TestContextEndsIt: the caller's own reason comes back, at once, wherever it waits.
func TestContextEndsIt(t *testing.T) {
	why := errors.New("the user has had enough")
	for name, act := range map[string]http.HandlerFunc{
		"for an answer": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"between tries": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
	} {
		for where, path := range map[string]string{"the version": "/api/v2/version", "a token": "/auth/token", "a request": "/api/v2/pools"} {
			ctx, cancel := context.WithCancelCause(t.Context())
			f := serve(t, 0, reply{act: func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				switch {
				case r.URL.Path == path:
					cancel(why)
					act(w, r)
				case r.URL.Path == "/api/v2/version":
					_, _ = w.Write([]byte(`{"version":"3.3.2"}`))
				default:
					w.WriteHeader(http.StatusCreated)
					_, _ = w.Write([]byte(`{"access_token":"t"}`))
				}
			}})
			c := newClient(t, client.Options{Endpoints: []string{f.URL}, User: "ann", Password: "x", Retry: client.Retry{Wait: time.Minute}})
			if _, err := c.Pools(ctx); !errors.Is(err, why) {
				t.Errorf("%s, %s: %v", name, where, err)
			}
			if at := f.lines(); !strings.Contains(at[len(at)-1], path) {
				t.Errorf("%s, %s: went on with %v", name, where, at)
			}
		}
	}
}

// TestTroubleThatStays: the tries of the first call are told, those of the calls after
// it are not until there was an answer again.
func TestTroubleThatStays(t *testing.T) {
	var log told
	down := reply{status: 503}
	f := serve(t, 2, down, down, down, down, down, down, recorded(t, 2, "pools"), down, recorded(t, 2, "pools"))
	c := newClient(t, client.Options{Endpoints: []string{f.URL}, Token: "t", Log: &log})
	for i, want := range []int{2, 2, 2, 3} { // lines so far; three tries a call
		_, err := c.Pools(t.Context())
		if (err != nil) != (i < 2) || len(log.lines) != want {
			t.Errorf("call %d: %v, told: %q", i+1, err, log.lines)
		}
	}
}

// TestTroubleThatPasses: it is told, and the next endpoint asked.
func TestTroubleThatPasses(t *testing.T) {
	var log told
	gone := serve(t, 2)
	gone.Close()
	f := serve(t, 2, cut(""), html(502, "<h1>Bad Gateway"), recorded(t, 2, "pools"))
	c := newClient(t, client.Options{Endpoints: []string{gone.URL, f.URL + "/api/v2"}, Token: "geheim", Log: &log})
	if pools, err := c.Pools(t.Context()); err != nil || len(pools) != 1 || c.Endpoint() != f.URL {
		t.Errorf("%+v, %v, now at %s", pools, err, c.Endpoint())
	}
	all := strings.Join(log.lines, "\n")
	for _, says := range []string{"an Airflow endpoint does not answer, going on with the next endpoint " + gone.URL, "does the server run?", "502 bad gateway"} {
		if !strings.Contains(all, says) {
			t.Errorf("told: %s\nwant … %s", all, says)
		}
	}
	if strings.Contains(all, "geheim") {
		t.Errorf("told: %s", all)
	}
}
