// Package dbtest gives tests real databases: files for SQLite, and a PostgreSQL
// server that the tests start, as another user where they run as root, and that
// ends with them, also when they are killed.
package dbtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// patience is for how long a server may take to start or to stop.
const patience = 60 * time.Second

// role is the superuser of the servers.
const role = "outrider"

// Server is a PostgreSQL server that listens on a socket in a folder of its own.
type Server struct {
	bin, dir string // its programs; its folder, with data in it
	settings []string
	owner    *syscall.Credential // nil: us
	process  *exec.Cmd           // nil while it is stopped
	url      string
	made     atomic.Int64 // databases so far
	// lifeline is the end of a pipe; when it is closed, by us or by the end of this
	// process, what is left of the server is swept.
	lifeline *os.File
}

// New starts a server for one test. Settings are as in postgresql.conf,
// "max_connections=5".
func New(t testing.TB, settings ...string) *Server {
	t.Helper()
	s, err := newServer(settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.process != nil {
			s.Stop(t)
		}
		// A killed one left it, and its pid may be another's by now.
		_ = os.Remove(filepath.Join(s.data(), "postmaster.pid"))
		_ = s.lifeline.Close()
	})
	s.url = s.at(s.create(t)) // it goes with the server
	return s
}

// URL names a database of the server.
func (s *Server) URL() string { return s.url }

// Socket is the server's unix socket.
func (s *Server) Socket() string { return filepath.Join(s.dir, ".s.PGSQL.5432") }

// Stop ends the server in order, cutting all connections.
func (s *Server) Stop(t testing.TB) { s.end(t, syscall.SIGINT) }

// Kill ends the server as a crash would.
func (s *Server) Kill(t testing.TB) { s.end(t, syscall.SIGKILL) }

func (s *Server) end(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if err := s.process.Process.Signal(sig); err != nil {
		t.Fatalf("end the server: %v", err)
	}
	_ = s.process.Wait() // it did not end well, by intent
	s.process = nil
}

// Start starts the server again, with more settings.
func (s *Server) Start(t testing.TB, settings ...string) {
	t.Helper()
	s.settings = append(s.settings, settings...)
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
}

func newServer(settings []string) (*Server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	// Not the folder for temporary files of the environment: the path of a socket is
	// short, and another user must reach it.
	dir, err := os.MkdirTemp("/tmp", "outrider-pg-")
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin, dir: dir, settings: settings}
	if s.lifeline, err = sweepAfter(dir); err != nil {
		return nil, err
	}
	if s.owner, err = unprivileged(); err != nil {
		return nil, err
	}
	if s.owner != nil {
		if err := os.Chown(dir, int(s.owner.Uid), int(s.owner.Gid)); err != nil {
			return nil, err
		}
	}
	initdb := s.command("initdb", "--pgdata", s.data(), "--username", role, "--auth", "trust",
		"--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions")
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return s, s.start()
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	// A group of its own: what is typed on the terminal of the tests is not for it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.owner, Setpgid: true}
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "PG") }), "LC_ALL=C")
	return cmd
}

func (s *Server) start() error {
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // the server has its own
	for begin := time.Now(); ; {
		args := []string{
			"-D", s.data(), "-k", s.dir,
			// Nothing of it is to outlive a crash of the machine, and nothing is left outside.
			"-c", "listen_addresses=", "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off",
			"-c", "dynamic_shared_memory_type=mmap", "-c", "port=5432", "-c", "max_connections=100",
		}
		for _, setting := range s.settings {
			args = append(args, "-c", setting)
		}
		cmd := s.command("postgres", args...)
		cmd.Stdout, cmd.Stderr = log, log
		if err := cmd.Start(); err != nil {
			return err
		}
		if err = s.ready(cmd); err == nil {
			s.process = cmd
			return nil
		}
		_ = cmd.Process.Kill() // it may have ended already
		_ = cmd.Wait()
		text, _ := os.ReadFile(log.Name()) // it only adds to the error
		// Those that a killed server left end by themselves, a little later.
		if !strings.Contains(string(text), "pre-existing shared memory") || time.Since(begin) > patience {
			return fmt.Errorf("start postgres: %w\n%s", err, text)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// ready waits until the server says that it takes connections.
func (s *Server) ready(cmd *exec.Cmd) error {
	for begin := time.Now(); time.Since(begin) < patience; time.Sleep(5 * time.Millisecond) {
		// pid first, state last.
		text, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
		words := strings.Fields(string(text))
		if err == nil && len(words) > 1 && words[0] == strconv.Itoa(cmd.Process.Pid) && words[len(words)-1] == "ready" {
			return nil
		}
		var state syscall.WaitStatus
		if pid, err := syscall.Wait4(cmd.Process.Pid, &state, syscall.WNOHANG, nil); err == nil && pid != 0 {
			return fmt.Errorf("it ended with %d", state.ExitStatus())
		}
	}
	return errors.New("it is not ready in time")
}

// sweepAfter starts a shell that waits until the lifeline is closed, ends the
// server that stands in dir by then and removes dir.
func sweepAfter(dir string) (lifeline *os.File, err error) {
	cmd := exec.Command("/bin/sh", "-c", `cat >/dev/null
read -r pid _ <"$1/data/postmaster.pid" && kill -QUIT "$pid" && while kill -0 "$pid"; do sleep 0.05; done
rm -rf "$1" || { sleep 1; rm -rf "$1"; }`, "sh", dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, lifeline, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer in.Close() //nolint:errcheck // the shell has its own
	cmd.Stdin = in
	return lifeline, cmd.Start()
}

// programs finds the folder of the server's programs: Debian keeps it out of PATH,
// one for each version.
func programs() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres") // only a bad pattern fails
	if len(found) == 0 {
		return "", errors.New("no PostgreSQL server found; on Debian and Ubuntu: apt-get install postgresql")
	}
	slices.Sort(found)
	return filepath.Dir(found[len(found)-1]), nil
}

// unprivileged finds whom the server runs as: it refuses to run as root.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return nil, fmt.Errorf("postgres does not run as root: %w", err)
		}
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}
