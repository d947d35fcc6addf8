package digdagtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// suite is what the tests share: one server, since a real one takes seconds to
// start, and the double's program.
type suite struct {
	double func() (string, error)
	server func() (*Server, error)
}

var shared suite

func TestMain(m *testing.M) {
	os.Exit(runSuite(m))
}

func runSuite(m *testing.M) int {
	kind, err := Find()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(kind)
	dir, err := os.MkdirTemp("", "digdagtest")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	var server *Server
	shared.double = sync.OnceValues(func() (string, error) { return BuildDouble(context.Background(), dir) })
	shared.server = sync.OnceValues(func() (*Server, error) {
		var err error
		server, err = shared.start(context.Background(), filepath.Join(dir, "shared"), nil)
		return server, err
	})
	code := m.Run()
	if server != nil {
		if err := server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		// A double that was built with -race says so there.
		if out := server.Output(); strings.Contains(out, "DATA RACE") {
			fmt.Fprintln(os.Stderr, out)
			return 1
		}
	}
	return code
}

func (s suite) start(ctx context.Context, dir string, config map[string]string) (*Server, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	double := ""
	if kind, err := Find(); err != nil || !kind.Real {
		if double, err = s.double(); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return Start(ctx, Options{Dir: dir, Config: config, Double: double, Env: serverEnv(dir)})
}

// serverEnv is an environment that the tests know all of.
func serverEnv(dir string) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LANG=C.UTF-8", "FROM_SERVER=inherited"}
}

// onShared gives a test the server that most tests share.
func onShared(t *testing.T) *Tester {
	t.Helper()
	s, err := shared.server()
	if err != nil {
		t.Fatal(err)
	}
	return s.For(t)
}

// onOwn starts a server for one test, which kills it or sets it up its own way.
func onOwn(t *testing.T, config map[string]string) *Tester {
	t.Helper()
	s, err := shared.start(t.Context(), t.TempDir(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s.For(t)
}

// must takes the error off a result: must(t)(f()).
func must(t *testing.T) func(string, error) string {
	return func(v string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// must2 is must for attempts.
func must2(t *testing.T) func(Attempt, error) Attempt {
	return func(v Attempt, err error) Attempt {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func writeFile(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func removeFile(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}
