package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/outrider-run/outrider/sdk/sdktest"
)

// flaky refuses the first requests with status and counts all.
func flaky(t *testing.T, refuse int64, status int) (s *httptest.Server, asked *atomic.Int64, keys *[]string) {
	asked, keys = new(atomic.Int64), new([]string)
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		*keys = append(*keys, r.Header.Get("Idempotency-Key"))
		if asked.Add(1) <= refuse {
			w.WriteHeader(status)
			return
		}
		_, _ = w.Write(raw)
	}), asked, keys
}

func TestRequestTriesAgain(t *testing.T) {
	file := textFile(t, "body", strings.Repeat("row\n", 1000))
	for _, c := range []struct {
		name   string
		params fields
		tries  int64 // of a server that refuses two with 502
		ok     bool
	}{
		{"GET", fields{"method": "GET"}, 3, true},
		{"PUT of a file", fields{"method": "PUT", "body_file": file}, 3, true},
		{"GET, too few retries", fields{"method": "GET", "retries": 1}, 2, false},
		{"POST", fields{"method": "POST", "json": 1}, 1, false},
		{"POST with the run's key", fields{"method": "POST", "body_file": file, "idempotency_header": "Idempotency-Key"}, 3, true},
		{"POST with a key", fields{"method": "POST", "json": 1, "headers": fields{"idempotency-key": "mine"}}, 3, true},
		{"PATCH", fields{"method": "PATCH", "json": 1}, 1, false},
	} {
		for _, status := range []int{502, 429} {
			s, asked, keys := flaky(t, 2, status)
			if status == 429 && c.params["retries"] == nil { // it has surely not been done
				c.tries, c.ok = 3, true
			}
			o := send(t, c.params.with(fields{"url": s.URL}), sdktest.Key("orders/2026-03"))
			if asked.Load() != c.tries || (o.Err() == nil) != c.ok {
				t.Errorf("%s, %d: %d tries, %v", c.name, status, asked.Load(), o.Err())
			}
			if c.params["body_file"] != nil && output(t, o).Size != 4000 {
				t.Errorf("%s: the last try did not send the whole file: %s", c.name, o.Output)
			}
			if c.params["idempotency_header"] != nil && (len((*keys)[0]) != 64 || !reflect.DeepEqual(*keys, slices.Repeat((*keys)[:1], 3))) {
				t.Errorf("%s: the keys are %q", c.name, *keys)
			}
			if c.params["method"] == "POST" && !c.ok && strings.Contains(o.Error, "set idempotency_header") != (status == 502) {
				t.Errorf("%s, %d: %s", c.name, status, o.Error)
			}
		}
	}
}

func TestRequestTriesAgainAfterAConnectionError(t *testing.T) {
	answer := func(n int, conn net.Conn) {
		if n > 0 {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	}
	if out := output(t, send(t, fields{"url": serveRaw(t, answer)})); out.Tries != 2 || out.Body != "ok" {
		t.Errorf("%+v", out)
	}
	o := send(t, fields{"url": serveRaw(t, answer), "method": "POST", "json": 1})
	ended(t, o, sdktest.Failed, "incomplete")
	if !strings.Contains(o.Error, "the server may have done it all the same") {
		t.Errorf("%q does not say that it is in doubt", o.Error)
	}
	nobody := httptest.NewServer(nil)
	nobody.Close()
	o = send(t, fields{"url": nobody.URL, "retries": 2})
	ended(t, o, sdktest.Failed, "unreachable")
	if !strings.Contains(o.Error, "(after 3 tries)") {
		t.Errorf("%q does not tell the tries", o.Error)
	}
}

func TestRequestHonoursRetryAfter(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	// There is time for the wait: it begins.
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	waits := ""
	o := send(t, fields{"url": s.URL, "timeout": "2h"}, sdktest.Context(ctx), sdktest.OnLog(func(l sdktest.Line) {
		if l.Message == "trying again" {
			waits = fmt.Sprint(l.Fields["wait"])
			cancel(errors.New("seen enough"))
		}
	}))
	ended(t, o, sdktest.Cancelled, "")
	if waits != "1h0m0s" {
		t.Errorf("it waits for %q", waits)
	}
	// There is none: the host is told.
	o = send(t, fields{"url": s.URL, "timeout": "1m"})
	ended(t, o, sdktest.Failed, "http_429")
	if o.RetryAfter.Hours() != 1 {
		t.Errorf("a retry may help after %s", o.RetryAfter)
	}
}

// TestAPostIsRepeatedWhereItWasSurelyNotDone, and nowhere else.
func TestAPostIsRepeatedWhereItWasSurelyNotDone(t *testing.T) {
	nobody := httptest.NewServer(nil)
	nobody.Close()
	hangs := serve(t, hang)
	id := newIdentity(t, "127.0.0.1", time.Now().Add(time.Hour))
	hangsInTLS := serveTLS(t, id, nil, hang)
	noTLS := serveRaw(t, func(_ int, conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	cut := serveRaw(t, func(int, net.Conn) {})
	to := func(status int, u string) string {
		return serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, u, status) }).URL
	}
	for _, c := range []struct {
		name, url, code string
		tries           int
	}{
		{"nobody listens", nobody.URL, "unreachable", 3},
		{"no such name", "http://outrider.invalid/", "dns", 3},
		{"hangs before the request", strings.Replace(noTLS, "http:", "https:", 1), "timeout", 3},
		{"hangs", hangs.URL, "timeout", 1},
		{"hangs, HTTP/2", hangsInTLS.URL, "timeout", 1},
		{"cut", cut, "incomplete", 1},
		{"handed on to nobody", to(307, nobody.URL), "unreachable", 3},
		{"handed on for good to nobody", to(308, nobody.URL), "unreachable", 3},
		{"handed on and cut", to(307, cut), "incomplete", 1},
		{"done, its answer is at nobody's", to(303, nobody.URL), "unreachable", 1},
		{"done, or so net/http takes it", to(302, nobody.URL), "unreachable", 1},
		{"handed on, done, nobody", to(307, to(303, nobody.URL)), "unreachable", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			patience := "2s" // the connection has to be made by then
			if c.tries > 1 {
				patience = "50ms"
			}
			o := send(t, fields{"url": c.url, "method": "POST", "json": 1, "retries": 2, "try_timeout": patience, "ca_file": id.cert})
			ended(t, o, sdktest.Failed, c.code)
			if told := strings.Contains(o.Error, fmt.Sprintf("(after %d tries)", c.tries)); told != (c.tries > 1) {
				t.Errorf("the error is %q, want %d tries", o.Error, c.tries)
			}
			if doubt := strings.Contains(o.Error, "the server may have done it all the same"); doubt != (c.tries == 1) {
				t.Errorf("the error is %q", o.Error)
			}
		})
	}
}

// TestEveryRequestHasItsKey: calls of one task, which has one key, that ask for
// different things.
func TestEveryRequestHasItsKey(t *testing.T) {
	s, _, keys := flaky(t, 0, 0)
	base := fields{"method": "POST", "url": s.URL, "json": fields{"table": "orders"}, "idempotency_header": "Idempotency-Key"}
	for _, call := range []struct {
		key    string
		change fields
	}{
		{"k", nil},
		{"k", fields{"json": fields{"table": "items"}}},
		{"k", fields{"method": "PUT"}},
		{"k", fields{"url": s.URL + "/other"}},
		{"k", fields{"query": fields{"a": "1"}}},
		{"überall\n", nil},
		{"k", nil}, // the first again
	} {
		o := send(t, base.with(call.change), sdktest.Key(call.key))
		ended(t, o, sdktest.Success, "")
	}
	all := *keys
	last := len(all) - 1
	if all[0] != all[last] {
		t.Errorf("one request has the keys %q and %q", all[0], all[last])
	}
	if different := slices.Compact(slices.Sorted(slices.Values(all))); len(different) != last {
		t.Errorf("%d different requests have %d keys", last, len(different))
	}
}
