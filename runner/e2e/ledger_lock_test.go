package e2e

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/run"
)

// stuck is how long a lock may be nobody's after the kill of its holder while
// somebody waits for it: the lease on PostgreSQL, and a little.
const stuck = 30 * time.Second

// TestLocksUnderKills takes locks 1,000 times on each store, by as many processes as
// a machine may have, and kills who holds them or waits for them.
func TestLocksUnderKills(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		underLocks(t, onSQLite(t), 4, 4, func(_, take int) aim {
			if take%5 == 0 {
				return aim(1 + take/5%2)
			}
			return never
		}, 200)
	})
	// Each lock stands still for the whole of a lease once: so there are ten, and the
	// kills in them lie apart.
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		underLocks(t, onPostgres(t), 10, 2, func(lock, take int) aim {
			if take == 3*lock {
				return inBody
			}
			return never
		}, 10)
	})
}

func underLocks(t *testing.T, s store, locks, each int, aims func(lock, take int) aim, wantKills int) {
	var all sync.WaitGroup
	var bullets atomic.Int64
	bullets.Store(contended)
	takes := make([]atomic.Int64, locks)
	var mu sync.Mutex
	kills := make([][]time.Time, locks)
	for lock := range locks {
		for range each {
			all.Go(func() {
				for {
					take := int(takes[lock].Add(1)) - 1
					if take >= contended/locks {
						return
					}
					name := fmt.Sprintf("lock%d", lock)
					args := []string{"exec", "--lock", name, "--label", "all=x", "--", "bash", s.script(), filepath.Join(s.home, name), "0.005"}
					if when := aims(lock, take); when != never {
						args[len(args)-1] = "5" // so that it is hit
						x := shoot(t, s.cmd(args...), when, 20*time.Millisecond, &bullets)
						if x.killed.IsZero() {
							t.Errorf("it was not killed, but ended with %d\n%s", x.code, x.stderr)
							continue
						}
						mu.Lock()
						kills[lock] = append(kills[lock], x.killed)
						mu.Unlock()
					} else if x := shoot(t, s.cmd(args...), never, 0, nil); x.code != 0 {
						t.Errorf("exit %d\n%s", x.code, x.stderr)
					}
				}
			})
		}
	}
	all.Wait()
	begun, ended, overlaps, killed := 0, 0, 0, 0
	var longest time.Duration
	ends := map[string]bool{}
	for lock := range locks {
		events := told(t, filepath.Join(s.home, fmt.Sprintf("lock%d", lock)))
		begun, ended, overlaps = begun+count(events, "begin"), ended+count(events, "end"), overlaps+count(events, "overlap")
		for _, e := range events {
			ends[e.run] = ends[e.run] || e.word == "end"
		}
		for _, at := range kills[lock] {
			killed++
			i := slices.IndexFunc(events, func(e event) bool { return e.word == "begin" && e.at.After(at) })
			if i >= 0 {
				longest = max(longest, events[i].at.Sub(at))
			}
		}
	}
	successes := 0
	for _, r := range labelled(t, s.open(t), "all", "x") {
		if r.State == run.Success {
			successes++
		}
		if (r.State == run.Success) != ends[r.ID] {
			t.Errorf("run %s is %s, and that its body has ended is %v", r.ID, r.State, ends[r.ID])
		}
	}
	t.Logf("%d takes of %d locks, %d killed: %d bodies begun, %d ended, %d successes recorded, %d overlaps; at most %s from a kill to the next body",
		contended, locks, killed, begun, ended, successes, overlaps, longest.Round(time.Millisecond))
	if overlaps > 0 || killed != wantKills || ended != contended-killed || successes != ended {
		t.Error("not what was to be")
	}
	if longest > stuck {
		t.Errorf("a lock was nobody's for %s", longest)
	}
	if held, err := s.open(t).Locks(t.Context()); err != nil || strings.Contains(fmt.Sprint(held), "Waiters:[{") {
		t.Errorf("still waited for: %+v, %v", held, err)
	}
}
