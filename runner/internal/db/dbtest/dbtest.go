package dbtest

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

// shared is the one server of a test binary. It ends with the binary.
var shared = sync.OnceValues(func() (*Server, error) { return newServer(nil) })

// Postgres makes an empty database on a server that all tests of the binary share,
// for the time of the test, and returns its URL.
func Postgres(t testing.TB) string {
	t.Helper()
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return s.Database(t)
}

// SQLite returns the URL of a file that is not there yet, in a folder of the test.
func SQLite(t testing.TB) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "test.db")
}

// Database makes an empty database on the server and returns its URL. It is
// dropped at the end of the test.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := s.create(t)
	t.Cleanup(func() {
		if err := s.admin("drop database " + name + " with (force)"); err != nil {
			t.Errorf("drop a database: %v", err)
		}
	})
	return s.at(name)
}

func (s *Server) create(t testing.TB) (name string) {
	t.Helper()
	name = fmt.Sprintf("test%d", s.made.Add(1))
	if err := s.admin("create database " + name); err != nil {
		t.Fatalf("create a database: %v", err)
	}
	return name
}

func (s *Server) at(database string) string {
	return "postgres://" + role + "@/" + database + "?host=" + s.dir
}

func (s *Server) admin(statement string) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, s.at("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx) //nolint:errcheck // it was for one statement
	_, err = conn.Exec(ctx, statement)
	return err
}
