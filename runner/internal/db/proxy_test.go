package db_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/outrider-run/outrider/runner/internal/db/dbtest"
)

// cutter passes connections on to a server and cuts the one that sends a word.
type cutter struct {
	mu sync.Mutex
	// word is what it cuts at, once; answered says that the server gets the word and
	// only its answer is lost.
	word     string
	answered bool
	cuts     int
}

func (c *cutter) arm(word string, answered bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.word, c.answered = word, answered
}

func (c *cutter) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cuts
}

// hit disarms the cutter when b holds its word.
func (c *cutter) hit(b []byte) (cut, answered bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.word == "" || !bytes.Contains(b, []byte(c.word)) {
		return false, false
	}
	c.word = ""
	c.cuts++
	return true, c.answered
}

func (c *cutter) serve(client, server net.Conn) {
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

// through returns the URL of the server behind something that serves each
// connection; dial opens one to the server.
func through(t *testing.T, s *dbtest.Server, serve func(client net.Conn, dial func() (net.Conn, error))) string {
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
	return strings.Split(s.URL(), "?")[0] + "?host=" + dir
}

// cutting puts a cutter before a server.
func cutting(t *testing.T, s *dbtest.Server) (*cutter, string) {
	c := &cutter{}
	return c, through(t, s, func(client net.Conn, dial func() (net.Conn, error)) {
		server, err := dial()
		if err != nil {
			_ = client.Close()
			return
		}
		c.serve(client, server)
	})
}

// pooling puts a pooler before a server that gives each transaction of a client
// another connection than the last, as transaction pooling may. It also hands each
// statement to seen.
func pooling(t *testing.T, s *dbtest.Server, seen func(statement string)) string {
	return through(t, s, func(client net.Conn, dial func() (net.Conn, error)) {
		defer client.Close() //nolint:errcheck // nothing is left to say
		if err := pool(client, dial, seen); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("pooler: %v", err)
		}
	})
}

func pool(client net.Conn, dial func() (net.Conn, error), seen func(string)) error {
	from := pgproto3.NewBackend(client, client)
	startup, err := from.ReceiveStartupMessage()
	if err != nil {
		return err
	}
	if _, cancel := startup.(*pgproto3.CancelRequest); cancel {
		return nil
	}
	var servers []*pgproto3.Frontend
	for i := range 3 {
		conn, err := dial()
		if err != nil {
			return err
		}
		defer conn.Close() //nolint:errcheck // all of them end with the client
		to := pgproto3.NewFrontend(conn, conn)
		to.Send(startup)
		if err := to.Flush(); err != nil {
			return err
		}
		if err := answer(to, func(m pgproto3.BackendMessage) {
			if i == 0 {
				from.Send(m)
			}
		}); err != nil {
			return err
		}
		servers = append(servers, to)
	}
	if err := from.Flush(); err != nil {
		return err
	}
	for turn := 0; ; {
		to := servers[turn%len(servers)]
		m, err := from.Receive()
		if err != nil {
			return err
		}
		if _, ok := m.(*pgproto3.Terminate); ok {
			return nil
		}
		switch m := m.(type) {
		case *pgproto3.Query:
			seen(m.String)
		case *pgproto3.Parse:
			seen(m.Query)
		}
		to.Send(m)
		if err := to.Flush(); err != nil {
			return err
		}
		switch m.(type) {
		case *pgproto3.Query, *pgproto3.Sync:
		default:
			continue
		}
		err = answer(to, func(m pgproto3.BackendMessage) {
			from.Send(m)
			if ready, ok := m.(*pgproto3.ReadyForQuery); ok && ready.TxStatus == 'I' {
				turn++
			}
		})
		if err != nil {
			return err
		}
		if err := from.Flush(); err != nil {
			return err
		}
	}
}

// answer passes a server's messages on until it is ready for the next.
func answer(from *pgproto3.Frontend, pass func(pgproto3.BackendMessage)) error {
	for {
		m, err := from.Receive()
		if err != nil {
			return err
		}
		pass(m)
		if _, ok := m.(*pgproto3.ReadyForQuery); ok {
			return nil
		}
	}
}
