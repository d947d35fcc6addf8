package main

import (
	"crypto/tls"
	"encoding/pem"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// tcpServer answers each connection, the nth from 1, with serve, and closes it
// then. It ends with the test.
func tcpServer(t *testing.T, serve func(n int, c net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return tcpServeOn(t, l, serve)
}

func tcpServeOn(t *testing.T, l net.Listener, serve func(n int, c net.Conn)) (address string) {
	t.Helper()
	var all sync.WaitGroup
	all.Go(func() {
		for n := 1; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return // closed below
			}
			all.Go(func() {
				defer c.Close()
				serve(n, c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		all.Wait()
	})
	return l.Addr().String()
}

// tcpRefused is an address that nobody listens on.
func tcpRefused(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// tcpTLS makes serve's server speak TLS, with a certificate for 127.0.0.1 and
// example.com that caFile vouches for.
func tcpTLS(t *testing.T, serve func(n int, c net.Conn)) (address, caFile string) {
	t.Helper()
	source := httptest.NewTLSServer(nil) // has such a certificate
	t.Cleanup(source.Close)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: source.TLS.Certificates})
	if err != nil {
		t.Fatal(err)
	}
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: source.Certificate().Raw})
	if err := os.WriteFile(caFile, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return tcpServeOn(t, l, serve), caFile
}

// tcpSilent reads until the other side closes.
func tcpSilent(_ int, c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// tcpSays says text and stays.
func tcpSays(text string) func(int, net.Conn) {
	return func(n int, c net.Conn) {
		_, _ = io.WriteString(c, text)
		tcpSilent(n, c)
	}
}
