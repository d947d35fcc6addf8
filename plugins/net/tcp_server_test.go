package main

import (
	"bufio"
	"crypto/tls"
	"encoding/pem"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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

const redisPassword = "correct horse"

// redisDouble is a stand-in for Redis, not one: it gives answers recorded from
// Redis 7.0.15 (Debian's 5:7.0.15-1~deb12u10), over its own protocol, to the
// commands that were asked there. The user monitor may run GET alone.
func redisDouble(requirePass bool) func(int, net.Conn) {
	return func(_ int, c net.Conn) {
		r := bufio.NewReader(c)
		in, user := !requirePass, "default"
		for {
			words, err := readRedisCommand(r)
			if err != nil {
				return
			}
			answer := "-ERR unknown command\r\n"
			switch command := strings.Join(words, " "); {
			case command == "PING" && !in:
				answer = "-NOAUTH Authentication required.\r\n"
			case command == "PING" && user == "monitor":
				answer = "-NOPERM this user has no permissions to run the 'ping' command\r\n"
			case command == "PING":
				answer = "+PONG\r\n"
			case !requirePass && len(words) == 2 && words[0] == "AUTH":
				answer = "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?\r\n"
			case command == "AUTH "+redisPassword, command == "AUTH default "+redisPassword:
				answer, in = "+OK\r\n", true
			case command == "AUTH monitor "+redisPassword:
				answer, in, user = "+OK\r\n", true, "monitor"
			case words[0] == "AUTH":
				answer = "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
			}
			if _, err := io.WriteString(c, answer); err != nil {
				return
			}
		}
	}
}

// readRedisCommand reads an array of bulk strings, of lengths as told.
func readRedisCommand(r *bufio.Reader) ([]string, error) {
	count, err := readRedisNumber(r, "*")
	if err != nil {
		return nil, err
	}
	words := make([]string, count)
	for i := range words {
		length, err := readRedisNumber(r, "$")
		if err != nil {
			return nil, err
		}
		word := make([]byte, length+2)
		if _, err := io.ReadFull(r, word); err != nil {
			return nil, err
		}
		words[i] = strings.TrimSuffix(string(word), "\r\n")
	}
	return words, nil
}

func readRedisNumber(r *bufio.Reader, kind string) (int, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(line, kind), "\r\n"))
}
