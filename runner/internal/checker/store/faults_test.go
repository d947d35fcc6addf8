package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/outrider-run/outrider/runner/internal/checker"
	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/db"
	"github.com/outrider-run/outrider/runner/internal/db/dbtest"
)

// TestTwentyOpenAtOnce: as many checkers find an empty database at the same moment, and
// each of them puts a message into it.
func TestTwentyOpenAtOnce(t *testing.T) {
	for kind, url := range map[db.Kind]string{db.SQLite: dbtest.SQLite(t), db.Postgres: dbtest.Postgres(t)} {
		t.Run(string(kind), func(t *testing.T) {
			var all []*process
			for i := range 20 {
				p := start(t, "open", url, strconv.Itoa(i))
				if line := p.line(t); line != "ready" {
					t.Fatal(line)
				}
				all = append(all, p)
			}
			for _, p := range all {
				_ = p.in.Close()
			}
			for _, p := range all {
				if line := p.line(t); line != "done" {
					t.Error(line)
				}
			}
			b := &bench{Store: open(t, url), t: t, url: url}
			if words, _ := b.due(0); len(words) != 20 {
				t.Errorf("%d messages are there, want 20", len(words))
			}
		})
	}
}

// childOpen opens a store as soon as stdin ends, and puts a message: URL, number.
func childOpen(args []string) error {
	fmt.Println("ready")
	_, _ = io.ReadAll(os.Stdin)
	ctx := context.Background()
	s, err := Open(ctx, args[0])
	if err != nil {
		return err
	}
	if err := s.Put(ctx, []alert.Event{event(args[1], 1, alert.New, "a")}, t0); err != nil {
		return err
	}
	fmt.Println("done")
	return s.Close()
}

// TestTwoCheckers play at once: together they tell what one would.
func TestTwoCheckers(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		const last = 60
		r := newReceiver(t)
		one, two := start(t, "play", b.url, r.URL, strconv.Itoa(last)), start(t, "play", b.url, r.URL, strconv.Itoa(last))
		for _, p := range []*process{one, two} {
			for p.out.Scan() {
				if line := p.out.Text(); line != "ready" {
					t.Fatal(line)
				}
			}
			if err := p.Wait(); err != nil {
				t.Fatal(err)
			}
		}
		r.check(t, position(b.load()), last)
	})
}

// TestAStoppedChecker is stopped while it tells a receiver. On PostgreSQL another one
// takes over, and what the first does when it wakes is nothing; on SQLite the turn stays
// with who lives.
func TestAStoppedChecker(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		asked, answer := make(chan message, 100), make(chan struct{})
		receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
			var m message
			if err := json.NewDecoder(req.Body).Decode(&m); err != nil {
				t.Error(err)
			}
			asked <- m
			<-answer
		}))
		defer receiver.Close()
		const never = 1 << 30
		p := start(t, "play", b.url, receiver.URL, strconv.Itoa(never))
		p.line(t)
		<-asked
		b.must(p.Process.Signal(unix.SIGSTOP))
		b.exec(`UPDATE outrider_checker_meta SET until = 1`)
		if b.db.Kind == db.SQLite {
			b.wantBusy(b.Store)
			close(answer)
			b.must(p.Process.Signal(unix.SIGCONT))
			<-asked // it goes on
			return
		}
		var told []Row
		n, err := play(t.Context(), b.Store, time.Hour, never, func(r Row) (bool, error) { told = append(told, r); return false, nil })
		if err != nil || len(told) == 0 || !told[0].Doubt {
			t.Fatalf("pass %d: %v; told %+v", n, err, told)
		}
		close(answer)
		b.must(p.Process.Signal(unix.SIGCONT))
		if line := p.line(t); !strings.Contains(line, ErrTaken.Error()) && !strings.Contains(line, ErrTurnLost.Error()) {
			t.Errorf("the first wakes and says %q", line)
		}
		if got := position(b.load()); got != n+1 {
			t.Errorf("the first went on: pass %d, want %d", got, n+1)
		}
	})
}

// TestAWriteThatSaysNothing is ended by the server, since it holds up all others.
func TestAWriteThatSaysNothing(t *testing.T) {
	b := &bench{t: t, Store: open(t, dbtest.Postgres(t))}
	b.must(b.write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		var patience string
		if err := tx.QueryRow(ctx, `SELECT current_setting('idle_in_transaction_session_timeout')`).Scan(&patience); err != nil {
			return err
		}
		if patience != "20s" {
			t.Errorf("the server waits %s", patience)
		}
		return nil
	}))
}

// TestTheDatabaseGoes in the middle of a pass, for a moment or for longer.
func TestTheDatabaseGoes(t *testing.T) {
	server := dbtest.New(t, "synchronous_commit=on")
	b := &bench{t: t, url: server.Database(t), config: checker.Config{Rules: ruleSet(t)}}
	b.Store = b.open()
	b.fire(0, "scheduler")
	turn, before := b.begin(), b.load().State
	result := checker.Pass(before, []checker.Report{health(30, "scheduler", true)}, b.config, at(30))
	p := Passed{Before: before, Result: result, Events: result.Events, At: at(30)}

	server.Stop(t)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := b.Commit(ctx, turn, p); err == nil {
		t.Error("a pass is stored in a server that is not there")
	}
	done := make(chan error)
	go func() { done <- b.Commit(t.Context(), turn, p) }()
	server.Start(t)
	b.must(<-done)
	same(t, "the state", b.load().State, result.State)
	server.Kill(t)
	go func() { done <- turn.End(t.Context()) }()
	server.Start(t)
	b.must(<-done)
	b.wantDue(30, "resolved")
}

// TestTheAnswerIsLost: what is done while the connection breaks at the commit is done
// once, whether the server got it or not.
func TestTheAnswerIsLost(t *testing.T) {
	for _, answered := range []bool{true, false} {
		t.Run(fmt.Sprint("done ", answered), func(t *testing.T) {
			cutter, url := dbtest.New(t).Cut(t)
			b := &bench{t: t, url: url, config: checker.Config{Rules: ruleSet(t)}}
			b.Store = b.open()
			cuts := 0
			lossy := func(do func() error) {
				t.Helper()
				cutter.Arm("commit\x00", answered)
				b.must(do())
				if cuts++; cutter.Count() != cuts {
					t.Fatal("nothing was cut")
				}
			}
			var turn *Turn
			lossy(func() (err error) {
				var ok bool
				if turn, ok, err = b.Begin(t.Context(), time.Minute); !ok {
					err = errors.Join(err, errBusy)
				}
				return err
			})
			lossy(func() error {
				return b.Commit(t.Context(), turn, Passed{At: at(0), Events: []alert.Event{event("i", 1, alert.New, "a")}})
			})
			lossy(func() error { return b.Put(t.Context(), []alert.Event{event("i", 0, alert.Acknowledged, "a")}, at(0)) })
			lossy(func() error {
				return b.Change(t.Context(), func(book alert.Book) (alert.Book, []alert.Event, error) {
					return book, []alert.Event{event("i", 0, alert.Acknowledged, "a")}, nil
				})
			})
			row := b.wantDue(0, "new")[0]
			lossy(func() error { return b.Sending(t.Context(), row.ID) })
			lossy(func() error { return b.Retry(t.Context(), row.ID, "500", at(1), true) })
			row = b.wantDue(1, "new")[0]
			if row.Tries != 1 {
				t.Errorf("it was tried %d times", row.Tries)
			}
			b.must(b.Sending(t.Context(), row.ID))
			lossy(func() error { return b.Sent(t.Context(), row.ID, json.RawMessage(`{}`), at(2)) })
			if words, rows := b.due(2); len(words) != 1 || rows[0].Event.Seq != 2 {
				t.Errorf("%v", words)
			}
			if n := b.count(`SELECT count(*) FROM outrider_checker_outbox`); n != 2 {
				t.Errorf("%d messages are left, want 2", n)
			}
			a := Act{ID: "1", Action: "restart", EventKey: "k", State: ActRunning, At: at(0)}
			lossy(func() error {
				created, err := b.PutAct(t.Context(), a)
				if !created {
					t.Error("the act is taken for another's")
				}
				return err
			})
			lossy(func() error { return turn.Renew(t.Context()) })
			lossy(func() error { return b.Finish(t.Context(), turn, Last{At: at(2)}) })
			lossy(func() error { return turn.End(t.Context()) })
			if entries, err := b.Log(t.Context(), at(0), 0); err != nil || len(entries) != 2 {
				t.Errorf("%+v, %v", entries, err)
			}
		})
	}
}
