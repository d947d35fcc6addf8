package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"golang.org/x/sys/unix"

	"github.com/outrider-run/outrider/runner/internal/db"
	"github.com/outrider-run/outrider/runner/internal/db/dbtest"
	"github.com/outrider-run/outrider/runner/internal/run"
)

// onBoth runs a test on a ledger in each store.
func onBoth(t *testing.T, test func(t *testing.T, b *book)) {
	t.Helper()
	for _, store := range []struct {
		kind db.Kind
		url  func(testing.TB) string
	}{{db.SQLite, dbtest.SQLite}, {db.Postgres, dbtest.Postgres}} {
		t.Run(string(store.kind), func(t *testing.T) {
			b := &book{t: t, url: store.url(t), dir: t.TempDir()}
			b.Ledger = b.open()
			test(t, b)
		})
	}
}

// book is a ledger under test.
type book struct {
	*Ledger
	t   *testing.T
	url string
	dir string
}

func (b *book) open() *Ledger {
	b.t.Helper()
	l, err := Open(b.t.Context(), b.url, true)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = l.Close() })
	return l
}

// call is a run of a host that lives until die.
type call struct {
	*Entry
	Answer
	b    *book
	live *os.File
}

// ask makes a request of a component with these changes.
func (b *book) ask(changes ...func(*Request)) Request {
	r := Request{Run: Run{ID: ulid.Make().String(), Component: "probe.end", Params: json.RawMessage(`{"kind":"ok"}`), PID: os.Getpid()}}
	r.Run.Caller.Engine = "none"
	for _, change := range changes {
		change(&r)
	}
	return r
}

func (b *book) begin(changes ...func(*Request)) *call {
	b.t.Helper()
	c, err := b.try(b.ask(changes...))
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

func (b *book) try(r Request) (*call, error) {
	c := &call{b: b}
	if !b.Shared() {
		r.Live = filepath.Join(b.dir, r.Run.ID)
		var err error
		if c.live, err = os.Create(r.Live); err != nil {
			return nil, err
		}
		b.t.Cleanup(func() { _ = c.live.Close() })
		if err := unix.Flock(int(c.live.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			return nil, err
		}
	}
	var err error
	c.Entry, c.Answer, err = b.Begin(b.t.Context(), r)
	return c, err
}

// die leaves the run as a host does that is killed.
func (c *call) die() {
	c.b.t.Helper()
	if c.live != nil {
		_ = c.live.Close()
		return
	}
	err := c.l.db.Write(c.b.t.Context(), func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE outrider_runs SET lease_until = 1 WHERE id = ?`, c.ID())
		return err
	})
	if err != nil {
		c.b.t.Fatal(err)
	}
}

// end ends the run with a state, after which its claims are free.
func (c *call) end(state run.State) {
	c.b.t.Helper()
	if err := c.Finish(c.b.t.Context(), End{Outcome: run.Outcome{State: state, Output: json.RawMessage(`{"n":1}`)}}); err != nil {
		c.b.t.Fatal(err)
	}
}

// now is what the request comes to by now.
func (c *call) now() Answer {
	c.b.t.Helper()
	a, err := c.settle(c.b.t.Context())
	if err != nil {
		c.b.t.Fatal(err)
	}
	return a
}

func (c *call) want(v Verdict) {
	c.b.t.Helper()
	if c.Verdict != v {
		c.b.t.Errorf("the request is %s, want %s: %+v", c.Verdict, v, c.Answer)
	}
}

func (c *call) wantNow(v Verdict) {
	c.b.t.Helper()
	c.Answer = c.now()
	c.want(v)
}

func lock(name string) func(*Request) {
	return func(r *Request) { r.Claims = append(r.Claims, Lock(name)) }
}

func pool(name string, slots int64) func(*Request) {
	return func(r *Request) { r.Claims = append(r.Claims, Pool(name, slots)) }
}

func once(key string) func(*Request) { return func(r *Request) { r.Once = key } }

func priority(n int64) func(*Request) { return func(r *Request) { r.Priority = n } }

func params(text string) func(*Request) {
	return func(r *Request) { r.Run.Params = json.RawMessage(text) }
}

func force(r *Request) { r.Force = true }

func within(ids ...string) func(*Request) { return func(r *Request) { r.Ancestors = ids } }

// delivered is a call of a Digdag task in one of its deliveries.
func delivered(random string) func(*Request) {
	return func(r *Request) {
		r.Redelivery = true
		r.Run.Caller = Caller{Engine: "digdag", Run: "7", Session: "s", Task: "+w+t", TaskID: "12", Delivery: random}
	}
}

func TestRecord(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		full := func(r *Request) {
			r.Run.PluginVersion, r.Run.PluginSHA256, r.Run.Labels = "1.2", "abc", map[string]string{"team": "a=b, c", "ü": ""}
			r.Run.Caller = Caller{"airflow", "prod", "p", "dag", "task", "run", "s", "2026-01-02T03:04:05Z", "9", "8", 3, "http://a/b"}
			r.Run.Parent, r.Run.PID, r.Run.NextDue = "P", 77, time.UnixMilli(1_900_000_000_000).UTC()
		}
		c := b.begin(full, lock("a"))
		c.want(Granted)
		if err := c.Progress(t.Context(), json.RawMessage(`{"done":1}`)); err != nil {
			t.Fatal(err)
		}
		if err := c.Checkpoint(t.Context(), json.RawMessage(`{"at":5}`)); err != nil {
			t.Fatal(err)
		}
		o := run.Outcome{State: run.Failed, Code: "c", Message: "m\x01ü", Permanent: true, Attempts: 3}
		if err := c.Finish(t.Context(), End{Outcome: o, Exit: 3, LogTail: "l1\nl2", LogPath: "/p"}); err != nil {
			t.Fatal(err)
		}
		got, err := b.Get(t.Context(), c.ID())
		if err != nil {
			t.Fatal(err)
		}
		if got.AskedAt.IsZero() || got.StartedAt.Before(got.AskedAt) || got.EndedAt.Before(got.StartedAt) || got.Token == 0 || got.Host == "" {
			t.Errorf("%+v", got)
		}
		want := b.ask(full).Run
		want.ID, want.Host, want.User, want.AskedAt, want.StartedAt, want.EndedAt, want.Token = got.ID, got.Host, got.User, got.AskedAt, got.StartedAt, got.EndedAt, got.Token
		want.State, want.Code, want.Message, want.Permanent, want.Attempts, want.ExitCode = run.Failed, "c", "m\x01ü", true, 3, 3
		want.Progress, want.Checkpoint, want.LogTail, want.LogPath = json.RawMessage(`{"done":1}`), json.RawMessage(`{"at":5}`), "l1\nl2", "/p"
		want.digest, want.live, want.leaseUntil, want.epoch = got.digest, got.live, got.leaseUntil, 1
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got\n%+v, want\n%+v", got, want)
		}
		if _, err := b.Get(t.Context(), "none"); !errors.Is(err, ErrNoRun) {
			t.Errorf("a run that is not there: %v", err)
		}
	})
}

func TestLocksArePassedOn(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		first := b.begin(lock("a"), lock("b"))
		first.want(Granted)
		second, third, urgent := b.begin(lock("a")), b.begin(lock("b"), lock("a")), b.begin(lock("b"), priority(1))
		other := b.begin(lock("c"))
		other.want(Granted)
		second.want(Waiting)
		if h := second.Busy[0].Holders; len(h) != 1 || h[0].Run != first.ID() || h[0].PID != os.Getpid() || second.Busy[0].Resource != `lock "a"` {
			t.Errorf("%+v", second.Busy)
		}
		third.want(Waiting)
		if p := third.Busy[0].Position; p != 1 {
			t.Errorf("position %d, want 1 behind the second", p)
		}
		first.end(run.Success)
		third.wantNow(Waiting)
		urgent.wantNow(Granted)
		second.wantNow(Granted)
		second.end(run.Failed)
		third.wantNow(Waiting)
		urgent.end(run.Success)
		third.wantNow(Granted)
		tokens := []int64{}
		for _, c := range []*call{first, other, urgent, second, third} {
			n, ok := c.Token()
			if !ok || len(tokens) > 0 && n <= tokens[len(tokens)-1] {
				t.Errorf("token %d, %v after %v", n, ok, tokens)
			}
			tokens = append(tokens, n)
		}
		if n, ok := b.begin().Token(); ok {
			t.Errorf("a run without claims has token %d", n)
		}
	})
}

func TestAwait(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		holder, waiter := b.begin(lock("a")), b.begin(lock("a"))
		told := make(chan Answer, 1)
		go func() {
			<-told
			holder.end(run.Success)
		}()
		a, err := waiter.Await(t.Context(), func(a Answer) {
			select {
			case told <- a:
			default:
			}
		})
		if err != nil || a.Verdict != Granted {
			t.Errorf("%+v, %v", a, err)
		}
		over, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("enough"))
		if _, err := b.begin(lock("a")).Await(over, func(Answer) {}); err == nil || err.Error() != "enough" {
			t.Errorf("the end of waiting is %v", err)
		}
	})
}

func TestPools(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		if _, err := b.try(b.ask(pool("w", 1))); !errors.Is(err, ErrNoPool) || !strings.Contains(err.Error(), "outrider pools set w") {
			t.Errorf("a pool that was not set: %v", err)
		}
		set := func(n int64) {
			if err := b.SetPool(t.Context(), "w", n); err != nil {
				t.Fatal(err)
			}
		}
		set(4)
		if _, err := b.try(b.ask(pool("w", 5))); !errors.Is(err, ErrTooBig) {
			t.Errorf("more than there is: %v", err)
		}
		three := b.begin(pool("w", 3))
		big, small := b.begin(pool("w", 4)), b.begin(pool("w", 1))
		big.want(Waiting)
		small.want(Waiting) // or small ones would pass the big one for ever
		set(8)
		big.wantNow(Granted)
		small.wantNow(Granted)
		last := b.begin(pool("w", 1))
		last.want(Waiting)
		three.end(run.Success)
		last.wantNow(Granted)
		b.begin(pool("w", 5), lock("l")).want(Waiting)
		behind := b.begin(lock("l"))
		behind.want(Waiting)
		set(2)                  // less than is held: nobody loses anything
		behind.wantNow(Granted) // and who can never be served keeps nobody waiting
		if p, err := b.Pools(t.Context()); err != nil || len(p) != 1 || p[0].Slots != 2 || p[0].Used != 6 || len(p[0].Holders) != 3 {
			t.Errorf("%+v, %v", p, err)
		}
	})
}

func TestOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		for _, state := range []run.State{run.Failed, run.Skipped, run.TimedOut, run.Crashed, run.Cancelled} {
			c := b.begin(once("k"))
			c.want(Granted)
			c.end(state)
		}
		c := b.begin(once("k"))
		c.want(Granted)
		c.end(run.Success)
		again := b.begin(once("k"), params(`{ "kind" : "ok" }`)) // the same but for blanks
		again.want(Hit)
		if again.Of.ID != c.ID() || string(again.Of.Output) != `{"n":1}` {
			t.Errorf("%+v", again.Of)
		}
		if _, err := b.Get(t.Context(), again.ID()); !errors.Is(err, ErrNoRun) {
			t.Errorf("a hit has a run of its own: %v", err)
		}
		if f, err := b.Show(t.Context(), c.ID()); err != nil || len(f.Links) != 1 || f.Links[0].ID != again.ID() || f.Links[0].Kind != "hit" {
			t.Errorf("%+v, %v", f, err)
		}
		if _, err := b.try(b.ask(once("k"), params(`{"kind":"other"}`))); !errors.Is(err, ErrOtherParams) || !strings.Contains(err.Error(), `"other"`) {
			t.Errorf("other params: %v", err)
		}
		b.begin(once("k2"), params(`{"kind":"other"}`)).want(Granted)
		forced := b.begin(once("k"), force)
		forced.want(Granted)
		forced.end(run.Failed)
		b.begin(once("k")).want(Hit)
		if had, err := b.Forget(t.Context(), "k"); !had || err != nil {
			t.Errorf("forget: %v, %v", had, err)
		}
		if had, err := b.Forget(t.Context(), "k"); had || err != nil {
			t.Errorf("forget again: %v, %v", had, err)
		}
		b.begin(once("k")).want(Granted)
	})
}

// A task's successes are forgotten, whatever component it ran; those of its neighbours
// stay.
func TestForgetTask(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		dig := Caller{Engine: "digdag", Instance: "prod", Session: "5b1e", Task: "+daily+load"}
		air := Caller{Engine: "airflow", Instance: "prod", Workflow: "daily", Run: "manual__1/2", Task: "load"}
		other := func(c Caller, change func(*Caller)) Caller { change(&c); return c }
		gone, stay := map[string]bool{}, map[string]bool{}
		add := func(to map[string]bool, c Caller, component, params string) {
			key, err := DefaultKey(c, component, json.RawMessage(params))
			if err != nil {
				t.Fatal(err)
			}
			e := b.begin(once(key))
			e.want(Granted)
			e.end(run.Success)
			to[key] = true
		}
		add(gone, dig, "hello.greet", "{}")
		add(gone, dig, "sh", "{}")
		add(stay, other(dig, func(c *Caller) { c.Task += "2" }), "sh", "{}")
		add(stay, other(dig, func(c *Caller) { c.Session += "2" }), "sh", "{}")
		add(stay, other(dig, func(c *Caller) { c.Instance = "dev" }), "sh", "{}")
		add(gone, air, "hello.greet", `{"n":1}`)
		add(gone, air, "hello.greet", `{"n":2}`)
		add(stay, other(air, func(c *Caller) { c.Task += "2" }), "sh", "{}")
		add(stay, other(air, func(c *Caller) { c.Run = "manual__1" }), "sh", "{}")
		for _, c := range []Caller{dig, air} {
			keys, err := b.ForgetTask(t.Context(), c)
			if err != nil || len(keys) != 2 || !gone[keys[0]] || !gone[keys[1]] {
				t.Errorf("%s: forgot %q, %v; want two of %v", c.Engine, keys, err, gone)
			}
			if again, err := b.ForgetTask(t.Context(), c); err != nil || len(again) != 0 {
				t.Errorf("%s: forgot again %q, %v", c.Engine, again, err)
			}
		}
		for key := range stay {
			b.begin(once(key)).want(Hit)
		}
		if _, err := b.ForgetTask(t.Context(), Caller{Engine: "cron"}); !errors.Is(err, ErrNoKey) {
			t.Errorf("cron: %v", err)
		}
	})
}

func TestOnceIsJoined(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		for _, state := range []run.State{run.Success, run.Failed, run.Skipped} {
			key := once(string(state))
			c, joiner := b.begin(key), b.begin(key)
			joiner.want(Joining)
			c.end(state)
			joiner.wantNow(Joined)
			if joiner.Of.ID != c.ID() || joiner.Of.State != state {
				t.Errorf("%s: joined %+v", state, joiner.Of)
			}
			if _, err := b.Get(t.Context(), joiner.ID()); !errors.Is(err, ErrNoRun) {
				t.Errorf("a join has a run of its own: %v", err)
			}
		}
		// Who came to no result leaves the first in line to run.
		for _, gone := range []func(*call){func(c *call) { c.end(run.Cancelled) }, (*call).die} {
			key := once(ulid.Make().String())
			c, first, second := b.begin(key), b.begin(key), b.begin(key)
			gone(c)
			second.wantNow(Waiting)
			first.wantNow(Granted)
			second.wantNow(Joining)
			first.end(run.Success)
			second.wantNow(Joined)
		}
	})
}

func TestRedelivery(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		first := b.begin(delivered("r1"))
		first.want(Granted)
		// Digdag gives py> no attempt's id, so its copy finds nothing to join.
		nameless := b.begin(delivered("r1"), func(r *Request) { r.Run.Caller.Run = "" })
		if !first.Joinable() || nameless.Joinable() || b.begin().Joinable() {
			t.Errorf("joinable: %v, %v", first.Joinable(), nameless.Joinable())
		}
		equal := b.begin(delivered("r1")) // the task's script calls it twice
		equal.want(Granted)
		equal.end(run.Failed)
		other := b.begin(delivered("r1"), params(`{"kind":"other"}`))
		other.want(Granted)

		copied := b.begin(delivered("r2"))
		copied.want(Joining)
		first.end(run.Success)
		copied.wantNow(Joined)
		if copied.Of.ID != first.ID() {
			t.Errorf("joined %s, want %s", copied.Of.ID, first.ID())
		}
		second := b.begin(delivered("r2"))
		second.want(Granted) // the equal one failed
		second.end(run.Success)
		b.begin(delivered("r3")).want(Hit)
		b.begin(delivered("r3")).want(Hit)
		b.begin(delivered("r3")).want(Granted) // a third call there was not
	})
}

func TestFailuresForGoodAreRemembered(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		first := b.begin(delivered("r1"))
		if err := first.Finish(t.Context(), End{Outcome: run.Outcome{State: run.Failed, Permanent: true, Message: "no such table"}, Exit: 3}); err != nil {
			t.Fatal(err)
		}
		b.begin(delivered("r1")).want(Granted) // a second call in the same delivery
		retried := b.begin(delivered("r2"), func(r *Request) { r.Run.Caller.TaskID = "13" })
		retried.want(Remembered)
		if retried.Of.ID != first.ID() || retried.Of.Message != "no such table" {
			t.Errorf("%+v", retried.Of)
		}
		b.begin(delivered("r2"), force).want(Granted)
		b.begin(delivered("r3"), func(r *Request) { r.Run.Caller.Run = "8" }).want(Granted) // another attempt
	})
}

func TestAncestors(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		parent := b.begin(lock("a"), once("k"))
		for _, claim := range []func(*Request){lock("a"), once("k")} {
			if _, err := b.try(b.ask(claim, within("x", parent.ID()))); !errors.Is(err, ErrAncestor) {
				t.Errorf("the parent's claim: %v", err)
			}
		}
		b.begin(lock("b"), within(parent.ID())).want(Granted)
	})
}

func TestTheDeadLoseTheirClaims(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		dead, ahead, next := b.begin(lock("a")), b.begin(lock("a")), b.begin(lock("a"))
		dead.die()
		ahead.die()
		next.wantNow(Granted)
		for _, c := range []*call{dead, ahead} {
			if r, err := b.Get(t.Context(), c.ID()); err != nil || r.State != run.Lost {
				t.Errorf("%+v, %v", r, err)
			}
		}
		if err := dead.Finish(t.Context(), End{Outcome: run.Outcome{State: run.Success, Output: json.RawMessage(`{"late":1}`)}}); !errors.Is(err, ErrLost) {
			t.Errorf("a late end: %v", err)
		}
		r, err := b.Get(t.Context(), dead.ID())
		if err != nil || r.State != run.Lost || !strings.Contains(string(r.LateResult), `"late":1`) {
			t.Errorf("%+v, %v", r, err)
		}
		if err := dead.Checkpoint(t.Context(), json.RawMessage(`1`)); !errors.Is(err, ErrLost) {
			t.Errorf("a late checkpoint: %v", err)
		}
		next.wantNow(Granted)
		b.begin(lock("a")).want(Waiting) // the late end has not freed it
		open := b.begin()
		open.die()
		if n, err := b.Reconcile(t.Context()); n != 1 || err != nil {
			t.Errorf("reconciled %d, %v", n, err)
		}
	})
}

func TestPlacesAreKept(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		holder, gaveUp, patient := b.begin(lock("a")), b.begin(lock("a")), b.begin(lock("a"), params(`{"who":2}`))
		err := gaveUp.Finish(t.Context(), End{Outcome: run.Outcome{State: run.Failed, Code: "busy"}, Exit: 75, Keep: true})
		if err != nil {
			t.Fatal(err)
		}
		back := b.begin(lock("a"))
		if back.Busy[0].Position != 0 {
			t.Errorf("who came back is at %d", back.Busy[0].Position)
		}
		holder.end(run.Success)
		patient.wantNow(Waiting)
		back.wantNow(Granted)
		back.end(run.Success)

		// While its place is kept it reserves nothing.
		holder = b.begin(lock("b"))
		gaveUp = b.begin(lock("b"))
		if err := gaveUp.Finish(t.Context(), End{Outcome: run.Outcome{State: run.Failed, Code: "busy"}, Keep: true}); err != nil {
			t.Fatal(err)
		}
		holder.end(run.Success)
		b.begin(lock("b"), params(`{"who":3}`)).want(Granted)

		// Who is granted at once in the place that was kept holds it as others do.
		gaveUpOf := func(name string) {
			t.Helper()
			c := b.begin(lock(name))
			c.want(Waiting)
			if err := c.Finish(t.Context(), End{Outcome: run.Outcome{State: run.Failed, Code: "busy"}, Keep: true}); err != nil {
				t.Fatal(err)
			}
		}
		holder = b.begin(lock("c"))
		gaveUpOf("c")
		patient = b.begin(lock("c"), params(`{"who":4}`))
		holder.end(run.Success)
		back = b.begin(lock("c"))
		back.want(Granted)
		patient.wantNow(Waiting)
		b.begin(lock("c"), params(`{"who":5}`)).want(Waiting)
		back.end(run.Success)
		patient.wantNow(Granted)

		// A place is used up by the call that did not need it.
		holder = b.begin(lock("d"))
		gaveUpOf("d")
		holder.end(run.Success)
		b.begin(lock("d")).end(run.Success)
		holder = b.begin(lock("d"), params(`{"who":6}`))
		first := b.begin(lock("d"), params(`{"who":7}`))
		last := b.begin(lock("d"))
		if last.Busy[0].Position != 1 {
			t.Errorf("a place that was used up is used again: %+v", last.Busy)
		}
		holder.end(run.Success)
		first.wantNow(Granted)
	})
}

func TestCancel(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		c := b.begin()
		ended := make(chan error, 1)
		go func() { ended <- c.Keep(t.Context(), time.Second) }()
		if asked, err := b.open().Cancel(t.Context(), c.ID(), "by me"); !asked || err != nil {
			t.Errorf("%v, %v", asked, err)
		}
		if err := <-ended; !errors.Is(err, ErrCancelled) || !strings.HasSuffix(err.Error(), "by me") {
			t.Errorf("%v", err)
		}
		holder := b.begin(lock("a"))
		waiter := b.begin(lock("a"))
		go func() {
			_, err := waiter.Await(t.Context(), func(Answer) {})
			ended <- err
		}()
		if asked, err := b.Cancel(t.Context(), waiter.ID(), "in line"); !asked || err != nil {
			t.Errorf("%v, %v", asked, err)
		}
		if err := <-ended; !errors.Is(err, ErrCancelled) || !strings.HasSuffix(err.Error(), "in line") {
			t.Errorf("%v", err)
		}
		holder.end(run.Success)
		c.end(run.Cancelled)
		if asked, err := b.Cancel(t.Context(), c.ID(), "again"); asked || err != nil {
			t.Errorf("after the end: %v, %v", asked, err)
		}
		if _, err := b.Cancel(t.Context(), "none", ""); !errors.Is(err, ErrNoRun) {
			t.Errorf("none: %v", err)
		}
	})
}

func TestList(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		var ids []string
		for i := range 5 {
			c := b.begin(func(r *Request) {
				r.Run.Component = []string{"a.b", "c.d"}[i%2]
				r.Run.Caller.Workflow = "w"
				r.Run.Labels = map[string]string{"n": fmt.Sprint(i), "all": "x"}
			})
			c.end([]run.State{run.Success, run.Failed}[i/4])
			ids = append(ids, c.ID())
		}
		for name, c := range map[string]struct {
			f    Filter
			want []int
		}{
			"all":       {Filter{}, []int{4, 3, 2, 1, 0}},
			"state":     {Filter{States: []run.State{run.Failed, run.Running}}, []int{4}},
			"component": {Filter{Component: "c.d"}, []int{3, 1}},
			"workflow":  {Filter{Workflow: "w", Limit: 2}, []int{4, 3}},
			"none":      {Filter{Workflow: "v"}, nil},
			"label":     {Filter{Labels: map[string]string{"n": "2"}}, []int{2}},
			"labels":    {Filter{Labels: map[string]string{"n": "2", "all": "y"}}, nil},
			"cursor":    {Filter{Before: ids[2], Limit: 1}, []int{1}},
			"until":     {Filter{Until: time.Now().Add(-time.Hour)}, nil},
			"since":     {Filter{Since: time.Now().Add(-time.Hour), Limit: 1}, []int{4}},
		} {
			got, err := b.List(t.Context(), c.f)
			var at []int
			for _, r := range got {
				for i, id := range ids {
					if id == r.ID {
						at = append(at, i)
					}
				}
			}
			if err != nil || !reflect.DeepEqual(at, c.want) {
				t.Errorf("%s: %v, want %v, %v", name, at, c.want, err)
			}
		}
	})
}

// TestInDoubt: what is done again, because the answer to its commit was cut off,
// changes nothing more.
func TestInDoubt(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		first := b.begin(delivered("r1"), lock("a"))
		again := func(c *call) Answer {
			e, a, err := b.record(t.Context(), c.req, true)
			if err != nil {
				t.Fatal(err)
			}
			c.Entry = e
			return a
		}
		if a := again(first); a.Verdict != Granted {
			t.Errorf("%+v", a)
		}
		waiter := b.begin(delivered("r1"), lock("a"))
		if a := again(waiter); a.Verdict != Waiting || waiter.ticket == 0 || len(waiter.claims) != 2 || waiter.delivery == "" {
			t.Errorf("%+v, %+v", a, waiter.Entry)
		}
		first.end(run.Success)
		first.end(run.Success)
		if r, err := b.Get(t.Context(), first.ID()); err != nil || r.State != run.Success || r.LateResult != nil {
			t.Errorf("%+v, %v", r, err)
		}
		waiter.wantNow(Granted)
		waiter.wantNow(Granted)
		if n, ok := waiter.Token(); !ok || n == 0 {
			t.Errorf("token %d", n)
		}
	})
}

func TestPrune(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		kept, open := b.begin(once("k")), b.begin()
		kept.end(run.Success)
		var gone []string
		for range pruneBatch + 3 {
			c := b.begin(func(r *Request) { r.Run.Labels = map[string]string{"a": "b"} })
			c.end(run.Failed)
		}
		later := time.Now().Add(time.Minute)
		if n, err := b.Prune(t.Context(), time.Now().Add(-time.Hour), nil); n != 0 || err != nil {
			t.Errorf("pruned %d, %v", n, err)
		}
		n, err := b.Prune(t.Context(), later, func(ids []string) { gone = append(gone, ids...) })
		if n != pruneBatch+3 || len(gone) != n || err != nil {
			t.Errorf("pruned %d, told of %d, %v", n, len(gone), err)
		}
		left, err := b.List(t.Context(), Filter{})
		if err != nil || len(left) != 2 || left[0].ID != open.ID() || left[1].ID != kept.ID() {
			t.Errorf("%+v, %v", left, err)
		}
		b.begin(once("k")).want(Hit)
		if n, err := b.Bytes(t.Context()); n < 10_000 || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
	})
}

func TestEarlierTries(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		key := func(r *Request) { r.Run.Key = "k" }
		look := func(c *call, attempts int, restore string) {
			t.Helper()
			c.want(Granted)
			if c.Earlier() != attempts || string(c.Restore()) != restore {
				t.Errorf("%d attempts before, %q to restore, want %d, %q", c.Earlier(), c.Restore(), attempts, restore)
			}
		}
		first := b.begin(key)
		look(first, 0, "")
		if err := first.Checkpoint(t.Context(), json.RawMessage(`{"row":7}`)); err != nil {
			t.Fatal(err)
		}
		if err := first.Finish(t.Context(), End{Outcome: run.Outcome{State: run.Failed, Attempts: 3}}); err != nil {
			t.Fatal(err)
		}
		look(b.begin(), 0, "")
		look(b.begin(key, params(`{"kind":"other"}`)), 3, "")
		second := b.begin(key, lock("a"))
		look(second, 4, `{"row":7}`)
		third := b.begin(key, lock("a"))
		second.end(run.Success)
		third.wantNow(Granted)
		look(third, 5, "") // there is nothing left to go on with
	})
}
