package digdagtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Options say what server a test wants.
type Options struct {
	// Dir keeps all that the server writes. It must exist, and is the caller's
	// to remove.
	Dir string
	// Config are settings of the server, such as agent.lock-retention-time. The
	// double refuses those that it does not heed.
	Config map[string]string
	// Env is the server's environment, and so part of every task's. Nil is ours.
	Env []string
	// Double is the program that BuildDouble built. Empty: it is built in Dir.
	Double string
}

// Server is a Digdag server, real or double, on the loopback address.
type Server struct {
	Real bool
	Kind Kind
	URL  string
	// TempDir holds the workspaces of running tasks.
	TempDir string

	options Options
	argv    []string
	process *process
	client  client
}

// Start starts a server and waits until it answers. Stop it in the end.
func Start(ctx context.Context, o Options) (*Server, error) {
	kind, err := Find()
	if err != nil {
		return nil, err
	}
	s := &Server{Real: kind.Real, Kind: kind, options: o, argv: kind.argv, TempDir: filepath.Join(o.Dir, "tmp")}
	if !kind.Real {
		if o.Double == "" {
			if o.Double, err = BuildDouble(ctx, o.Dir); err != nil {
				return nil, err
			}
		}
		s.argv = []string{o.Double}
	}
	return s, s.start(ctx)
}

// Restart starts a server that was stopped or killed, on what it remembers. The
// URL is another one.
func (s *Server) Restart(ctx context.Context) error {
	if s.process.running() {
		return errors.New("restart Digdag: it still runs")
	}
	return s.start(ctx)
}

// Set changes a setting of the server for its next start.
func (s *Server) Set(key, value string) {
	s.options.Config = maps.Clone(s.options.Config)
	if s.options.Config == nil {
		s.options.Config = map[string]string{}
	}
	s.options.Config[key] = value
}

// PID is the server's process, which every task's process is a child of.
func (s *Server) PID() int { return s.process.pid() }

// Kill9 kills the server process alone, at once. The processes of its tasks
// live on, as they do under a real one.
func (s *Server) Kill9() error {
	if err := s.settle(); err != nil {
		return err
	}
	return s.process.signalAndWait(context.Background(), syscall.SIGKILL)
}

// Terminate asks the server to end, as a service manager does. It takes no new
// task and waits for the running ones; Exited tells when that is over.
func (s *Server) Terminate() error { return s.process.signal(syscall.SIGTERM) }

// Exited is closed when the server process has ended.
func (s *Server) Exited() <-chan struct{} { return s.process.done }

// ExitCode is what the server process ended with, once it has: 128 and the
// number of the signal where one ended it.
func (s *Server) ExitCode() int { return s.process.exitCode() }

// Stop ends the server and whatever processes of its tasks are left in its
// process group. It is no error to stop it twice.
func (s *Server) Stop() error {
	if s.process == nil {
		return nil
	}
	return s.process.killGroup()
}

// Output is what the server printed so far, all starts in one.
func (s *Server) Output() string {
	data, _ := os.ReadFile(filepath.Join(s.options.Dir, "server.out")) // not there yet: nothing
	return string(data)
}

func (s *Server) start(ctx context.Context) error {
	info := filepath.Join(s.options.Dir, "runtime-info.json")
	if err := os.Remove(info); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("start Digdag: %w", err)
	}
	config := filepath.Join(s.options.Dir, "server.properties")
	settings := map[string]string{"server.runtime-info.path": info, "tmpdir": s.TempDir}
	maps.Copy(settings, s.options.Config)
	var text strings.Builder
	for _, k := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&text, "%s=%s\n", k, settings[k])
	}
	if err := os.WriteFile(config, []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("start Digdag: %w", err)
	}
	argv := append(slices.Clone(s.argv), "server", "-n", "0", "-b", "127.0.0.1", "-c", config, "-O", filepath.Join(s.options.Dir, "logs"))
	if !s.ownDatabase() {
		argv = append(argv, "-o", filepath.Join(s.options.Dir, "database"))
	}
	if !s.Real {
		argv = append(argv, "-lifeline")
	}
	p, err := launch(argv, s.options.Env, s.options.Dir)
	if err != nil {
		return fmt.Errorf("start Digdag: %w", err)
	}
	s.process = p
	if s.URL, err = p.awaitAddress(ctx, info); err != nil {
		err = errors.Join(fmt.Errorf("start Digdag: %w\n%s", err, s.Output()), p.killGroup())
		return err
	}
	s.client = client{base: s.URL, user: s.options.Config["server.authenticator.basic.username"], password: s.options.Config["server.authenticator.basic.password"]}
	return nil
}

// ownDatabase reports whether the settings name a database, instead of H2's file.
func (s *Server) ownDatabase() bool { return s.options.Config["database.type"] != "" }
