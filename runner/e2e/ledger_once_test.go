package e2e

import (
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/db/dbtest"
	"github.com/outrider-run/outrider/runner/internal/run"
)

const (
	// contended is how many starts a test makes on each store.
	contended = 1000
	// width is how many of them at once.
	width = 16
)

// contest is processes that start with one key at once.
type contest struct {
	key    string
	starts int
	aims   func(i int) aim
	// bullets is how many may be killed in the body, which lasts so long.
	bullets int64
	lasts   time.Duration
}

// TestOnceUnderKills: 1,000 starts, 16 at once with one key, and then with the next.
// Whatever is killed, bodies of one key never overlap, one success is recorded, and
// no body is repeated but for a kill.
func TestOnceUnderKills(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		once(t, onSQLite(t), nil, func(i int) aim {
			if i%8 < 3 {
				return aim(2 - i%2)
			}
			return never
		})
	})
	// Who waits for one that was killed waits for the end of its lease. So the keys
	// with kills have their contests beside the others.
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		server := dbtest.New(t, "max_connections=150")
		var killed []contest
		for i := range 5 {
			killed = append(killed, contest{fmt.Sprintf("killed%d", i), width - 4, func(i int) aim {
				if i < 10 {
					return inBody // the first of them whose body runs
				}
				return atRandom
			}, 1, 100 * time.Millisecond})
		}
		once(t, onServer(t, server.URL()), killed, func(int) aim { return never })
	})
}

// once holds the contests, those of beside at the same time as the others.
func once(t *testing.T, s store, beside []contest, aims func(i int) aim) {
	var tally oncePoll
	left := contended
	var all sync.WaitGroup
	for _, c := range beside {
		left -= c.starts
		all.Go(func() { tally.hold(t, s, c) })
	}
	for n := 0; left > 0; n++ {
		c := contest{fmt.Sprintf("key%d", n), min(width, left), aims, width, 20 * time.Millisecond}
		left -= c.starts
		tally.hold(t, s, c)
	}
	all.Wait()
	t.Logf("%d starts on %d keys, %d hosts killed: %d bodies begun, %d ended, %d overlaps, %d successes recorded, %d killed between start and commit",
		tally.starts, tally.keys, tally.killed, tally.begun, tally.ended, tally.overlaps, tally.successes, tally.between)
	if tally.starts != contended || tally.killed == 0 || tally.between == 0 {
		t.Error("that is no contest under kills")
	}
}

// oncePoll adds up what contests came to.
type oncePoll struct {
	mu                                                               sync.Mutex
	starts, keys, killed, begun, ended, overlaps, successes, between int
}

func (p *oncePoll) hold(t *testing.T, s store, c contest) {
	file, body := filepath.Join(s.home, c.key), s.script()
	shots := make([]shot, c.starts)
	var bullets atomic.Int64
	bullets.Store(c.bullets)
	var all sync.WaitGroup
	for i := range shots {
		all.Go(func() {
			// Of every other key the bodies are those of a component.
			args := []string{"exec", "--once-key", c.key, "--label", "key=" + c.key, "--", "bash", body, file, fmt.Sprint(c.lasts.Seconds())}
			if c.key[len(c.key)-1]%2 == 0 {
				args = []string{"run", "--once-key", c.key, "--label", "key=" + c.key, "probe.body", "--file", file, "--for", c.lasts.String()}
			}
			shots[i] = shoot(t, s.cmd(args...), c.aims(i), c.lasts+c.lasts/4, &bullets)
		})
	}
	all.Wait()
	killed := map[int]bool{}
	for _, x := range shots {
		if !x.killed.IsZero() {
			killed[x.pid] = true
		} else if x.code != 0 {
			t.Errorf("%s: exit %d\n%s", c.key, x.code, x.stderr)
		}
	}
	successes, between := 0, 0
	begun := map[string]bool{}
	events := told(t, file)
	for _, e := range events {
		begun[e.run] = true
	}
	for _, r := range labelled(t, s.open(t), "key", c.key) {
		switch {
		case r.State == run.Success:
			successes++
		case begun[r.ID] && killed[r.PID]:
			between++
		case begun[r.ID]:
			t.Errorf("%s: body %s has come to %s, and its host was not killed", c.key, r.ID, r.State)
		}
		delete(begun, r.ID)
	}
	ends, overlaps := count(events, "end"), count(events, "overlap")
	if overlaps > 0 || successes != 1 || ends < 1 || ends > 1+between || len(begun) > 0 {
		t.Errorf("%s: %d overlaps, %d successes, %d bodies ended, %d killed between start and commit, bodies without a record: %v",
			c.key, overlaps, successes, ends, between, begun)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.starts, p.keys, p.killed = p.starts+c.starts, p.keys+1, p.killed+len(killed)
	p.begun, p.ended, p.overlaps = p.begun+count(events, "begin"), p.ended+ends, p.overlaps+overlaps
	p.successes, p.between = p.successes+successes, p.between+between
}
