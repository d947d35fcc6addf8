package dbtest

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Cutter passes connections on to a server and cuts the one that sends a word.
type Cutter struct {
	// Dir is where its socket stands.
	Dir string

	mu sync.Mutex
	// word is what it cuts at, once; answered says that the server gets the word and
	// only its answer is lost.
	word     string
	answered bool
	cuts     int
}

// Arm has it cut the next connection that sends word: before the server gets it, or,
// answered, once the server has answered.
func (c *Cutter) Arm(word string, answered bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.word, c.answered = word, answered
}

// Count is how often it has cut.
func (c *Cutter) Count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cuts
}

// hit disarms the cutter when b holds its word.
func (c *Cutter) hit(b []byte) (cut, answered bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.word == "" || !bytes.Contains(b, []byte(c.word)) {
		return false, false
	}
	c.word = ""
	c.cuts++
	return true, c.answered
}

func (c *Cutter) serve(client, server net.Conn) {
	defer client.Close() //nolint:errcheck // it is cut
	defer server.Close() //nolint:errcheck // it is cut
	var losing sync.Mutex
	answered := make(chan struct{})
	lost := false
	go func() {
		defer client.Close() //nolint:errcheck // it is cut
		defer close(answered)
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if err != nil {
				return
			}
			losing.Lock()
			over := lost
			losing.Unlock()
			if over {
				return
			}
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		cut, late := c.hit(buf[:n])
		if cut && !late {
			return
		}
		if cut {
			losing.Lock()
			lost = true
			losing.Unlock()
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
		if cut {
			<-answered
			return
		}
	}
}

// Through puts something before the server that serves each connection; dial opens
// one to the server. It returns the URL that leads through it, and where its socket
// stands.
func (s *Server) Through(t testing.TB, serve func(client net.Conn, dial func() (net.Conn, error))) (url, dir string) {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "outrider-proxy-") // a short path
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
		_ = os.RemoveAll(dir)
	})
	all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { serve(client, func() (net.Conn, error) { return net.Dial("unix", s.Socket()) }) })
		}
	})
	return strings.Split(s.URL(), "?")[0] + "?host=" + dir, dir
}

// Cut puts a Cutter before the server; url leads through it.
func (s *Server) Cut(t testing.TB) (c *Cutter, url string) {
	t.Helper()
	c = &Cutter{}
	url, c.Dir = s.Through(t, func(client net.Conn, dial func() (net.Conn, error)) {
		server, err := dial()
		if err != nil {
			_ = client.Close()
			return
		}
		c.serve(client, server)
	})
	return c, url
}
