package client_test

import (
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/plugins/digdag/client"
)

func TestEndpoints(t *testing.T) {
	for given, want := range map[string]string{
		"http://h:65432":            "http://h:65432",
		"http://h:65432/":           "http://h:65432",
		"http://h:65432/api":        "http://h:65432",
		"http://h:65432/api/":       "http://h:65432",
		" https://h/digdag/api// ":  "https://h/digdag",
		"https://h/digdag/":         "https://h/digdag",
		"https://h/myapi":           "https://h/myapi",
		"h:65432":                   "http://h:65432",
		"localhost":                 "http://localhost",
		"[::1]:65432":               "http://[::1]:65432",
		"h/sub%20folder/api":        "http://h/sub%20folder",
		"HTTP://H/":                 "http://H",
		"":                          "! is empty; want a URL",
		"ftp://h":                   "! the scheme is ftp; want http or https",
		"http://":                   "! has no host",
		"http://h/?x=1":             "! want no ? and no #",
		"http://h/#x":               "! want no ? and no #",
		"http://ann:geheim@h":       "! the one on h holds a user or password",
		"http://ann:geheim@h:port/": "! is no URL",
	} {
		c, err := client.New(client.Options{Endpoints: []string{given}})
		switch says, wrong := strings.CutPrefix(want, "! "); {
		case wrong:
			if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "geheim") {
				t.Errorf("%q: %v, want … %s", given, err, says)
			}
		case err != nil || c.Endpoint() != want:
			t.Errorf("%q: %v, %v, want %s", given, c, err, want)
		}
	}
}

func TestOptionsThatAreWrong(t *testing.T) {
	at := []string{"h"}
	notes := filepath.Join(t.TempDir(), "notes.txt")
	if err := os.WriteFile(notes, []byte("not a certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for says, o := range map[string]client.Options{
		"endpoints: none given":              {},
		"user: there is a password":          {Endpoints: at, Password: "x"},
		`headers: "X Y" cannot be sent`:      {Endpoints: at, Headers: map[string]string{"X Y": "1"}},
		`headers: "X" cannot be sent`:        {Endpoints: at, Headers: map[string]string{"X": "a\nb"}},
		"timeout: -1ns is less":              {Endpoints: at, Timeout: -1},
		"less than nothing":                  {Endpoints: at, MaxAnswer: -1},
		"ca_file: open /nowhere.pem":         {Endpoints: at, CAFile: "/nowhere.pem"},
		"notes.txt holds no certificate in ": {Endpoints: at, CAFile: notes},
	} {
		if _, err := client.New(o); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want … %s", err, says)
		}
	}
}

// dead is an endpoint on which nothing listens.
func dead() string {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	return s.URL
}

func TestFirstEndpointThatAnswers(t *testing.T) {
	gone, f := dead(), serve(t, recorded(t, "version"))
	var log told
	c := newClient(t, client.Options{Endpoints: []string{gone, f.URL + "/api"}, Log: &log})
	for range 3 {
		if v, err := c.Version(t.Context()); err != nil || v != "0.10.5.1" {
			t.Fatal(v, err)
		}
	}
	if c.Requests() != 4 || c.Endpoint() != f.URL {
		t.Errorf("%d requests, now at %s: a dead endpoint is asked once", c.Requests(), c.Endpoint())
	}
	if len(log.lines) != 1 || !strings.Contains(log.lines[0], gone) || !strings.Contains(log.lines[0], "no connection: ") {
		t.Errorf("told: %q", log.lines)
	}
}

func TestEndpointThatDiesLater(t *testing.T) {
	one, two := serve(t, recorded(t, "version")), serve(t, recorded(t, "version"))
	c := newClient(t, client.Options{Endpoints: []string{one.URL, two.URL}})
	if _, err := c.Version(t.Context()); err != nil || len(two.all()) != 0 {
		t.Fatal(err, two.lines())
	}
	one.Close()
	if _, err := c.Version(t.Context()); err != nil || c.Endpoint() != two.URL {
		t.Error(err, c.Endpoint())
	}
}

func TestNoEndpointAnswers(t *testing.T) {
	one, two := dead(), dead()
	c := newClient(t, client.Options{Endpoints: []string{one, two}})
	_, err := c.Version(t.Context())
	var e *client.Error
	if !errors.As(err, &e) || e.Code != client.CodeUnreachable || e.Sent || e.Tries != 6 || !strings.Contains(err.Error(), "does the server run?") {
		t.Errorf("%v: %+v", err, e)
	}
	c = newClient(t, client.Options{Endpoints: []string{"http://no-such-host.invalid"}})
	if _, err = c.Version(t.Context()); !errors.As(err, &e) || e.Code != client.CodeUnreachable || !strings.Contains(err.Error(), "no-such-host.invalid") {
		t.Errorf("an unknown host: %v", err)
	}
}

// TestAnsweringEndpointStays: what an endpoint refuses, the next would refuse too.
func TestAnsweringEndpointStays(t *testing.T) {
	one, two := serve(t, recorded(t, "error_404_attempt")), serve(t, recorded(t, "version"))
	c := newClient(t, client.Options{Endpoints: []string{one.URL, two.URL}})
	if _, err := c.Attempt(t.Context(), "7"); err == nil || c.Endpoint() != one.URL || len(two.all()) != 0 {
		t.Error(err, c.Endpoint(), two.lines())
	}
}

func TestTLS(t *testing.T) {
	f := &fake{replies: []reply{recorded(t, "version")}}
	f.Server = httptest.NewUnstartedServer(f)
	f.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshakes that fail
	f.StartTLS()
	t.Cleanup(f.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]client.Options{"ca_file": {CAFile: ca}, "insecure": {Insecure: true}} {
		o.Endpoints = []string{f.URL}
		if v, err := newClient(t, o).Version(t.Context()); err != nil || v == "" {
			t.Errorf("%s: %q, %v", name, v, err)
		}
	}
	plain := serve(t, recorded(t, "version"))
	for says, endpoint := range map[string]string{
		"its certificate is not trusted":                     f.URL,
		"it speaks no TLS; is it http":                       "https" + strings.TrimPrefix(plain.URL, "http"),
		"400: Client sent an HTTP request to an HTTPS serve": "http" + strings.TrimPrefix(f.URL, "https"),
	} {
		c := newClient(t, client.Options{Endpoints: []string{endpoint}})
		if _, err := c.Version(t.Context()); err == nil || !strings.Contains(err.Error(), says) || c.Requests() != 1 {
			t.Errorf("%v, %d requests; want … %s", err, c.Requests(), says)
		}
	}
}

func TestWhatIsSentAlong(t *testing.T) {
	f := serve(t, reply{header: http.Header{"Content-Encoding": {"gzip"}}, body: gzipped(recorded(t, "version").body)})
	c := newClient(t, client.Options{
		Endpoints: []string{f.URL + "/digdag/api/"}, User: "ann", Password: "geheim",
		Headers: map[string]string{"X-Tenant": "a", "host": "digdag.example.com"},
	})
	if v, err := c.Version(t.Context()); err != nil || v != "0.10.5.1" {
		t.Fatal(v, err)
	}
	got := f.all()[0]
	if got.URI != "/digdag/api/version" || got.Host != "digdag.example.com" || got.Header.Get("X-Tenant") != "a" ||
		got.Header.Get("Authorization") != "Basic YW5uOmdlaGVpbQ==" || got.Header.Get("Accept-Encoding") != "gzip" || got.Header.Get("Accept") != "application/json" {
		t.Errorf("sent %+v", got)
	}
}
