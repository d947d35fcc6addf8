package e2e

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/outrider-run/outrider/dig/digdagtest"
	"github.com/outrider-run/outrider/runner/internal/db/dbtest"
)

// digdag is a running Digdag, real or double, as one test sees it. Its tasks find
// the built binaries, and testdata/digdag/bin, on PATH.
type digdag struct {
	*digdagtest.Tester
	t     *testing.T
	world world
	// dir is where tasks and the test leave files for each other: $dir in a task.
	dir string
}

// digdagShared is the server of all tests that do not end theirs.
var digdagShared = sync.OnceValues(func() (digdag, error) {
	home, err := os.MkdirTemp("", "w")
	if err != nil {
		return digdag{}, err
	}
	cleanups.add(func() error { return os.RemoveAll(home) })
	w := world{home}
	s, err := startDigdag(w, nil)
	if err != nil {
		return digdag{}, err
	}
	cleanups.add(s.Stop)
	return digdag{Tester: &digdagtest.Tester{Server: s}, world: w}, nil
})

// digdagDouble is the double's program, built once.
var digdagDouble = sync.OnceValues(func() (string, error) { return digdagtest.BuildDouble(context.Background(), bin) })

func startDigdag(w world, config map[string]string) (*digdagtest.Server, error) {
	double, err := digdagDouble()
	if err != nil {
		return nil, err
	}
	helpers, err := filepath.Abs("testdata/digdag/bin")
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(w.home, "digdag")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	path := "PATH=" + strings.Join([]string{filepath.Join(w.home, "path"), bin, helpers, os.Getenv("PATH")}, string(os.PathListSeparator))
	return digdagtest.Start(ctx, digdagtest.Options{Dir: dir, Double: double, Config: config, Env: append(w.env(), path)})
}

// onDigdag gives a test the shared server.
func onDigdag(t *testing.T) digdag {
	t.Helper()
	d, err := digdagShared()
	if err != nil {
		t.Fatal(err)
	}
	return digdag{Tester: d.For(t), t: t, world: d.world, dir: t.TempDir()}
}

// onOwnDigdag starts a server for one test, which kills it.
func onOwnDigdag(t *testing.T) digdag {
	t.Helper()
	return onDigdagWith(t, nil)
}

// onDigdagWith is onOwnDigdag with settings of the server. A real one stands on
// PostgreSQL: H2 may lose what it has long answered when the server is killed.
func onDigdagWith(t *testing.T, config map[string]string) digdag {
	t.Helper()
	w := newWorld(t)
	kind, err := digdagtest.Find()
	if err != nil {
		t.Fatal(err)
	}
	if kind.Real {
		settings := digdagOnPostgres(t)
		maps.Copy(settings, config)
		config = settings
	}
	s, err := startDigdag(w, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		w.gone(t, 10*time.Second)
	})
	return digdag{Tester: s.For(t), t: t, world: w, dir: t.TempDir()}
}

// digdagOnPostgres starts a database for a real Digdag, which speaks TCP alone, and returns
// its settings.
func digdagOnPostgres(t *testing.T) map[string]string {
	t.Helper()
	host := fmt.Sprintf("127.77.%d.%d", os.Getpid()>>8&0xff, os.Getpid()&0xff) // nobody else's, on the usual port
	database, err := url.Parse(dbtest.New(t, "listen_addresses="+host).URL())
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"database.type": "postgresql", "database.host": host, "database.port": "5432",
		"database.user": database.User.Username(), "database.password": "any", "database.database": strings.TrimPrefix(database.Path, "/"),
	}
}

// slowly puts a program before the built one that begins with a pause, on the PATH of the
// tasks.
func (d digdag) slowly(program, pause string) {
	d.t.Helper()
	dir := filepath.Join(d.world.home, "path")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		d.t.Fatal(err)
	}
	text := fmt.Sprintf("#!/bin/sh\nsleep %s\nexec '%s' \"$@\"\n", pause, filepath.Join(bin, program))
	if err := os.WriteFile(filepath.Join(dir, program), []byte(text), 0o755); err != nil {
		d.t.Fatal(err)
	}
}

// start starts an attempt of a workflow in testdata/digdag.
func (d digdag) start(workflow string, params map[string]any) digdagtest.Attempt {
	d.t.Helper()
	if _, err := d.Server.Push(d.Context(), "outrider", "testdata/digdag"); err != nil {
		d.t.Fatal(err)
	}
	all := map[string]any{"dir": d.dir}
	for k, v := range params {
		all[k] = v
	}
	a, err := d.StartWorkflow(d.Context(), "outrider", workflow, all)
	if err != nil {
		d.t.Fatal(err)
	}
	return a
}

// run runs a workflow to its end.
func (d digdag) run(workflow string, params map[string]any) digdagtest.Result {
	d.t.Helper()
	return d.Wait(d.start(workflow, params).ID)
}

// await waits until tasks have made these files.
func (d digdag) await(files ...string) {
	d.t.Helper()
	for _, f := range files {
		d.AwaitFile(filepath.Join(d.dir, f))
	}
}

// read reads what a task left.
func (d digdag) read(file string) string {
	d.t.Helper()
	text, err := os.ReadFile(filepath.Join(d.dir, file))
	if err != nil {
		d.t.Error(err)
	}
	return string(text)
}

// release lets tasks go on that wait for it.
func (d digdag) release() {
	d.t.Helper()
	if err := os.WriteFile(filepath.Join(d.dir, "release"), nil, 0o600); err != nil {
		d.t.Fatal(err)
	}
}
