package airflowtest

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Version is one of the Airflow releases that there is a lock for.
type Version string

// The releases that tests run on.
const (
	V3 Version = "3.3.2"
	V2 Version = "2.11.2"
)

// uv installs five times as fast as pip does.
const uv = "uv==0.13.9"

//go:embed airflow2.lock.txt airflow3.lock.txt
var locks embed.FS

func (v Version) lock() (name string, text []byte, err error) {
	name = "airflow" + v.major() + ".lock.txt"
	if text, err = locks.ReadFile(name); err != nil {
		return "", nil, err
	}
	if !strings.Contains(string(text), "apache-airflow=="+string(v)+"\n") {
		return "", nil, fmt.Errorf("airflow %s: %s is of another version", v, name)
	}
	return name, text, nil
}

func (v Version) major() string {
	major, _, _ := strings.Cut(string(v), ".")
	return major
}

// Install returns a virtual environment with this Airflow, which it makes in the
// user's cache folder when it is not there. Several processes may ask at once.
func Install(ctx context.Context, v Version) (venv string, err error) {
	lock, text, err := v.lock()
	if err != nil {
		return "", err
	}
	py, err := findPython(ctx)
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("install airflow: %w", err)
	}
	// The interpreter's folder and version are part of the key: an environment is
	// of no use when the Python that it points to was exchanged.
	sum := sha256.Sum256([]byte(strings.Join([]string{string(text), uv, py.path, py.version}, "\x00")))
	venv = filepath.Join(cache, "outrider-test", "airflow-"+string(v)+"-"+hex.EncodeToString(sum[:6]))
	err = once(venv, func() error { return fill(ctx, venv, py, lock, text) })
	if err != nil {
		return "", fmt.Errorf("install airflow %s: %w", v, err)
	}
	return venv, nil
}

// once makes the folder dir by fill, unless that was done. Of several processes
// one does it, and the others wait. A stamp tells what is whole, since a killed
// one leaves a part.
func once(dir string, fill func() error) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return err
	}
	unlock, err := exclusive(dir + ".flock")
	if err != nil {
		return err
	}
	defer unlock()
	stamp := filepath.Join(dir, "complete")
	if _, err := os.Stat(stamp); err == nil {
		return nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := fill(); err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	return os.WriteFile(stamp, nil, 0o600)
}

// fill makes the environment.
func fill(ctx context.Context, venv string, py python, lock string, text []byte) error {
	if err := command(ctx, py.path, "-m", "venv", venv); err != nil {
		return err
	}
	lock = filepath.Join(venv, lock)
	if err := os.WriteFile(lock, text, 0o600); err != nil {
		return err
	}
	bin := filepath.Join(venv, "bin")
	pip := []string{filepath.Join(bin, "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"}
	if err := command(ctx, append(pip, "--only-binary=:all:", uv)...); err != nil {
		// No wheel of uv for this machine: pip can do it too.
		return command(ctx, append(pip, "--requirement", lock)...)
	}
	// Byte code is needed at every start, and a user's own settings may forbid to
	// write it then.
	return command(ctx, filepath.Join(bin, "uv"), "pip", "install", "--quiet", "--compile-bytecode",
		"--python", filepath.Join(bin, "python"), "--requirement", lock)
}

// exclusive waits for the lock on path; unlock gives it back.
func exclusive(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, unix.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
		}
	}
}

// command runs argv in a clean environment; its output is part of the error.
func command(ctx context.Context, argv ...string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = environ(os.Environ())
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, tail(out, 4000))
	}
	return nil
}

// environ is env without what would change a Python or an Airflow: our own is to
// be the same everywhere, and PYTHONDONTWRITEBYTECODE makes each start 3 × slower.
func environ(env []string) []string {
	var out []string
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		switch {
		case strings.HasPrefix(name, "AIRFLOW"), strings.HasPrefix(name, "_AIRFLOW"), strings.HasPrefix(name, "PYTHON"), name == "VIRTUAL_ENV":
			continue
		case name == "PIP_CERT":
			// A private authority has another name for uv.
			out = append(out, "SSL_CERT_FILE="+value)
		}
		out = append(out, kv)
	}
	return out
}

func tail(text []byte, n int) []byte { return text[max(0, len(text)-n):] }
