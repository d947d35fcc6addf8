package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/outrider-run/outrider/runner/internal/db/dbtest"
	"github.com/outrider-run/outrider/runner/internal/ledger"
	"github.com/outrider-run/outrider/runner/internal/run"
)

// spooled lists the records that wait for the next run.
func (s store) spooled(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(s.state(), "spool", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// durable: what a server has committed outlives its kill.
const durable = "synchronous_commit=on"

// waits is a body that waits for its release, but when it is run again by mistake.
const waits = `bash "$0" "$1" 0; if [ -p "$2" ]; then printf %s $$ >"$2"; read -r _ <"$3"; fi`

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// oneSuccess makes one more call of a key, and wants that it gets the result of the
// one recorded success, of the one body.
func (s store) oneSuccess(t *testing.T, l *ledger.Ledger, key, file string, command ...string) {
	t.Helper()
	if code, _, errs := ended(t, s.cmd(command...)); code != 0 || !strings.Contains(errs, "not run: succeeded") {
		t.Errorf("%s again: exit %d\n%s", key, code, errs)
	}
	runs, events := labelled(t, l, "key", key), told(t, file)
	if len(runs) != 1 || runs[0].State != run.Success || runs[0].LateResult != nil || count(events, "begin") != 1 || count(events, "end") != 1 {
		t.Errorf("%s: runs %+v of bodies %v", key, runs, events)
	}
}

// TestPostgresStopsUnderARun: one run ends while the server is away for a moment, and
// one while it is away for longer than the host waits.
func TestPostgresStopsUnderARun(t *testing.T) {
	t.Parallel()
	server := dbtest.New(t, durable)
	s := onServer(t, server.URL())
	for name, long := range map[string]bool{"short": false, "long": true} {
		file, mark := filepath.Join(s.home, name), s.fifo(t, "mark-"+name)
		release := s.fifo(t, "release-"+name)
		command := []string{
			"exec", "--once-key", name, "--label", "key=" + name, "--lock", name, "--",
			"bash", "-c", waits, s.script(), file, mark, release,
		}
		cmd := s.cmd(command...)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		pidFrom(t, mark)
		must(t, os.Remove(mark))
		server.Kill(t)
		must(t, os.WriteFile(release, []byte("\n"), 0o600))
		if !long {
			server.Start(t)
		}
		_ = cmd.Wait() // the exit code is what counts
		if code := cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("%s: exit %d\n%s", name, code, errs.String())
		}
		if n := len(s.spooled(t)); (n == 1) != long {
			t.Errorf("%s: %d records are spooled\n%s", name, n, errs.String())
		}
		if long {
			server.Start(t)
		}
		// What is spooled is taken in before the next call of its key is decided.
		s.oneSuccess(t, s.open(t), name, file, command...)
		if left := s.spooled(t); len(left) > 0 {
			t.Errorf("%s: left: %q", name, left)
		}
		t.Logf("%s: 1 body, 1 recorded success", name)
	}
}

// TestSpoolIsTakenInOnce: what twenty runs could not record comes in once although
// several hosts take it in at the same time.
func TestSpoolIsTakenInOnce(t *testing.T) {
	t.Parallel()
	const runs, hosts = 20, 4
	server := dbtest.New(t, durable)
	s := onServer(t, server.URL())
	if code, _, errs := ended(t, s.cmd("exec", "--", "true")); code != 0 {
		t.Fatalf("exit %d\n%s", code, errs)
	}
	l := s.open(t)
	server.Stop(t)
	var all sync.WaitGroup
	for range runs {
		all.Go(func() {
			if code, _, errs := ended(t, s.cmd("exec", "--label", "spooled=x", "--", "true")); code != 0 {
				t.Errorf("exit %d\n%s", code, errs)
			}
		})
	}
	all.Wait()
	if n := len(s.spooled(t)); n != runs {
		t.Errorf("%d records are spooled, want %d", n, runs)
	}
	server.Start(t)
	for range hosts {
		all.Go(func() {
			if code, _, errs := ended(t, s.cmd("exec", "--lock", "a", "--", "true")); code != 0 || strings.Contains(errs, "take in") {
				t.Errorf("exit %d\n%s", code, errs)
			}
		})
	}
	all.Wait()
	if n, left := len(labelled(t, l, "spooled", "x")), s.spooled(t); n != runs || len(left) > 0 {
		t.Errorf("%d of %d are recorded, left: %q", n, runs, left)
	}
	t.Logf("%d records spooled, %d hosts at once took them in, each once", runs, hosts)
}

// TestConnectionCutInACommit cuts the connection at the commit of a run's begin, of
// its end and of a hit: before the server gets it and before its answer is there.
func TestConnectionCutInACommit(t *testing.T) {
	server := dbtest.New(t, durable)
	direct := onServer(t, server.URL())
	l := direct.open(t)
	c, url := server.Cut(t)
	s := direct
	s.env = []string{"OUTRIDER_LEDGER=" + url, "OUTRIDER_INSTANCE=tests"}
	for _, when := range []string{"before", "after"} {
		for _, at := range []string{"begin", "end"} {
			name := when + "-" + at
			file, mark, release := filepath.Join(s.home, name), s.fifo(t, "mark-"+name), s.fifo(t, "release-"+name)
			command := []string{
				"exec", "--once-key", name, "--label", "key=" + name, "--lock", "a", "--",
				"bash", "-c", waits, s.script(), file, mark, release,
			}
			cmd := s.cmd(command...)
			var errs bytes.Buffer
			cmd.Stderr = &errs
			cuts := c.Count()
			if at == "begin" {
				c.Arm("commit", when == "after")
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			pidFrom(t, mark)
			must(t, os.Remove(mark))
			if at == "end" {
				c.Arm("commit", when == "after")
			}
			must(t, os.WriteFile(release, []byte("\n"), 0o600))
			_ = cmd.Wait() // the exit code is what counts
			if code := cmd.ProcessState.ExitCode(); code != 0 || c.Count() != cuts+1 || len(s.spooled(t)) > 0 {
				t.Errorf("%s: exit %d, %d cuts\n%s", name, code, c.Count()-cuts, errs.String())
			}
			c.Arm("commit", when == "after") // of the hit
			s.oneSuccess(t, l, name, file, command...)
			if c.Count() != cuts+2 {
				t.Errorf("%s: the hit was not cut", name)
			}
		}
	}
	if held, err := l.Locks(t.Context()); err != nil || len(held) > 0 {
		t.Errorf("locks held in the end: %+v, %v", held, err)
	}
	t.Logf("%d commits cut; each key has one success and one body", c.Count())
}
