package main

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"crypto/x509"
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

func TestServerHangs(t *testing.T) {
	s := serve(t, hang)
	o := send(t, fields{"url": s.URL, "try_timeout": "50ms", "retries": 1})
	ended(t, o, sdktest.Failed, "timeout")
	if !strings.Contains(o.Error, "a try may take 50ms") || !strings.Contains(o.Error, "(after 2 tries)") {
		t.Errorf("the error is %q", o.Error)
	}
	o = send(t, fields{"url": s.URL, "timeout": "50ms"})
	ended(t, o, sdktest.Failed, "timeout")
	if !strings.Contains(o.Error, "no answer within 50ms") {
		t.Errorf("the error is %q", o.Error)
	}
	// A server that takes the connection and says nothing, before TLS.
	silent := serveRaw(t, func(_ int, conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	ended(t, send(t, fields{"url": strings.Replace(silent, "http:", "https:", 1), "try_timeout": "50ms", "retries": 0}), sdktest.Failed, "timeout")
}

func TestServerAnswersByteByByte(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			if _, err := io.WriteString(w, "."); err != nil || http.NewResponseController(w).Flush() != nil {
				return
			}
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			}
		}
	})
	for _, p := range []fields{{}, {"artifact": "a"}} {
		o := send(t, p.with(fields{"url": s.URL, "try_timeout": "100ms", "retries": 1}))
		ended(t, o, sdktest.Failed, "timeout")
		if !strings.Contains(o.Error, "(after 2 tries)") || len(o.Artifacts) > 0 {
			t.Errorf("%q, artifacts %q", o.Error, o.Artifacts)
		}
	}
}

func TestServerCutsInTheMiddle(t *testing.T) {
	head := "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
	for _, c := range []struct{ name, answer, code string }{
		{"nothing", "", "incomplete"},
		{"status line", "HTTP/1.1 20", "connection"}, // no status at all
		{"headers", head, "incomplete"},
		{"length", head + "Content-Length: 100\r\n\r\nhalf", "incomplete"},
		{"chunk", head + "Transfer-Encoding: chunked\r\n\r\n64\r\nhalf", "incomplete"},
		{"gzip", head + "Content-Encoding: gzip\r\nConnection: close\r\n\r\n" + string(zipped("half of it")[:15]), "incomplete"},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := serveRaw(t, func(_ int, conn net.Conn) { _, _ = io.WriteString(conn, c.answer) })
			o := send(t, fields{"url": u, "retries": 1})
			ended(t, o, sdktest.Failed, c.code)
			if !strings.Contains(o.Error, "(after 2 tries)") {
				t.Errorf("the error is %q", o.Error)
			}
			// What was written of a first try is not in the artifact of the second.
			mended := serveRaw(t, func(n int, conn net.Conn) {
				if n == 0 {
					_, _ = io.WriteString(conn, c.answer)
				} else {
					_, _ = io.WriteString(conn, head+"Content-Length: 5\r\n\r\nwhole")
				}
			})
			o = send(t, fields{"url": mended, "artifact": "a"})
			if out := output(t, o); out.Tries != 2 || string(o.Artifacts["a"]) != "whole" {
				t.Errorf("%+v, artifact %q", out, o.Artifacts["a"])
			}
		})
	}
}

// The length that a server tells is where its answer ends (RFC 9112, 6.3).
func TestServerSendsMoreThanItSays(t *testing.T) {
	u := serveRaw(t, func(_ int, conn net.Conn) {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole and more")
	})
	if out := output(t, send(t, fields{"url": u})); out.Body != "whole" || out.Size != 5 {
		t.Errorf("%+v", out)
	}
	for _, length := range []string{"-1", "five", "5\r\nContent-Length: 6", "99999999999999999999"} {
		u := serveRaw(t, func(_ int, conn net.Conn) {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: "+length+"\r\n\r\nwhole")
		})
		ended(t, send(t, fields{"url": u, "retries": 0}), sdktest.Failed, "connection")
	}
}

func TestServerSendsTooMuch(t *testing.T) {
	told := serveRaw(t, func(_ int, conn net.Conn) {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\nbegins")
		_, _ = io.Copy(io.Discard, conn) // until the other side closes
	})
	sent := new(atomic.Int64)
	endless := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for block := make([]byte, 64<<10); ; {
			n, err := w.Write(block)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	bomb := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(zipped(strings.Repeat("0", 32<<20)))
	})
	for name, u := range map[string]string{"told": told, "endless": endless.URL, "bomb": bomb.URL} {
		for _, p := range []fields{{"max_body": "1MiB"}, {"artifact": "a", "max_artifact": "1MiB"}} {
			o := send(t, p.with(fields{"url": u}))
			ended(t, o, sdktest.Permanent, "answer_too_large")
			if !strings.Contains(o.Error, "allows 1MiB") || len(o.Artifacts) > 0 {
				t.Errorf("%s: %q, artifacts %d", name, o.Error, len(o.Artifacts))
			}
		}
	}
	// Beyond the limit there is only what the kernel held on the way, twice.
	if sent.Load() > 64<<20 {
		t.Errorf("the endless server could send %d bytes", sent.Load())
	}
	headers := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("x", 2<<20))
	})
	ended(t, send(t, fields{"url": headers.URL, "retries": 0}), sdktest.Failed, "connection")
}

func zipped(text string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, text)
	_ = z.Close()
	return b.Bytes()
}

func TestServerSendsBadGzip(t *testing.T) {
	good := zipped(strings.Repeat("good", 1000))
	changed := func(at int) []byte {
		b := bytes.Clone(good)
		b[at] ^= 0xff
		return b
	}
	for name, c := range map[string]struct {
		body []byte
		ok   bool
	}{
		"good": {good, true}, "no gzip at all": {[]byte("plain text, longer than a header"), false},
		"data": {changed(len(good) / 2), false}, "checksum": {changed(len(good) - 8), false},
	} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(c.body)
		})
		o := send(t, fields{"url": s.URL})
		if c.ok {
			if out := output(t, o); out.Size != 4000 {
				t.Errorf("%s: %+v", name, out)
			}
			continue
		}
		ended(t, o, sdktest.Permanent, "bad_encoding")
	}
}

func TestServerRedirectsForEver(t *testing.T) {
	asked := new(atomic.Int64)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		http.Redirect(w, r, "/again?token=topsecret", http.StatusFound)
	})
	o := send(t, fields{"url": s.URL, "redirects": 4})
	ended(t, o, sdktest.Permanent, "too_many_redirects")
	if asked.Load() != 5 || strings.Contains(o.Error, "topsecret") || !strings.Contains(o.Error, "/again") {
		t.Errorf("%d requests, error %q", asked.Load(), o.Error)
	}
	out := output(t, send(t, fields{"url": s.URL, "redirects": 0, "expect": "302", "show_headers": []string{"Location"}}))
	if out.Status != 302 || out.Headers["Location"] == "" {
		t.Errorf("%+v", out)
	}
	elsewhere := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "file:///etc/passwd")
		w.WriteHeader(http.StatusFound)
	})
	ended(t, send(t, fields{"url": elsewhere.URL}), sdktest.Permanent, "bad_redirect")
}

func TestRedirectTellsNoSecretToAnotherHost(t *testing.T) {
	secret := []string{"Authorization", "Cookie", "X-Token", "Referer"}
	var first, second *httptest.Server
	seen := map[string]http.Header{}
	first = serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen[r.URL.Path] = r.Header
		switch r.URL.Path {
		case "/start":
			http.Redirect(w, r, "/same", http.StatusTemporaryRedirect)
		case "/same":
			http.Redirect(w, r, second.URL+"/other", http.StatusTemporaryRedirect)
		}
	})
	second = serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen[r.URL.Path] = r.Header
		http.Redirect(w, r, first.URL+"/back", http.StatusTemporaryRedirect)
	})
	out := output(t, send(t, fields{
		"url": first.URL + "/start", "method": "POST", "form": fields{"a": "b"},
		"headers":        fields{"Cookie": "a=b", "X-Plain": "1"},
		"secret_headers": fields{"Authorization": "Bearer hunter2", "X-Token": "hunter3"},
	}))
	if out.URL != first.URL+"/back" {
		t.Errorf("ended at %s", out.URL)
	}
	for path, told := range map[string]int{"/start": 3, "/same": 4, "/other": 0, "/back": 0} {
		n := 0
		for _, name := range secret {
			if seen[path].Get(name) != "" {
				n++
			}
		}
		if n != told || seen[path].Get("X-Plain") != "1" {
			t.Errorf("%s: %d of them are told, want %d: %v", path, n, told, seen[path])
		}
	}
}

// Linux has the whole of 127.0.0.0/8 on its loopback.
func TestPublicOnlyHoldsForRedirects(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	reached := new(atomic.Int64)
	private := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	_ = private.Listener.Close()
	private.Listener = l
	private.Start()
	t.Cleanup(private.Close)
	open := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/to-private" {
			http.Redirect(w, r, private.URL, http.StatusFound)
		}
	})
	_, port, _ := net.SplitHostPort(l.Addr().String())
	allowed := []string{"127.0.0.1/32"}
	output(t, send(t, fields{"url": open.URL, "public_only": true, "allow_networks": allowed}))
	for name, p := range map[string]fields{
		"redirect":    {"url": open.URL + "/to-private", "allow_networks": allowed},
		"address":     {"url": private.URL},
		"name":        {"url": "http://localhost:" + port},
		"mapped":      {"url": "http://[::ffff:127.0.0.2]:" + port},
		"other forms": {"url": "http://[::1]:" + port},
	} {
		o := send(t, p.with(fields{"public_only": true}))
		ended(t, o, sdktest.Permanent, "private_address")
		if !strings.Contains(o.Error, "public_only") {
			t.Errorf("%s: %q", name, o.Error)
		}
	}
	if reached.Load() > 0 {
		t.Errorf("the private server was reached")
	}
}

func TestPublicOnlyRefusesAProxy(t *testing.T) {
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(w, "for ", r.URL) })
	bin := sdktest.Build(t, ".")
	bin.Env = []string{"HTTP_PROXY=" + proxy.URL}
	o := bin.Run(t, "http.request", fields{"url": "http://outrider.invalid/"}.json(t))
	if out := output(t, o); out.Body != "for http://outrider.invalid/" {
		t.Errorf("%+v", out)
	}
	ended(t, bin.Run(t, "http.request", fields{"url": "http://outrider.invalid/", "public_only": true}.json(t)), sdktest.Permanent, "proxy")
}

func TestCertificates(t *testing.T) {
	good := newIdentity(t, "127.0.0.1", time.Now().Add(30*24*time.Hour))
	expired := newIdentity(t, "127.0.0.1", time.Now().Add(-time.Hour))
	named := newIdentity(t, "db.example", time.Now().Add(time.Hour))
	client := newIdentity(t, "client.example", time.Now().Add(time.Hour))
	clients := x509.NewCertPool()
	clients.AddCert(client.pair.Leaf)
	server := serveTLS(t, good, nil, ok).URL
	old := serveTLS(t, expired, nil, ok).URL
	other := serveTLS(t, named, nil, ok).URL
	mutual := serveTLS(t, good, func(c *tls.Config) { c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, clients }, ok).URL
	plain := serve(t, ok).URL
	for _, c := range []struct {
		name   string
		params fields
		code   string
		says   string
	}{
		{"trusted", fields{"url": server, "ca_file": good.cert}, "", ""},
		{"unknown authority", fields{"url": server}, "bad_certificate", "unknown authority"},
		{"expired", fields{"url": old, "ca_file": expired.cert}, "bad_certificate", "has expired"},
		{"expired, insecure", fields{"url": old, "insecure": true}, "", ""},
		{"another name", fields{"url": other, "ca_file": named.cert}, "bad_certificate", "127.0.0.1"},
		{"that name", fields{"url": other, "ca_file": named.cert, "server_name": "db.example"}, "", ""},
		{"no client certificate", fields{"url": mutual, "ca_file": good.cert}, "tls", "certificate"},
		{"client certificate", fields{"url": mutual, "ca_file": good.cert, "client_cert": client.file}, "", ""},
		{"its key apart", fields{"url": mutual, "ca_file": good.cert, "client_cert": client.cert, "client_key": client.key}, "", ""},
		{"no TLS", fields{"url": strings.Replace(plain, "http:", "https:", 1)}, "tls", "HTTP response"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := send(t, c.params)
			if c.code == "" {
				output(t, o)
				return
			}
			ended(t, o, sdktest.Permanent, c.code)
			if !strings.Contains(o.Error, c.says) {
				t.Errorf("the error is %q", o.Error)
			}
		})
	}
}

func TestNameIsUnknown(t *testing.T) {
	ended(t, send(t, fields{"url": "http://outrider.invalid/", "retries": 1}), sdktest.Failed, "dns")
}

// What a server says back is not a way for a secret into an error.
func TestErrorsHoldNoSecret(t *testing.T) {
	for name, answer := range map[string]string{
		"body":     "HTTP/1.1 403 No\r\n\r\nyour token is hunter2-hunter2 (aHVudGVyMi1odW50ZXIy), password swordfish",
		"location": "HTTP/1.1 302 Found\r\nLocation: ftp-hunter2-hunter2://x/\r\n\r\n",
		"garbage":  "hunter2-hunter2\r\n\r\n",
		"header":   "HTTP/1.1 200 OK\r\nhunter2-hunter2\r\n\r\n",
	} {
		u := serveRaw(t, func(_ int, conn net.Conn) { _, _ = io.WriteString(conn, answer) })
		o := send(t, fields{"url": u + "/?sig=topsecret", "retries": 1, "secret_headers": fields{"X-Token": "Bearer hunter2-hunter2", "Authorization": "Basic Ym9iOnN3b3JkZmlzaA=="}})
		texts := o.Error + fmt.Sprint(o.Logs)
		for _, secret := range []string{"hunter2", "aHVudGVy", "swordfish", "topsecret"} {
			if o.Err() == nil || strings.Contains(texts, secret) {
				t.Errorf("%s: %s", name, texts)
			}
		}
	}
}
