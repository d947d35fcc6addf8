package source

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"golang.org/x/sys/unix"

	"github.com/outrider-run/outrider/runner/internal/db/dbtest"
	"github.com/outrider-run/outrider/runner/internal/ledger"
	"github.com/outrider-run/outrider/runner/internal/run"
	"github.com/outrider-run/outrider/sdk/observe"
)

// onBoth runs a test on a ledger in each store.
func onBoth(t *testing.T, test func(t *testing.T, w *watched)) {
	t.Helper()
	for name, url := range map[string]func(testing.TB) string{"sqlite": dbtest.SQLite, "postgres": dbtest.Postgres} {
		t.Run(name, func(t *testing.T) {
			l, err := ledger.Open(t.Context(), url(t), true)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
			test(t, &watched{t: t, ledger: l, dir: t.TempDir(), told: map[string]observe.State{}})
		})
	}
}

// watched is a ledger that is asked again and again.
type watched struct {
	t      *testing.T
	ledger *ledger.Ledger
	dir    string
	limit  int
	cursor json.RawMessage
	// told are the ends that were told.
	told map[string]observe.State
}

// begun is a run whose host lives until its file is closed.
type begun struct {
	*ledger.Entry
	w    *watched
	live *os.File
}

func (w *watched) begin(name string, changes ...func(*ledger.Request)) begun {
	w.t.Helper()
	r := ledger.Request{Run: ledger.Run{ID: ulid.Make().String(), Component: name, Params: json.RawMessage(`["-c","x"]`), Command: true, PID: os.Getpid()}}
	r.Live = filepath.Join(w.dir, r.Run.ID)
	for _, change := range changes {
		change(&r)
	}
	live, err := os.Create(r.Live)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = live.Close() })
	if err := unix.Flock(int(live.Fd()), unix.LOCK_EX); err != nil {
		w.t.Fatal(err)
	}
	e, _, err := w.ledger.Begin(w.t.Context(), r)
	if err != nil {
		w.t.Fatal(err)
	}
	return begun{e, w, live}
}

func (b begun) end(state run.State) string {
	b.w.t.Helper()
	end := ledger.End{Outcome: run.Outcome{State: state}, LogTail: strings.Repeat("a line\n", 3000) + "the last"}
	if err := b.Finish(b.w.t.Context(), end); err != nil {
		b.w.t.Fatal(err)
	}
	return b.ID()
}

// look asks, and checks that no end is told twice.
func (w *watched) look(details ...string) observe.Snapshot {
	w.t.Helper()
	a := Asked{Cursor: w.cursor, Details: details}
	if w.cursor == nil {
		a.HistoryFrom = time.Now().Add(-time.Hour)
	}
	s, err := Ledger(w.ledger, w.limit).Ask(w.t.Context(), a)
	if err == nil {
		err = Check(s, time.Now())
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.cursor = s.Cursor
	for _, r := range s.Runs {
		if _, twice := w.told[r.ID]; twice && !slices.Contains(details, r.ID) {
			w.t.Errorf("the end of %s is told again", r.ID)
		}
		if r.State.Ended() {
			w.told[r.ID] = r.State
		}
	}
	return s
}

func runIn(t *testing.T, s observe.Snapshot, id string) observe.Run {
	t.Helper()
	at := slices.IndexFunc(s.Runs, func(r observe.Run) bool { return r.ID == id })
	if at < 0 {
		t.Fatalf("run %s is not among %d runs", id, len(s.Runs))
	}
	return s.Runs[at]
}

func dueAt(at time.Time) func(*ledger.Request) {
	return func(r *ledger.Request) { r.Run.NextDue = at }
}

func TestLedgerRuns(t *testing.T) {
	onBoth(t, func(t *testing.T, w *watched) {
		past := w.begin("backup").end(run.Success)
		s := w.look()
		if s.Engine != Engine || runIn(t, s, past).State != observe.Success || runIn(t, s, past).Labels == nil || !s.Health[0].OK {
			t.Errorf("%+v", s)
		}
		a := w.begin("backup", func(r *ledger.Request) {
			r.Run.Labels = map[string]string{observe.LabelThreshold: "2h"}
			r.Run.PluginVersion, r.Run.Key = "1.2", "the key"
		})
		r := runIn(t, w.look(), a.ID())
		if r.State != observe.Running || r.Workflow != "backup" || r.Project != "" || r.Address != a.ID() || r.Created.IsZero() || r.Started.IsZero() || !r.Ended.IsZero() ||
			r.Labels[observe.LabelThreshold] != "2h" || r.Revision != "1.2" || r.Session != "the key" || string(r.Params) != `{"argv":["-c","x"]}` {
			t.Errorf("%+v, params %s", r, r.Params)
		}
		if _, err := w.ledger.Cancel(t.Context(), a.ID(), "enough"); err != nil {
			t.Fatal(err)
		}
		if r = runIn(t, w.look(), a.ID()); r.State != observe.Cancelling || !r.CancelAsked {
			t.Errorf("%+v", r)
		}
		want := map[string]observe.State{past: observe.Success, a.end(run.Cancelled): observe.Cancelled}
		for state, is := range map[run.State]observe.State{
			run.Success: observe.Success, run.Failed: observe.Failed, run.Skipped: observe.Skipped,
			run.TimedOut: observe.Failed, run.Crashed: observe.Failed,
		} {
			want[w.begin("backup").end(state)] = is
		}
		dead := w.begin("backup", func(r *ledger.Request) { r.Claims = []ledger.Claim{ledger.Lock("l")} })
		waits := w.begin("other", func(r *ledger.Request) { r.Claims = []ledger.Claim{ledger.Lock("l")} })
		s = w.look()
		if r := runIn(t, s, waits.ID()); r.State != observe.Queued || !r.Started.IsZero() {
			t.Errorf("%+v", r)
		}
		if !slices.ContainsFunc(s.Signals, func(x observe.Signal) bool { return x.Name == "waiting_runs" && x.Value == 1 }) {
			t.Errorf("%+v", s.Signals)
		}
		if !w.ledger.Shared() { // there a lease says it, after 25 s
			_ = dead.live.Close()
			want[dead.ID()] = observe.Failed
			w.look()
		}
		if !maps.Equal(w.told, want) {
			t.Errorf("told %v, want %v", w.told, want)
		}
		if s = w.look(); len(s.Blind) > 0 || s.Cut {
			t.Errorf("%q", s.Blind)
		}
	})
}

func TestLedgerDetails(t *testing.T) {
	onBoth(t, func(t *testing.T, w *watched) {
		id := w.begin("backup").end(run.Failed)
		if r := runIn(t, w.look(), id); r.LogTail != "" {
			t.Errorf("a log tail of %d bytes", len(r.LogTail))
		}
		s := w.look(id, "01NOSUCHRUN")
		r := runIn(t, s, id)
		if len(r.LogTail) > maxTail || !strings.HasPrefix(r.LogTail, "a line\n") || !strings.HasSuffix(r.LogTail, "\nthe last") {
			t.Errorf("a log tail of %d bytes", len(r.LogTail))
		}
		if !slices.Equal(s.Blind, []string{"run 01NOSUCHRUN, asked for in details: the ledger has none"}) {
			t.Errorf("%q", s.Blind)
		}
	})
}

// TestLedgerDue: a name is due when its newest run says so, whatever else runs.
func TestLedgerDue(t *testing.T) {
	onBoth(t, func(t *testing.T, w *watched) {
		now := time.Now().UTC().Truncate(time.Millisecond)
		next := func() map[string]time.Time {
			all := map[string]time.Time{}
			for _, s := range w.look().Schedules {
				all[s.Workflow] = s.NextRun
			}
			return all
		}
		w.begin("nightly", dueAt(now.Add(-time.Minute))).end(run.Success)
		w.begin("once").end(run.Success)
		w.begin("gone", dueAt(now.Add(-stale-time.Hour))).end(run.Success)
		want := map[string]time.Time{"nightly": now.Add(-time.Minute)}
		for range 2 { // it is remembered
			if got := next(); !maps.Equal(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
		}
		w.begin("nightly", dueAt(now.Add(time.Hour))) // runs
		w.begin("hourly", dueAt(now.Add(time.Minute))).end(run.Failed)
		want = map[string]time.Time{"nightly": now.Add(time.Hour), "hourly": now.Add(time.Minute)}
		if got := next(); !maps.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		w.begin("nightly").end(run.Success) // by hand
		if got := next(); !maps.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

// TestLedgerLimit: what is cut off comes with the next, and nothing is concluded of
// schedules meanwhile; the first snapshot has as many of each name.
func TestLedgerLimit(t *testing.T) {
	onBoth(t, func(t *testing.T, w *watched) {
		w.limit = 4
		for range 5 {
			w.begin("often").end(run.Success)
		}
		rare := w.begin("rare").end(run.Success)
		if s := w.look(); len(s.Runs) != 3 || s.Cut {
			t.Errorf("%d runs, cut %v", len(s.Runs), s.Cut)
		}
		if w.told[rare] == "" {
			t.Error("the rare one is left out")
		}
		open := w.begin("often")
		w.look()
		w.told = map[string]observe.State{}
		var ids []string
		for range 9 {
			ids = append(ids, w.begin("often", dueAt(time.Now().Add(time.Hour))).end(run.Success))
		}
		ids = append(ids, open.end(run.Success))
		for pass := range 3 {
			s := w.look()
			if cut := pass < 2; s.Cut != cut || len(s.Runs) != []int{4, 4, 2}[pass] || (len(s.Schedules) == 0) != cut || len(s.Blind) > 0 != cut {
				t.Errorf("pass %d: %d runs, cut %v, %v, %q", pass, len(s.Runs), s.Cut, s.Schedules, s.Blind)
			}
		}
		if got := slices.Sorted(maps.Keys(w.told)); !slices.Equal(got, slices.Sorted(slices.Values(ids))) {
			t.Errorf("%q, want %q", got, ids)
		}
	})
}

// TestLedgerOpenRunThatIsNoMore: of a run that was open and was pruned.
func TestLedgerOpenRunThatIsNoMore(t *testing.T) {
	onBoth(t, func(t *testing.T, w *watched) {
		a := w.begin("backup")
		w.look()
		id := a.end(run.Success)
		if gone, err := w.ledger.Remove(t.Context(), []string{id}); err != nil || len(gone) != 1 {
			t.Fatal(gone, err)
		}
		if s := w.look(); !slices.Equal(s.Blind, []string{"run " + id + ": it was open, and the ledger has it no more"}) {
			t.Errorf("%q", s.Blind)
		}
		if s := w.look(); len(s.Blind) > 0 {
			t.Errorf("then %q", s.Blind)
		}
	})
}
