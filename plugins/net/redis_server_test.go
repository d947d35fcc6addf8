package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

const redisPassword = "correct horse"

// redisServer starts a real Redis for one test and returns its address. With
// requirePass the user monitor may run GET alone.
func redisServer(t *testing.T, requirePass bool) (address string) {
	t.Helper()
	if testing.Short() {
		t.Skip("it needs a Redis")
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = free.Addr().String()
	_ = free.Close()
	_, port, _ := net.SplitHostPort(address)
	config := fmt.Sprintf("bind 127.0.0.1\nport %s\nsave \"\"\ndir %s\n", port, t.TempDir())
	if requirePass {
		config += fmt.Sprintf("requirepass \"%s\"\nuser monitor on \">%s\" -@all +get\n", redisPassword, redisPassword)
	}
	file := filepath.Join(t.TempDir(), "redis.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("redis-server", file)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatalf("start a Redis: %v", err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		_ = log.Close()
	})
	for {
		if c, err := net.Dial("tcp", address); err == nil {
			_ = c.Close()
			return address
		}
		select {
		case <-ended:
			text, _ := os.ReadFile(log.Name())
			t.Fatalf("Redis ended: %s", text)
		case <-t.Context().Done():
			t.Fatal("the test ended before Redis was there")
		case <-time.After(10 * time.Millisecond): // until the next look
		}
	}
}

// through hands each connection on to a server.
func through(address string) func(int, net.Conn) {
	return func(_ int, c net.Conn) {
		server, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		defer func() { _ = server.Close() }()
		go func() {
			_, _ = io.Copy(server, c)
			_ = server.Close()
		}()
		_, _ = io.Copy(c, server)
	}
}
