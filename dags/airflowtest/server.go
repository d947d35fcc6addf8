package airflowtest

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// User is the name of the one user, who may do everything.
const User = "admin"

//go:embed setup2.py
var setup2 string

// Options say what server a test wants.
type Options struct {
	Version Version
	// DAGs are files that are there from the start, by name, which may be a path. See
	// also PutDAG.
	DAGs map[string]string
	// Triggerer asks for the server that wakes deferred tasks too.
	Triggerer bool
	// Env is the environment of the servers, and so of every task; nil is ours.
	// What in it is about Airflow or Python does not reach them.
	Env []string
	// Database is an SQLAlchemy URL of an empty database, or Postgres for a server
	// that is started too. Empty is SQLite, on which Airflow 3 fails some requests
	// when several change things at once.
	Database string
	// Config are more settings: section.key.
	Config map[string]string
}

// Postgres as Options.Database asks for a PostgreSQL of this Airflow's own.
const Postgres = "postgres"

// Server is a real Airflow on the loopback address.
type Server struct {
	Version  Version
	URL      string
	Password string // of User

	options  Options
	venv     string
	dir      string // Airflow's
	pgdir    string // PostgreSQL's, whose owner may not be us
	database string // its URL
	keeper   *keeper
	client   *client
}

// Start starts an Airflow and waits until it is healthy. Stop it in the end; it
// ends with this process in any case.
func Start(ctx context.Context, o Options) (_ *Server, err error) {
	s := &Server{Version: o.Version, options: o, Password: rand.Text()}
	if s.venv, err = Install(ctx, o.Version); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "airflow"); err != nil {
		return nil, fmt.Errorf("start airflow: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("start airflow %s: %w", o.Version, err), s.Stop())
		}
	}()
	if s.pgdir, err = os.MkdirTemp("", "airflowdb"); err != nil {
		return nil, err
	}
	if s.keeper, err = startKeeper(s.bin("python"), []string{s.dir, s.pgdir}, s.environ()); err != nil {
		return nil, err
	}
	switch s.database = o.Database; s.database {
	case "":
		s.database = "sqlite:///" + s.path("airflow.db")
	case Postgres:
		if s.database, err = s.startPostgres(ctx); err != nil {
			return nil, err
		}
	}
	if err := s.prepare(); err != nil {
		return nil, err
	}
	if err := s.migrate(ctx); err != nil {
		return nil, err
	}
	for _, name := range s.Names() {
		if err := s.keeper.start(ctx, name, s.path(name+".log"), []string{s.bin("airflow"), name}); err != nil {
			return nil, err
		}
	}
	return s, s.awaitHealthy(ctx)
}

// Names are the servers: what serves REST first, then the scheduler.
func (s *Server) Names() []string {
	names := []string{"webserver", "scheduler"}
	if s.Version == V3 {
		names = []string{"api-server", "scheduler", "dag-processor"}
	}
	if s.options.Triggerer {
		names = append(names, "triggerer")
	}
	return names
}

// Process tells about one of the servers.
func (s *Server) Process(name string) Process { return s.keeper.get(name) }

// Kill sends a server's own process a signal.
func (s *Server) Kill(name string, sig syscall.Signal) error {
	p := s.Process(name)
	if p.PID == 0 || p.Ended {
		return fmt.Errorf("kill %s: it does not run", name)
	}
	return syscall.Kill(p.PID, sig)
}

// AwaitEnd waits until a server has ended.
func (s *Server) AwaitEnd(ctx context.Context, name string) (Process, error) {
	return s.keeper.wait(ctx, name, func(p Process) bool { return p.Ended })
}

// Restart starts a server that has ended, and waits until all are healthy. What the
// old one left is killed first, as systemd and containers do: LocalExecutor's workers
// outlive a killed scheduler and share its connection to the database, which so keeps
// the locks of the transaction that it was in, and the next scheduler passes over the
// DAG runs under them for as long.
func (s *Server) Restart(ctx context.Context, name string) error {
	p := s.Process(name)
	if !p.Ended {
		return fmt.Errorf("restart %s: it still runs", name)
	}
	if err := killSession(ctx, p.PID); err != nil {
		return fmt.Errorf("restart %s: %w", name, err)
	}
	if err := s.keeper.start(ctx, name, s.path(name+".log"), []string{s.bin("airflow"), name}); err != nil {
		return err
	}
	return s.awaitHealthy(ctx)
}

// Stop ends the servers and all that they started, and removes what they wrote.
func (s *Server) Stop() error {
	var err error
	if s.keeper != nil {
		err = errors.Join(s.stopPostgres(), s.keeper.stop())
	}
	return errors.Join(err, os.RemoveAll(s.dir), os.RemoveAll(s.pgdir))
}

// Output is the end of what a server printed.
func (s *Server) Output(name string) string {
	text, err := os.ReadFile(s.path(name + ".log"))
	if err != nil {
		return err.Error()
	}
	return string(tail(text, 20000))
}

func (s *Server) path(name string) string { return filepath.Join(s.dir, name) }
func (s *Server) dags() string            { return s.path("dags") }
func (s *Server) bin(name string) string  { return filepath.Join(s.venv, "bin", name) }

// prepare writes all that the servers read.
func (s *Server) prepare() error {
	ports, err := freePorts(4)
	if err != nil {
		return err
	}
	s.URL = fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	s.client = newClient(s)
	passwords, err := json.Marshal(map[string]string{User: s.Password})
	if err != nil {
		return err
	}
	files := map[string]string{
		s.path("airflow.cfg"):    s.defaults(ports).String(),
		s.path("passwords.json"): string(passwords),
	}
	for name, text := range s.options.DAGs {
		files[filepath.Join(s.dags(), name)] = text
	}
	if err := errors.Join(os.Mkdir(s.dags(), 0o700), os.Mkdir(s.path("plugins"), 0o700), os.Mkdir(s.path("tmp"), 0o700)); err != nil {
		return err
	}
	for path, text := range files {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			return err
		}
	}
	return nil
}

// environ is the environment of all servers.
func (s *Server) environ() []string {
	env := s.options.Env
	if env == nil {
		env = os.Environ()
	}
	env = append(environ(env), "AIRFLOW_HOME="+s.dir, "TMPDIR="+s.path("tmp"), "NO_PROXY=127.0.0.1,localhost", "no_proxy=127.0.0.1,localhost")
	if s.Version == V2 && s.options.Database == "" {
		// LocalExecutor on SQLite cannot be had otherwise, nor by the file.
		env = append(env, "_AIRFLOW__SKIP_DATABASE_EXECUTOR_COMPATIBILITY_CHECK=1")
	}
	return env
}

// Command is Airflow's own command line on this server's database.
func (s *Server) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.bin("airflow"), args...)
	cmd.Env, cmd.Dir = s.environ(), s.dir
	return cmd
}

func (s *Server) migrate(ctx context.Context) error {
	cmd := s.Command(ctx, "db", "migrate")
	if s.Version == V2 {
		cmd.Path, cmd.Args = s.bin("python"), []string{s.bin("python"), "-c", setup2, User, s.Password}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make the database: %w\n%s", err, tail(out, 4000))
	}
	return nil
}

// awaitHealthy waits until every part says that it works, or one has ended.
func (s *Server) awaitHealthy(ctx context.Context) error {
	parts := []string{"metadatabase", "scheduler"}
	if s.Version == V3 {
		parts = append(parts, "dag_processor")
	}
	if s.options.Triggerer {
		parts = append(parts, "triggerer")
	}
	return poll(ctx, func() (bool, error) {
		for _, name := range s.Names() {
			if p := s.Process(name); p.Ended {
				return false, fmt.Errorf("%s ended with %d:\n%s", name, p.ExitCode, s.Output(name))
			}
		}
		health, err := s.client.health(ctx)
		if err != nil {
			return false, nil // not up yet
		}
		return !slices.ContainsFunc(parts, func(p string) bool { return health[p].Status != "healthy" }), nil
	})
}

// freePorts are ports that nobody listened on just now.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer func() { _ = l.Close() }()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// PutDAG writes a DAG file and waits until Airflow has seen dag in it. A file
// that cannot be read is an error with Airflow's words.
func (s *Server) PutDAG(ctx context.Context, file, text, dag string) error {
	path := filepath.Join(s.dags(), file)
	// Renamed, so that no half of it is read.
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		return fmt.Errorf("put %s: %w", file, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("put %s: %w", file, err)
	}
	return s.AwaitDAG(ctx, dag)
}

// AwaitDAG waits until Airflow has seen dag.
func (s *Server) AwaitDAG(ctx context.Context, dag string) error {
	err := poll(ctx, func() (bool, error) {
		err := s.client.get(ctx, "dags/"+dag, nil)
		if !IsNotFound(err) {
			return err == nil, permanent(err)
		}
		var broken struct {
			ImportErrors []struct {
				Filename   string `json:"filename"`
				StackTrace string `json:"stack_trace"`
			} `json:"import_errors"`
		}
		if err := s.client.get(ctx, "importErrors", &broken); err != nil || len(broken.ImportErrors) == 0 {
			return false, permanent(err)
		}
		var all strings.Builder
		for _, e := range broken.ImportErrors {
			fmt.Fprintf(&all, "%s: %s\n", e.Filename, e.StackTrace)
		}
		return false, errors.New(all.String())
	})
	if err != nil {
		return fmt.Errorf("wait for dag %s: %w", dag, err)
	}
	return nil
}
