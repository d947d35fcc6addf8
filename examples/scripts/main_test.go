// Package scripts tests the example script components: each is run as a host
// runs it, by the real plugin and by the real interpreter. Programs that need a
// server (psql, aws, bq) are played by a stub that records what it was given.
package scripts

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/sdk/sdktest"
)

// plugin is the path of outrider-plugin-script, set by TestMain alone.
var plugin string

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() { // every test skips
		os.Exit(m.Run())
	}
	dir, err := os.MkdirTemp("", "scripts-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	plugin = filepath.Join(dir, "outrider-plugin-script")
	build := exec.Command("go", "build", "-tags", "urfave_cli_no_docs,grpcnotrace", "-o", plugin, "github.com/outrider-run/outrider/plugins/script")
	code := 1
	if out, err := build.CombinedOutput(); err == nil {
		code = m.Run()
	} else {
		fmt.Fprintf(os.Stderr, "building the plugin: %v\n%s", err, out)
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// example is the component that NAME.component.yml here describes.
func example(t *testing.T, name string, env ...string) *sdktest.Binary {
	t.Helper()
	if testing.Short() {
		t.Skip("needs python3, ruby, node and jq")
	}
	path, err := filepath.Abs(name + ".component.yml")
	if err != nil {
		t.Fatal(err)
	}
	return &sdktest.Binary{Path: plugin, Args: []string{"--manifest", path}, Env: env}
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// stub plays a program. It keeps what it was given in files beside itself, the
// file that each of these variables names among them, and ends as it is told.
type stub struct {
	t   *testing.T
	dir string
}

const stubProgram = `#!/bin/sh
here=$(dirname "$0")
printf '%s\n' "$@" >"$here/argv"
env >"$here/env"
cat >"$here/stdin"
for name in PGPASSFILE AWS_SHARED_CREDENTIALS_FILE CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE; do
  eval "file=\${$name-}"
  [ -z "$file" ] || { stat -c %a "$file"; cat "$file"; } >"$here/$name"
done
prev=
for arg; do
  [ "$prev" != --output ] || [ "$arg" = /dev/stdout ] || printf 'a,b\n1,2\n' >"$arg"
  prev=$arg
done
cat "$here/stdout"
cat "$here/stderr" >&2
exit "$(cat "$here/code")"
`

func newStub(t *testing.T, program string) stub {
	t.Helper()
	s := stub{t: t, dir: t.TempDir()}
	if err := os.Chmod(write(t, filepath.Join(s.dir, program), stubProgram), 0o755); err != nil {
		t.Fatal(err)
	}
	s.ends(0, "", "")
	return s
}

// ends sets how the program ends.
func (s stub) ends(code int, stdout, stderr string) {
	write(s.t, filepath.Join(s.dir, "code"), strconv.Itoa(code))
	write(s.t, filepath.Join(s.dir, "stdout"), stdout)
	write(s.t, filepath.Join(s.dir, "stderr"), stderr)
}

// path puts the stub before the machine's own programs.
func (s stub) path() string { return "PATH=" + s.dir + ":/usr/local/bin:/usr/bin:/bin" }

func (s stub) got(name string) string { return read(s.t, filepath.Join(s.dir, name)) }

// sawNo fails if the text stands in an argument, a variable or a log line.
func (s stub) sawNo(secret string, o sdktest.Outcome) {
	s.t.Helper()
	for where, text := range map[string]string{"argv": s.got("argv"), "env": s.got("env"), "log": fmt.Sprint(o.Logs), "error": o.Error} {
		if strings.Contains(text, secret) {
			s.t.Errorf("the secret is in %s: %s", where, text)
		}
	}
}

// link puts a program of the machine at path.
func link(t *testing.T, program, path string) {
	t.Helper()
	real, err := exec.LookPath(program)
	if err == nil {
		err = os.Symlink(real, path)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func lastProgress(o sdktest.Outcome) sdktest.Progress {
	if len(o.Progress) == 0 {
		return sdktest.Progress{}
	}
	return o.Progress[len(o.Progress)-1]
}
