package prune

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"golang.org/x/sys/unix"

	"github.com/outrider-run/outrider/runner/internal/db/dbtest"
	"github.com/outrider-run/outrider/runner/internal/journal"
	"github.com/outrider-run/outrider/runner/internal/ledger"
	"github.com/outrider-run/outrider/runner/internal/run"
)

// shelf is a store under test.
type shelf struct {
	Store
	t    *testing.T
	live string
}

func onBoth(t *testing.T, test func(t *testing.T, s *shelf)) {
	for name, url := range map[string]func(testing.TB) string{"sqlite": dbtest.SQLite, "postgres": dbtest.Postgres} {
		t.Run(name, func(t *testing.T) {
			l, err := ledger.Open(t.Context(), url(t), false)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
			dir := t.TempDir()
			test(t, &shelf{Store{l, dir + "/logs", dir + "/artifacts", dir + "/shared"}, t, dir + "/live"})
		})
	}
}

// begin records a run that goes on, with a log and an artifact of this size.
func (s *shelf) begin(size int, once string) *ledger.Entry {
	s.t.Helper()
	id := ulid.Make().String()
	s.files(id, size)
	if err := os.MkdirAll(s.live, 0o700); err != nil {
		s.t.Fatal(err)
	}
	live, err := os.Create(filepath.Join(s.live, id))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = live.Close() })
	if err := unix.Flock(int(live.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		s.t.Fatal(err)
	}
	e, _, err := s.Ledger.Begin(s.t.Context(), ledger.Request{
		Run:  ledger.Run{ID: id, Component: "a.b", Params: json.RawMessage(`{}`), Caller: ledger.Caller{Engine: "none"}},
		Live: live.Name(), Once: once,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return e
}

func (s *shelf) ended(size int, once string) string {
	s.t.Helper()
	e := s.begin(size, once)
	if err := e.Finish(s.t.Context(), ledger.End{Outcome: run.Outcome{State: run.Success}}); err != nil {
		s.t.Fatal(err)
	}
	return e.ID()
}

// files makes the files of a run: a log of 10 bytes and an artifact.
func (s *shelf) files(id string, size int) {
	s.t.Helper()
	for path, n := range map[string]int{journal.Path(s.Logs, id): 10, filepath.Join(s.Artifacts, id, "sub", "a"): size} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			s.t.Fatal(err)
		}
		if err := os.WriteFile(path, make([]byte, n), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
}

// left are the runs that have a record, a log and artifacts; a part of these fails.
func (s *shelf) left() []string {
	s.t.Helper()
	runs, err := s.Ledger.List(s.t.Context(), ledger.Filter{})
	if err != nil {
		s.t.Fatal(err)
	}
	var ids []string
	for _, r := range runs {
		ids = append(ids, r.ID)
	}
	slices.Sort(ids)
	for dir, suffix := range map[string]string{s.Logs: ".log.zst", s.Artifacts: ""} {
		var names, want []string
		files, err := os.ReadDir(dir)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, f := range files {
			names = append(names, f.Name())
		}
		for _, id := range ids {
			want = append(want, id+suffix)
		}
		if !slices.Equal(names, want) {
			s.t.Errorf("in %s are\n%v, want\n%v", dir, names, want)
		}
	}
	return ids
}

func age(t *testing.T, paths ...string) {
	t.Helper()
	then := time.Now().Add(-100 * time.Hour)
	for _, p := range paths {
		if err := os.Chtimes(p, then, then); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOld(t *testing.T) {
	onBoth(t, func(t *testing.T, s *shelf) {
		gone, keyed, open := s.ended(1000, ""), s.ended(1000, "k"), s.begin(1000, "").ID()
		if err := os.MkdirAll(filepath.Join(s.Shared, gone), 0o700); err != nil {
			t.Fatal(err)
		}
		if r, err := s.Old(t.Context(), time.Now().Add(-time.Hour)); r != (Report{}) || err != nil {
			t.Errorf("%+v, %v", r, err)
		}
		later := time.Now().Add(time.Minute)
		if r, err := s.Would(t.Context(), later); r != (Report{1, 1010}) || err != nil {
			t.Errorf("it would remove %+v, %v", r, err)
		}
		if r, err := s.Old(t.Context(), later); r != (Report{1, 1010}) || err != nil {
			t.Errorf("it removed %+v, %v", r, err)
		}
		if left := s.left(); !slices.Equal(left, []string{keyed, open}) {
			t.Errorf("left are %v", left)
		}
		if _, err := os.Stat(filepath.Join(s.Shared, gone)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("its shared artifacts: %v", err)
		}
	})
}

func TestStraysGo(t *testing.T) {
	onBoth(t, func(t *testing.T, s *shelf) {
		known := s.begin(1, "").ID()
		stray, young := ulid.Make().String(), ulid.Make().String()
		s.files(stray, 500)
		s.files(young, 500)
		age(t, journal.Path(s.Logs, known), filepath.Join(s.Artifacts, known), journal.Path(s.Logs, stray), filepath.Join(s.Artifacts, stray))
		notes := filepath.Join(s.Logs, "notes.txt")
		if err := os.WriteFile(notes, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		age(t, notes)
		r, err := s.Old(t.Context(), time.Now().Add(-time.Hour))
		if r != (Report{0, 510}) || err != nil {
			t.Errorf("%+v, %v", r, err)
		}
		if err := os.Remove(notes); err != nil {
			t.Errorf("a file of somebody else: %v", err)
		}
		for _, path := range []string{journal.Path(s.Logs, young), filepath.Join(s.Artifacts, young)} {
			if err := os.RemoveAll(path); err != nil {
				t.Error(err)
			}
		}
		if left := s.left(); !slices.Equal(left, []string{known}) {
			t.Errorf("left are %v", left)
		}
	})
}

func TestLarge(t *testing.T) {
	onBoth(t, func(t *testing.T, s *shelf) {
		const mega = 1_000_000
		open := s.begin(mega, "").ID()
		first, second, third, keyed := s.ended(mega, ""), s.ended(mega, ""), s.ended(mega, ""), s.ended(mega, "k")
		_, size, err := s.Size(t.Context())
		if err != nil || size < 5*mega || size > 6*mega {
			t.Fatalf("%d bytes, %v", size, err)
		}
		if r, err := s.Large(t.Context(), size); r != (Report{}) || err != nil {
			t.Errorf("%+v, %v", r, err)
		}
		if r, err := s.Large(t.Context(), size-mega*3/2); r != (Report{2, 2*mega + 20}) || err != nil {
			t.Errorf("%+v, %v; wanted are %s and %s", r, err, first, second)
		}
		if left := s.left(); !slices.Equal(left, []string{open, third, keyed}) {
			t.Errorf("left are %v", left)
		}
		if r, err := s.Large(t.Context(), 1); r.Runs != 1 || err != nil {
			t.Errorf("%+v, %v", r, err)
		}
		if left := s.left(); !slices.Equal(left, []string{open, keyed}) {
			t.Errorf("left are %v", left)
		}
	})
}

// TestIDsLeadNowhere: an id that somebody wrote into the ledger is no path.
func TestIDsLeadNowhere(t *testing.T) {
	dir := t.TempDir()
	s := Store{Logs: dir + "/logs", Artifacts: dir + "/artifacts"}
	if err := os.MkdirAll(s.Artifacts, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := s.remove([]string{"..", "", "../artifacts"}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(s.Artifacts); err != nil {
		t.Error(err)
	}
}

func TestDue(t *testing.T) {
	now := time.Now()
	for ago, want := range map[time.Duration]bool{
		0: false, 59 * time.Minute: false, time.Hour: true, 1000 * time.Hour: true, -time.Second: false, -2 * time.Hour: true,
	} {
		if due(now, now.Add(-ago)) != want {
			t.Errorf("%s ago: due is not %v", ago, want)
		}
	}
}

func TestHourly(t *testing.T) {
	stamp, now, n := filepath.Join(t.TempDir(), "state", "pruned"), time.Now(), 0
	do := func(context.Context) error { n++; return nil }
	hourly := func(at time.Time, do func(context.Context) error, want int) {
		t.Helper()
		if err := Hourly(t.Context(), stamp, at, do); err != nil || n != want {
			t.Errorf("done %d times, want %d, %v", n, want, err)
		}
	}
	hourly(now, do, 1)
	hourly(now.Add(59*time.Minute), do, 1)
	now = now.Add(time.Hour)
	hourly(now, do, 2)
	now = now.Add(time.Hour)
	broken := errors.New("broken")
	if err := Hourly(t.Context(), stamp, now, func(context.Context) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	hourly(now, do, 2) // what failed is not tried by every run
	now = now.Add(time.Hour)
	hourly(now, func(context.Context) error {
		hourly(now, do, 2) // while another does it
		n++
		return nil
	}, 3)

	// One that is not done in time goes on soon.
	now = now.Add(time.Hour)
	gone, cancel := context.WithCancel(t.Context())
	err := Hourly(gone, stamp, now, func(ctx context.Context) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	hourly(now, do, 3)
	hourly(now.Add(again), do, 4)
}

func TestHourlyIsDoneByOne(t *testing.T) {
	stamp, now := filepath.Join(t.TempDir(), "pruned"), time.Now()
	if err := os.WriteFile(stamp, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	age(t, stamp)
	var mu sync.Mutex
	var all sync.WaitGroup
	n := 0
	for range 20 {
		all.Go(func() {
			err := Hourly(t.Context(), stamp, now, func(context.Context) error {
				mu.Lock()
				defer mu.Unlock()
				n++
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n != 1 {
		t.Errorf("done %d times", n)
	}
}
