package airflowtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// postgresName is the name of the database server among the servers.
const postgresName = "postgres"

// startPostgres starts a PostgreSQL of this Airflow's own, that listens on a
// socket in a private folder alone, and returns its URL for SQLAlchemy.
func (s *Server) startPostgres(ctx context.Context) (url string, err error) {
	bin, err := findPostgres()
	if err != nil {
		return "", err
	}
	owner, err := unprivileged()
	if err != nil {
		return "", err
	}
	data := filepath.Join(s.pgdir, "data")
	if err := errors.Join(os.Mkdir(data, 0o700), owner.own(s.pgdir), owner.own(data)); err != nil {
		return "", err
	}
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "--pgdata", data, "--username", User,
		"--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions")
	initdb.Dir, initdb.SysProcAttr = data, owner.attributes()
	if out, err := initdb.CombinedOutput(); err != nil {
		return "", fmt.Errorf("initdb: %w\n%s", err, tail(out, 4000))
	}
	argv := append(owner.prefix(), filepath.Join(bin, "postgres"), "-D", data, "-k", s.pgdir,
		// Nothing of it is to outlive a crash, and nothing is to be left outside of its folder.
		"-c", "listen_addresses=", "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off",
		"-c", "dynamic_shared_memory_type=mmap", "-c", "max_connections=200")
	if err := s.keeper.start(ctx, postgresName, s.path(postgresName+".log"), argv); err != nil {
		return "", err
	}
	err = poll(ctx, func() (bool, error) {
		if p := s.Process(postgresName); p.Ended {
			return false, fmt.Errorf("postgres ended with %d:\n%s", p.ExitCode, s.Output(postgresName))
		}
		// It writes its state to the last line of this file.
		text, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
		return err == nil && slices.Contains(strings.Fields(string(text)), "ready"), nil
	})
	if err != nil {
		return "", err
	}
	// The database that every new server has.
	return "postgresql+psycopg2://" + User + "@/postgres?host=" + s.pgdir, nil
}

// stopPostgres lets PostgreSQL give back the memory that it shares, which a
// killed one leaves.
func (s *Server) stopPostgres() error {
	if p := s.Process(postgresName); p.PID == 0 || p.Ended {
		return nil
	}
	if err := s.Kill(postgresName, syscall.SIGQUIT); err != nil {
		return err
	}
	_, err := s.AwaitEnd(context.Background(), postgresName)
	return err
}

// findPostgres finds the folder of the server's programs: Debian keeps it out of
// PATH, one for each version.
func findPostgres() (string, error) {
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

// account is who PostgreSQL runs as; zero is who we are.
type account struct{ uid, gid int }

// unprivileged finds an account for PostgreSQL, which refuses to run as root.
func unprivileged() (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return account{}, fmt.Errorf("postgres does not run as root: %w", err)
		}
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return account{}, err
	}
	gid, err := strconv.Atoi(u.Gid)
	return account{uid, gid}, err
}

func (a account) own(path string) error {
	if a.uid == 0 {
		return nil
	}
	return os.Chown(path, a.uid, a.gid)
}

func (a account) attributes() *syscall.SysProcAttr {
	if a.uid == 0 {
		return nil
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}}
}

// prefix is a command before the command, that makes it run as a.
func (a account) prefix() []string {
	if a.uid == 0 {
		return nil
	}
	return []string{"/usr/bin/setpriv", fmt.Sprintf("--reuid=%d", a.uid), fmt.Sprintf("--regid=%d", a.gid), "--clear-groups", "--"}
}
