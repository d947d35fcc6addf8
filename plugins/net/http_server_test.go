package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/sdktest"
)

type fields map[string]any

// with is f and what more says.
func (f fields) with(more fields) fields {
	all := fields{}
	for _, from := range []fields{f, more} {
		for k, v := range from {
			all[k] = v
		}
	}
	return all
}

func (f fields) json(t testing.TB) string {
	t.Helper()
	raw, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func call(t testing.TB, c sdk.Component, params fields, options ...sdktest.Option) sdktest.Outcome {
	t.Helper()
	return sdktest.RunJSON(t, c, params.json(t), options...)
}

// send calls http.request with waits that a test can bear.
func send(t testing.TB, params fields, options ...sdktest.Option) sdktest.Outcome {
	t.Helper()
	return call(t, httpRequest(), fields{"retry_wait": "1ms"}.with(params), options...)
}

func output(t testing.TB, o sdktest.Outcome) (out requestOutput) {
	t.Helper()
	if err := o.Err(); err != nil {
		t.Fatal(err)
	}
	if err := o.Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

// ended fails unless the run ended as said.
func ended(t testing.TB, o sdktest.Outcome, state sdktest.State, code string) {
	t.Helper()
	if o.State != state || o.Code != code {
		t.Errorf("%s, code %q: %s; want %s, %q", o.State, o.Code, o.Error, state, code)
	}
}

func serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// serveRaw answers the nth connection, from 0, with whatever answer writes once it
// has read a request's head. The connection is closed behind it.
func serveRaw(t testing.TB, answer func(n int, conn net.Conn)) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { _ = l.Close(); <-done })
	go func() {
		defer close(done)
		for n := 0; ; n++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 64<<10))
			answer(n, conn)
			_ = conn.Close()
		}
	}()
	return "http://" + l.Addr().String()
}

// hang holds a request until its sender goes away.
func hang(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// identity is a certificate with its key, and the file of an authority that
// vouches for it: itself.
type identity struct {
	pair tls.Certificate
	file string // with both
	cert string
	key  string // PEM
}

func newIdentity(t testing.TB, name string, until time.Time) identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: until.Add(-365 * 24 * time.Hour), NotAfter: until,
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:    []string{name},
	}
	if ip := net.ParseIP(name); ip != nil {
		about.DNSNames, about.IPAddresses = nil, []net.IP{ip}
	}
	der, err := x509.CreateCertificate(rand.Reader, about, about, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	id := identity{key: string(keyPEM)}
	if id.pair, err = tls.X509KeyPair(certPEM, keyPEM); err != nil {
		t.Fatal(err)
	}
	id.cert = textFile(t, "cert.pem", string(certPEM))
	id.file = textFile(t, "both.pem", string(certPEM)+string(keyPEM))
	return id
}

func textFile(t testing.TB, name, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// serveTLS shows id; change may ask for more.
func serveTLS(t testing.TB, id identity, change func(*tls.Config), h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = nil
	s.EnableHTTP2 = true
	s.TLS = &tls.Config{Certificates: []tls.Certificate{id.pair}}
	if change != nil {
		change(s.TLS)
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func ok(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }
