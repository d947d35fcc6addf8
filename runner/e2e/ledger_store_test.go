package e2e

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/db/dbtest"
	"github.com/outrider-run/outrider/runner/internal/ledger"
)

// store is a world with its ledger.
type store struct {
	world
	url string
	// env is what its hosts get besides.
	env []string
}

// onSQLite is a world whose ledger is the file in its state folder.
func onSQLite(t testing.TB) store {
	s := store{world: newWorld(t)}
	s.url = "sqlite:" + filepath.Join(s.state(), "ledger.db")
	return s.withScript(t)
}

// onPostgres is a world whose ledger is a new database of the shared server.
func onPostgres(t testing.TB) store { return onServer(t, dbtest.Postgres(t)) }

func onServer(t testing.TB, url string) store {
	return store{newWorld(t), url, []string{"OUTRIDER_LEDGER=" + url, "OUTRIDER_INSTANCE=tests"}}.withScript(t)
}

// onEachStore runs a test on both.
func onEachStore(t *testing.T, test func(t *testing.T, s store)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, onSQLite(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, onPostgres(t)) })
}

func (s store) cmd(args ...string) *exec.Cmd {
	cmd := s.world.cmd(args...)
	cmd.Env = append(cmd.Env, s.env...)
	return cmd
}

// open opens the ledger beside its hosts.
func (s store) open(t testing.TB) *ledger.Ledger {
	t.Helper()
	if err := os.MkdirAll(s.state(), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(t.Context(), s.url, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// labelled lists the runs that have a label, the newest first.
func labelled(t testing.TB, l *ledger.Ledger, name, value string) []ledger.Run {
	t.Helper()
	runs, err := l.List(t.Context(), ledger.Filter{Labels: map[string]string{name: value}, Limit: 2000})
	if err != nil {
		t.Fatal(err)
	}
	return runs
}

// script is a body for exec, as probe.body is one for run: FILE tells of all bodies,
// and who runs holds its flock, so that an overlap is seen by the bodies alone.
const script = `exec 9>>"$1"
run=${OUTRIDER_RUN##*,}
flock -n 9 || echo "overlap $run $EPOCHREALTIME" >&9
echo "begin $run $EPOCHREALTIME" >&9
echo begun >&2
sleep "$2"
echo "end $run $EPOCHREALTIME" >&9
`

// script is the file of the body.
func (s store) script() string { return filepath.Join(s.home, "body.sh") }

func (s store) withScript(t testing.TB) store {
	t.Helper()
	if err := os.WriteFile(s.script(), []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	return s
}

// event is a line of what bodies tell.
type event struct {
	word, run string
	at        time.Time
}

// told reads what the bodies told in a file, in order.
func told(t testing.TB, file string) (all []event) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var e event
		var at string
		if _, err := fmt.Sscan(line, &e.word, &e.run, &at); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		seconds, err := strconv.ParseFloat(at, 64)
		if err != nil {
			t.Fatal(err)
		}
		e.at = time.UnixMicro(int64(seconds * 1e6))
		all = append(all, e)
	}
	return all
}

func count(all []event, word string) (n int) {
	for _, e := range all {
		if e.word == word {
			n++
		}
	}
	return n
}

// aim says when a host is killed.
type aim int

const (
	never    aim = iota
	atRandom     // at a random moment of its first tenth of a second
	inBody       // a random moment after its body has begun
)

// shot is a host that has ended.
type shot struct {
	pid    int
	killed time.Time // zero: it was not
	code   int
	stderr string
}

// shoot runs a host to its end, or to where it is killed: within spread after its
// body has begun, as long as there are bullets.
func shoot(t testing.TB, cmd *exec.Cmd, when aim, spread time.Duration, bullets *atomic.Int64) shot {
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Error(err)
		return shot{code: -1}
	}
	x := shot{pid: cmd.Process.Pid}
	var killing sync.WaitGroup
	// The moments are what is tested, so these sleeps are no waits for anything.
	kill := func(within time.Duration) {
		time.Sleep(rand.N(within))
		x.killed = time.Now()
		_ = cmd.Process.Kill() // it may have ended
	}
	if when == atRandom {
		killing.Go(func() { kill(100 * time.Millisecond) })
	}
	var text strings.Builder
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		text.WriteString(lines.Text() + "\n")
		if when == inBody && strings.Contains(lines.Text(), "begun") && bullets.Add(-1) >= 0 {
			kill(spread)
		}
	}
	killing.Wait()
	_ = cmd.Wait() // the exit code is what counts
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
		x.killed = time.Time{}
	}
	x.code, x.stderr = cmd.ProcessState.ExitCode(), text.String()
	return x
}
