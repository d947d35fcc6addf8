package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/outrider-run/outrider/sdk/sdktest"
)

func TestRequestSendsWhatItIsTold(t *testing.T) {
	var got *http.Request
	var body string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		got, body = r, string(raw)
	})
	file := textFile(t, "rows.csv", "a,b\n1,2\n")
	for _, c := range []struct {
		name              string
		params            fields
		contentType, body string
	}{
		{"json", fields{"method": "POST", "json": fields{"id": json.Number("12345678901234567890"), "a": []int{}}}, "application/json", `{"a":[],"id":12345678901234567890}`},
		{"form", fields{"method": "PUT", "form": fields{"a b": "c&d", "e": ""}}, "application/x-www-form-urlencoded", "a+b=c%26d&e="},
		{"file", fields{"method": "POST", "body_file": file, "headers": fields{"content-type": "text/csv"}}, "text/csv", "a,b\n1,2\n"},
		{"empty file", fields{"method": "POST", "body_file": textFile(t, "empty", "")}, "application/octet-stream", ""},
		{"none", fields{"method": "DELETE"}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := output(t, send(t, c.params.with(fields{"url": s.URL + "/a?x=%2F&x=2#part", "query": fields{"q": "ä&b=c", "n": "1"}})))
			if body != c.body || got.Header.Get("Content-Type") != c.contentType || got.Method != c.params["method"] {
				t.Errorf("the server got %s %q of type %q", got.Method, body, got.Header.Get("Content-Type"))
			}
			if !got.Close || got.ContentLength != int64(len(c.body)) {
				t.Errorf("the connection is to be kept: %v, the length is told as %d", !got.Close, got.ContentLength)
			}
			if want := "/a?x=%2F&x=2&n=1&q=%C3%A4%26b%3Dc"; got.RequestURI != want {
				t.Errorf("asked for %s, want %s", got.RequestURI, want)
			}
			if out.Status != 200 || out.URL != s.URL+"/a" || out.Tries != 1 {
				t.Errorf("%+v", out)
			}
		})
	}
	send(t, fields{"url": s.URL, "headers": fields{"host": "other.example", "X-A": "1"}, "secret_headers": fields{"x-token": "hidden-token"}})
	if got.Host != "other.example" || got.Header.Get("X-A") != "1" || got.Header.Get("X-Token") != "hidden-token" {
		t.Errorf("host %s, headers %v", got.Host, got.Header)
	}
}

func TestRequestTakesAnAnswer(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", r.URL.Query().Get("type"))
		w.Header().Add("X-Part", "1")
		w.Header().Add("X-Part", "2")
		_, _ = io.WriteString(w, r.URL.Query().Get("body"))
	})
	for _, c := range []struct{ contentType, body, want string }{
		{"application/json", `{"id": 12345678901234567890, "x": 1.50}`, `"json":{"id":12345678901234567890,"x":1.50},"size":39,`},
		{"application/problem+json; charset=utf-8", `{}`, `"json":{},"size":2,`},
		{"application/json", `null`, `"json":null,"size":4,`},
		{"application/json", `{"a":1,"a":2}`, `"json":{"a":2},"size":13,`},
		{"application/json", `{"a":1} {}`, `"body":"{\"a\":1} {}",`},
		{"text/plain", "é\n", `"body":"é\n",`},
		{"text/plain", "\xff\x00", `"body_base64":"/wA=",`},
		{"text/plain", "", `"size":0,`},
	} {
		query := url.Values{"type": {c.contentType}, "body": {c.body}}.Encode()
		o := send(t, fields{"url": s.URL + "?" + query, "show_headers": []string{"x-part", "X-None"}})
		out := sorted(t, o.Output)
		if o.Err() != nil || !strings.Contains(out, c.want) || !strings.Contains(out, `"headers":{"x-part":"1, 2"}`) {
			t.Errorf("%s %q: %v\n%s, want in it\n%s", c.contentType, c.body, o.Err(), out, c.want)
		}
	}
}

// sorted is the output with its keys in order, numbers as they were.
func sorted(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	if raw == nil {
		return ""
	}
	tree, err := parseJSON(raw)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestRequestTakesValuesOut(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"job": {"id": 9007199254740993, "state": "done", "steps": [{"n": 1}, null]}}`)
	})
	o := send(t, fields{"url": s.URL, "values": fields{"id": "/job/id", "second": "/job/steps/1", "n": "/job/steps/0"}})
	if want := `"values":{"id":9007199254740993,"n":{"n":1},"second":null}`; o.Err() != nil || !strings.Contains(sorted(t, o.Output), want) {
		t.Errorf("%s, %v; want %s", o.Output, o.Err(), want)
	}
	if strings.Contains(string(o.Output), "state") {
		t.Errorf("the body is in the output beside the values: %s", o.Output)
	}
	o = send(t, fields{"url": s.URL, "values": fields{"id": "/job/steps/2/n"}})
	ended(t, o, sdktest.Permanent, "value_missing")
	if want := `values: id: /job/steps/2 leads nowhere: at "/job/steps" there is a list of 2`; !strings.Contains(o.Error, want) {
		t.Errorf("%q, want %q", o.Error, want)
	}
	text := serve(t, ok)
	ended(t, send(t, fields{"url": text.URL, "values": fields{"id": ""}}), sdktest.Permanent, "not_json")
}

func TestRequestJudgesTheStatus(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var n int
		_, _ = fmt.Sscanf(r.URL.Path, "/%d", &n)
		w.WriteHeader(n)
		_, _ = io.WriteString(w, "no such\n\t\x1b[31mjob")
	})
	for _, c := range []struct {
		path, expect string
		state        sdktest.State
		code         string
	}{
		{"/201", "2xx", sdktest.Success, ""},
		{"/404", "2xx,404", sdktest.Success, ""},
		{"/503", "500-599", sdktest.Success, ""},
		{"/201", "200", sdktest.Permanent, "http_201"},
		{"/404", "2xx", sdktest.Permanent, "http_404"},
		{"/429", "2xx", sdktest.Failed, "http_429"},
		{"/500", "2xx", sdktest.Failed, "http_500"},
	} {
		o := send(t, fields{"url": s.URL + c.path, "expect": c.expect, "retries": 0})
		ended(t, o, c.state, c.code)
		if want := "GET " + s.URL + c.path + ": the answer is " + c.path[1:]; o.Err() != nil && !(strings.Contains(o.Error, want) && strings.Contains(o.Error, `it says "no such [31mjob"`)) {
			t.Errorf("the error is %q", o.Error)
		}
	}
}

func TestRequestWritesAnArtifact(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader("a,b\n1,2\n"))
	})
	o := send(t, fields{"url": s.URL, "artifact": "rows.csv", "max_body": "1B"})
	out := output(t, o)
	if string(o.Artifacts["rows.csv"]) != "a,b\n1,2\n" || out.Artifact != "rows.csv" || out.Size != 8 || out.Body != "" {
		t.Errorf("%+v, %q", out, o.Artifacts)
	}
	if last := o.Progress[len(o.Progress)-1]; last.Done != 8 || last.Total != 8 {
		t.Errorf("the last progress is %+v", last)
	}
	o = send(t, fields{"url": s.URL, "artifact": "rows.csv", "max_artifact": "7B"})
	ended(t, o, sdktest.Permanent, "answer_too_large")
	if len(o.Artifacts) > 0 {
		t.Errorf("artifacts %q", o.Artifacts)
	}
	ended(t, send(t, fields{"url": s.URL, "artifact": "../rows.csv"}), sdktest.Permanent, "")
}

func TestRequestRefusesParameters(t *testing.T) {
	asked := new(atomic.Int64)
	s := serve(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	for _, c := range []struct {
		params fields
		want   string
	}{
		{fields{"url": "ftp://example.com/"}, `url: it begins with "ftp:"`},
		{fields{"url": "https://"}, "url: it names no host"},
		{fields{"url": "http://u:topsecret@example.com/"}, "url: a user or password"},
		{fields{"url": "http://a b/?topsecret"}, "url: it cannot be read"},
		{fields{"method": "get"}, `method: "get" is no method`},
		{fields{"method": "GET / HTTP/1.1\r\nX: topsecret"}, "is no method"},
		{fields{"json": 1}, "method: GET has no body"},
		{fields{"method": "POST", "json": 1, "form": fields{"a": "b"}}, "only one of them"},
		{fields{"expect": "2xx, fine"}, `expect: "fine" is no status`},
		{fields{"values": fields{"id": "job"}}, `values: id: "job" is no JSON pointer`},
		{fields{"values": fields{"id": "/a~2"}}, "is no JSON pointer"},
		{fields{"values": fields{"id": "/a"}, "artifact": "a"}, "cannot be taken out of an artifact"},
		{fields{"headers": fields{"X-A": "a\r\nX-B: topsecret"}}, "headers: the value of X-A holds a line break"},
		{fields{"headers": fields{"X-A\r\nX-B": "1"}}, "is no name of a header"},
		{fields{"secret_headers": fields{"Authorization": "topsecret\n"}}, "secret_headers: the value of Authorization holds a line break"},
		{fields{"headers": fields{"Host": "a/b"}}, "the value of Host is no host"},
		{fields{"secret_headers": fields{"Host": "a.example"}}, "Host cannot be secret"},
		{fields{"headers": fields{"content-length": "7"}}, "Content-Length is set by the connection"},
		{fields{"headers": fields{"x-a": "1"}, "secret_headers": fields{"X-A": "2topsecret"}}, "X-A is given twice"},
		{fields{"idempotency_header": "X-A", "headers": fields{"x-a": "1"}}, "idempotency_header:"},
		{fields{"client_key": "topsecret"}, "client_key: it needs client_cert"},
		{fields{"allow_networks": []string{"10.0.0.0/8"}}, "allow_networks: it needs public_only"},
		{fields{"public_only": true, "allow_networks": []string{"10.0.0.1"}}, "is no network"},
	} {
		o := send(t, fields{"url": s.URL}.with(c.params))
		ended(t, o, sdktest.Permanent, "bad_params")
		if !strings.Contains(o.Error, c.want) || strings.Contains(o.Error, "topsecret") {
			t.Errorf("%v: %q, want in it %q and no secret", c.params, o.Error, c.want)
		}
	}
	for _, p := range []fields{
		{"method": "POST", "body_file": "/nowhere/file"},
		{"method": "POST", "body_file": os.TempDir()},
		{"ca_file": "/nowhere/ca.pem"},
		{"ca_file": textFile(t, "ca.pem", "none")},
		{"client_cert": textFile(t, "cert.pem", "none"), "client_key": "topsecret"},
	} {
		o := send(t, fields{"url": s.URL}.with(p))
		ended(t, o, sdktest.Permanent, "")
		if strings.Contains(o.Error, "topsecret") {
			t.Errorf("a secret stands in %q", o.Error)
		}
	}
	if asked.Load() > 0 {
		t.Errorf("%d requests were sent", asked.Load())
	}
}

func TestRequestConforms(t *testing.T) {
	answers := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"a":1}`)
	})
	echo := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = fmt.Fprintf(w, "bad %s %q", r.Header.Get("Authorization"), r.Header.Get("X-Token"))
	})
	hangs := serve(t, hang)
	silent := serveRaw(t, func(_ int, conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	id := newIdentity(t, "127.0.0.1", time.Now().Add(time.Hour))
	secure := serveTLS(t, id, nil, ok)
	secrets := fields{"secret_headers": fields{"Authorization": "Bearer hunter2-hunter2", "X-Token": "to\"ken/+&"}}
	sdktest.Conform(t, httpRequest(),
		sdktest.Case{Params: secrets.with(fields{"url": answers.URL}).json(t)},
		sdktest.Case{Params: secrets.with(fields{"url": secure.URL, "ca_file": id.cert}).json(t)},
		sdktest.Case{Params: secrets.with(fields{"url": answers.URL, "artifact": "a.json"}).json(t)},
		sdktest.Case{Params: secrets.with(fields{"url": echo.URL}).json(t)},
		sdktest.Case{Params: secrets.with(fields{"url": hangs.URL, "try_timeout": "50ms", "retry_wait": "1ms"}).json(t)},
		sdktest.Case{Params: secrets.with(fields{"url": strings.Replace(silent, "http:", "https:", 1), "try_timeout": "50ms", "retries": 1, "retry_wait": "1ms"}).json(t)},
	)
	sdktest.Build(t, ".").Conform(t, "http.request", sdktest.Case{Params: secrets.with(fields{"url": answers.URL}).json(t)})
}
