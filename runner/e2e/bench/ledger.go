package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/db/dbtest"
	"github.com/outrider-run/outrider/runner/internal/ledger"
)

// store is a ledger to be measured.
type store struct {
	name, url string
}

// notATest is what dbtest asks of a test.
type notATest struct {
	testing.TB
	ends []func()
}

func (t *notATest) Helper()           {}
func (t *notATest) Cleanup(f func())  { t.ends = append(t.ends, f) }
func (t *notATest) Fatal(args ...any) { panic(fmt.Sprint(args...)) }
func (t *notATest) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}

func (t *notATest) end() {
	for i := len(t.ends) - 1; i >= 0; i-- {
		t.ends[i]()
	}
}

// ledgers measures what the ledger costs, on both stores.
func (b *bench) ledgers() (all []figure, err error) {
	t := &notATest{}
	defer t.end()
	lite := store{"SQLite", "sqlite:" + filepath.Join(b.state, "measured.db")}
	stores := []store{lite, {"PostgreSQL", dbtest.Postgres(t)}}
	for i, s := range stores {
		for _, f := range []func() ([]figure, error){
			func() ([]figure, error) { return b.locked(s, []float64{1.5, 2}[i]) },
			func() ([]figure, error) { return b.crowd(s, []float64{0.45, 0.30}[i]) },
			func() ([]figure, error) { return b.handOver(s) },
		} {
			figures, err := f()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
			all = append(all, figures...)
		}
	}
	figures, err := b.full()
	return append(all, figures...), err
}

// on is outrider with this ledger.
func (b *bench) on(s store, args ...string) *exec.Cmd {
	cmd := b.outrider(args...)
	cmd.Env = append(cmd.Env, "OUTRIDER_LEDGER="+s.url)
	return cmd
}

func (b *bench) bare() *exec.Cmd {
	return exec.Command(filepath.Join(b.built, "bare-host"), filepath.Join(b.built, "bare-plugin"))
}

// locked compares a run under a lock that nobody else wants with the bare pair.
func (b *bench) locked(s store, target float64) ([]figure, error) {
	ours, theirs, err := pairs(b.pairs, func() *exec.Cmd {
		return b.on(s, "run", "--log-level", "warn", "--lock", "a", "hello.greet", "--name", "you")
	}, b.bare)
	if err != nil {
		return nil, err
	}
	return []figure{{
		what: "run hello.greet under a lock on " + s.name + ", of a bare pair", target: target, unit: "×", atMost: true,
		got: ratio(ours, theirs), note: fmt.Sprintf("%.1f ms against %.1f ms", median(ours), median(theirs)),
	}}, nil
}

// crowd compares how many runs 16 processes make on one ledger with how many bare
// pairs.
func (b *bench) crowd(s store, target float64) ([]figure, error) {
	const processes, each = 16, 12
	rate := func(cmd func() *exec.Cmd) (float64, error) {
		var all sync.WaitGroup
		errs := make([]error, processes)
		began := time.Now()
		for p := range processes {
			all.Go(func() {
				for range each {
					if out, err := cmd().CombinedOutput(); err != nil {
						errs[p] = fmt.Errorf("%w: %s", err, out)
						return
					}
				}
			})
		}
		all.Wait()
		return processes * each / time.Since(began).Seconds(), errors.Join(errs...)
	}
	theirs, err := rate(b.bare)
	if err != nil {
		return nil, err
	}
	ours, err := rate(func() *exec.Cmd { return b.on(s, "run", "--log-level", "warn", "hello.greet", "--name", "you") })
	if err != nil {
		return nil, err
	}
	return []figure{{
		what: "runs of 16 processes on " + s.name + ", of bare pairs", target: target, unit: "×",
		got: ours / theirs, note: fmt.Sprintf("%.0f/s against %.0f/s", ours, theirs),
	}}, nil
}

// handOver is the time from the end of who holds a lock to the start of who waits,
// as the two of them tell it.
func (b *bench) handOver(s store) ([]figure, error) {
	var all []float64
	for range 7 {
		dir, err := os.MkdirTemp(b.built, "hand")
		if err != nil {
			return nil, err
		}
		holder := b.on(s, "exec", "--lock", "h", "--", "sh", "-c", "touch held; until [ -e go ]; do sleep 0.01; done; date +%s%N >ended")
		waiter := b.on(s, "exec", "--lock", "h", "--", "sh", "-c", "date +%s%N >began")
		holder.Dir, waiter.Dir = dir, dir
		if err := holder.Start(); err != nil {
			return nil, err
		}
		for !there(filepath.Join(dir, "held")) {
			time.Sleep(5 * time.Millisecond)
		}
		said, err := waiter.StderrPipe()
		if err != nil {
			return nil, err
		}
		if err := waiter.Start(); err != nil {
			return nil, err
		}
		if _, err := said.Read(make([]byte, 1)); err != nil { // that it waits
			return nil, err
		}
		go drain(said)
		if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
			return nil, err
		}
		if err := errors.Join(holder.Wait(), waiter.Wait()); err != nil {
			return nil, err
		}
		var ended, began int64
		for name, to := range map[string]*int64{"ended": &ended, "began": &began} {
			text, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				return nil, err
			}
			if _, err := fmt.Sscan(string(text), to); err != nil {
				return nil, err
			}
		}
		all = append(all, float64(began-ended)/1e6)
	}
	return []figure{{
		what: "hand-over of a lock on " + s.name, target: 250, unit: "ms", atMost: true, got: median(all), note: "median of 7",
	}}, nil
}

func there(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// full compares a ledger of a million runs with one of a hundred.
func (b *bench) full() ([]figure, error) {
	ctx := context.Background()
	few := store{"few", "sqlite:" + filepath.Join(b.state, "few", "ledger.db")}
	many := store{"many", "sqlite:" + filepath.Join(b.state, "many", "ledger.db")}
	fmt.Fprintln(os.Stderr, "recording a million runs; this takes a minute or two")
	for _, f := range []struct {
		s store
		n int
	}{{few, 100}, {many, 1_000_000}} {
		if err := b.fill(f.s, f.n, 1, time.UnixMilli(old)); err != nil {
			return nil, err
		}
	}
	page := func(s store) func() *exec.Cmd {
		return func() *exec.Cmd { return b.on(s, "runs", "list", "--format", "json") }
	}
	ours, theirs, err := pairs(15, page(many), page(few))
	if err != nil {
		return nil, err
	}
	held, err := b.pruning(ctx, many)
	if err != nil {
		return nil, err
	}
	return []figure{
		{
			what: "first page of 1,000,000 runs, over 100", target: 50, unit: "ms", atMost: true,
			got: median(ours) - median(theirs), note: fmt.Sprintf("%.0f ms against %.0f ms", median(ours), median(theirs)),
		},
		{what: "longest a start waits while 100,000 runs are pruned", target: 100, unit: "ms", atMost: true, got: held},
	}, nil
}

// old is when the first of the recorded runs ended; they come every five seconds.
var old = time.Now().Add(-60 * 24 * time.Hour).UnixMilli()

const every = 5_000

// fill records n ended runs of so many names, the first at a time: one by a command, the
// others as copies of it.
func (b *bench) fill(s store, n, names int, first time.Time) error {
	if err := b.on(s, "exec", "--", "true").Run(); err != nil {
		return err
	}
	d, err := sql.Open("sqlite", strings.TrimPrefix(s.url, "sqlite:"))
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	rows, err := d.Query(`SELECT name FROM pragma_table_info('outrider_runs')`)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	ended := fmt.Sprintf("(%d + n * %d)", first.UnixMilli(), every)
	var values []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		switch name {
		case "id":
			name = ulid(ended)
		case "asked_at", "started_at", "ended_at":
			name = ended
		case "component":
			name = fmt.Sprintf(`iif(n %% %[1]d, 'exec' || (n %% %[1]d), 'exec')`, names)
		}
		values = append(values, name)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	_, err = d.Exec(`WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
		INSERT INTO outrider_runs SELECT `+strings.Join(values, ", ")+` FROM numbers, (SELECT * FROM outrider_runs LIMIT 1)`, n)
	return err
}

// ulid is the SQL of an id with a time: ten digits of five bits, and n for chance.
func ulid(milliseconds string) string {
	var digits []string
	for shift := 45; shift >= 0; shift -= 5 {
		digits = append(digits, fmt.Sprintf(`substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', (%s >> %d & 31) + 1, 1)`, milliseconds, shift))
	}
	return strings.Join(digits, " || ") + ` || printf('%016d', n)`
}

// pruning removes 100,000 runs while others start, and returns by how many
// milliseconds the slowest of them took longer than a usual one.
func (b *bench) pruning(ctx context.Context, s store) (float64, error) {
	l, err := ledger.Open(ctx, s.url, false)
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	start := func() (float64, error) { return timed(b.on(s, "exec", "--", "true")) }
	var usual []float64
	for range 15 {
		ms, err := start()
		if err != nil {
			return 0, err
		}
		usual = append(usual, ms)
	}
	before := time.UnixMilli(old + 100_000*every)
	done := make(chan error, 1)
	go func() {
		_, err := l.Prune(ctx, before, func([]string) {})
		done <- err
	}()
	slowest := 0.0
	for {
		select {
		case err := <-done:
			return slowest - median(usual), err
		default:
		}
		ms, err := start()
		if err != nil {
			return 0, err
		}
		slowest = max(slowest, ms)
	}
}
