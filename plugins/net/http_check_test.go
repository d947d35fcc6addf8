package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/outrider-run/outrider/sdk/sdktest"
)

func look(t *testing.T, params fields, options ...sdktest.Option) (checkOutput, sdktest.Outcome) {
	t.Helper()
	o := call(t, httpCheck(), params, options...)
	var out checkOutput
	if o.Err() == nil {
		if err := o.Decode(&out); err != nil {
			t.Fatal(err)
		}
	}
	return out, o
}

func TestCheckHolds(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "all systems go") })
	out, o := look(t, fields{"url": s.URL + "/health?key=a", "match": "systems (go|up)", "max_latency": "1h"})
	if o.Err() != nil || out.Status != 200 || out.URL != s.URL+"/health" || out.LatencyMS <= 0 || out.CertDays != nil || out.Looks != 1 {
		t.Errorf("%+v, %v", out, o.Err())
	}
}

func TestCheckTellsAllThatDoesNotHold(t *testing.T) {
	slow := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(2 * time.Millisecond) // twice what is allowed
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "down for a while")
	})
	_, o := look(t, fields{"url": slow.URL + "/?key=topsecret", "match": "^up", "max_latency": "1ms", "min_cert_days": 1, "max_body": "4B"})
	ended(t, o, sdktest.Failed, "check_failed")
	for _, want := range []string{
		"GET " + slow.URL, "the status is 503, want 2xx", "the most is 1ms",
		`"^up" is not in the first 4 bytes`, "min_cert_days: the server, reached without TLS, shows no certificate",
	} {
		if !strings.Contains(o.Error, want) {
			t.Errorf("%q is not in %q", want, o.Error)
		}
	}
	if strings.Contains(o.Error, "topsecret") {
		t.Errorf("the query stands in %q", o.Error)
	}
	hangs := serve(t, hang)
	_, o = look(t, fields{"url": hangs.URL, "try_timeout": "20ms"})
	ended(t, o, sdktest.Failed, "timeout")
	u := serveRaw(t, func(_ int, conn net.Conn) {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
	})
	_, o = look(t, fields{"url": u, "match": "half"})
	ended(t, o, sdktest.Failed, "incomplete")
}

func TestCheckCountsTheCertificatesDays(t *testing.T) {
	days := func(n int) identity {
		return newIdentity(t, "127.0.0.1", time.Now().Add(time.Duration(n)*24*time.Hour+12*time.Hour))
	}
	good, expired := days(20), days(-3)
	s, old := serveTLS(t, good, nil, ok), serveTLS(t, expired, nil, ok)
	out, o := look(t, fields{"url": s.URL, "ca_file": good.cert, "min_cert_days": 20})
	if o.Err() != nil || out.CertDays == nil || *out.CertDays < 20 || *out.CertDays > 20.5 {
		t.Errorf("%+v, %v", out, o.Err())
	}
	_, o = look(t, fields{"url": s.URL, "ca_file": good.cert, "min_cert_days": 21})
	ended(t, o, sdktest.Failed, "check_failed")
	if !strings.Contains(o.Error, "more days, the least is 21") {
		t.Errorf("the error is %q", o.Error)
	}
	_, o = look(t, fields{"url": old.URL, "ca_file": expired.cert})
	ended(t, o, sdktest.Failed, "bad_certificate")
	_, o = look(t, fields{"url": old.URL, "insecure": true, "min_cert_days": 0})
	ended(t, o, sdktest.Failed, "check_failed")
	if !strings.Contains(o.Error, "the certificate holds for -2.") {
		t.Errorf("the error is %q", o.Error)
	}
}

func TestCheckWaits(t *testing.T) {
	asked := new(atomic.Int64)
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) < 4 {
			w.WriteHeader(http.StatusBadGateway)
		}
	})
	out, o := look(t, fields{"url": s.URL, "wait": "1h", "every": "1ms"})
	if o.Err() != nil || out.Looks != 4 || asked.Load() != 4 {
		t.Errorf("%+v, %v, %d requests", out, o.Err(), asked.Load())
	}
	told := 0
	for _, l := range o.Logs {
		if l.Message == "does not hold" {
			told++
		}
	}
	if told != 1 || len(o.Progress) == 0 || !strings.Contains(o.Progress[0].Note, "look 1: GET "+s.URL) {
		t.Errorf("the same reason is logged %d times, progress %+v", told, o.Progress)
	}
}

// A server that comes up while it is waited for.
func TestCheckWaitsForAServerToStart(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	var s *httptest.Server
	defer func() { s.Close() }()
	out, o := look(t, fields{"url": "http://" + addr, "wait": "1h", "every": "1ms"}, sdktest.OnLog(func(line sdktest.Line) {
		if s != nil || line.Message != "does not hold" {
			return
		}
		s = httptest.NewUnstartedServer(http.HandlerFunc(ok))
		_ = s.Listener.Close()
		if s.Listener, err = net.Listen("tcp", addr); err != nil {
			t.Error(err)
			return
		}
		s.Start()
	}))
	if o.Err() != nil || out.Looks < 2 {
		t.Errorf("%+v, %v", out, o.Err())
	}
}

func TestCheckGivesUp(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	_, o := look(t, fields{"url": s.URL, "wait": "50ms", "every": "1ms"})
	ended(t, o, sdktest.Failed, "check_failed")
	if !strings.Contains(o.Error, "not so within 50ms, after ") || !strings.Contains(o.Error, "the status is 502") {
		t.Errorf("the error is %q", o.Error)
	}
	hangs := serve(t, hang)
	_, o = look(t, fields{"url": hangs.URL, "wait": "50ms", "try_timeout": "20ms", "every": "1ms"})
	ended(t, o, sdktest.Failed, "timeout")
}

func TestCheckRefusesParameters(t *testing.T) {
	for _, c := range []struct {
		params fields
		want   string
	}{
		{fields{"match": "("}, "match: error parsing regexp"},
		{fields{"expect": "up"}, "expect:"},
		{fields{"method": "x y"}, "method:"},
		{fields{"url": "example.com"}, "url:"},
	} {
		_, o := look(t, fields{"url": "http://127.0.0.1"}.with(c.params))
		ended(t, o, sdktest.Permanent, "bad_params")
		if !strings.Contains(o.Error, c.want) {
			t.Errorf("%q, want in it %q", o.Error, c.want)
		}
	}
	_, o := look(t, fields{"url": "http://127.0.0.1", "ca_file": "/nowhere/ca.pem", "wait": "1h"})
	ended(t, o, sdktest.Permanent, "")
}

func TestCheckConforms(t *testing.T) {
	id := newIdentity(t, "127.0.0.1", time.Now().Add(time.Hour))
	up, secure, hangs := serve(t, ok), serveTLS(t, id, nil, ok), serve(t, hang)
	echo := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "ftp://"+r.Header.Get("X-Token"))
		w.WriteHeader(http.StatusFound)
		_, _ = fmt.Fprint(w, r.Header)
	})
	secrets := fields{"secret_headers": fields{"X-Token": "hunter2-hunter2"}}
	sdktest.Conform(t, httpCheck(),
		sdktest.Case{Params: secrets.with(fields{"url": up.URL, "match": "ok"}).json(t)},
		sdktest.Case{Params: secrets.with(fields{"url": secure.URL, "ca_file": id.cert}).json(t)},
		sdktest.Case{Params: secrets.with(fields{"url": echo.URL, "wait": "20ms", "every": "1ms"}).json(t)},
		sdktest.Case{Params: secrets.with(fields{"url": hangs.URL, "wait": "1s", "try_timeout": "5ms", "every": "1ms"}).json(t)},
	)
	sdktest.Build(t, ".").Conform(t, "http.check", sdktest.Case{Params: secrets.with(fields{"url": up.URL}).json(t)})
}
