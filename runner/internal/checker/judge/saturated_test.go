package judge

import (
	"slices"
	"testing"

	"github.com/outrider-run/outrider/sdk/observe"
)

// TestPoolHolders: a full pool is held by the tasks that the engine names, and by nobody
// where it names none: what is open elsewhere says nothing of it.
func TestPoolHolders(t *testing.T) {
	signal := func(name string, v float64, labels map[string]string) observe.Signal {
		return observe.Signal{Name: name, Value: v, Labels: labels}
	}
	of := func(pool string) map[string]string { return map[string]string{"pool": pool} }
	full := with(snap(0, run("1", 0, 0, observe.Running)), func(s *observe.Snapshot) {
		for _, pool := range []string{"a", "b"} {
			s.Signals = append(s.Signals, signal("pool_slots", 4, of(pool)), signal("pool_open_slots", 0, of(pool)))
		}
		s.Signals = append(s.Signals, signal("pool_holder_slots", 1, map[string]string{"pool": "a", "dag": "loads", "task": "copy"}),
			signal("pool_holder_slots", 3, map[string]string{"pool": "a", "dag": "sums", "task": "all"}))
	})
	got := map[string][]string{}
	for _, f := range Judge(after(t, "", full)).Findings {
		got[f.Labels["pool"]] = f.Holders
	}
	if want := []string{"prod:sums/all: 3 of its slots", "prod:loads/copy: 1 of its slots"}; len(got) != 2 || !slices.Equal(got["a"], want) || len(got["b"]) > 0 {
		t.Errorf("%q", got)
	}
}

// TestAtLeast: where the engine does not tell its limit, and has more open than was thought,
// it is full all the same by all that is known, and the text says what that is.
func TestAtLeast(t *testing.T) {
	open := func(n, limit float64, from string) []observe.Snapshot {
		return []observe.Snapshot{with(snap(0), func(s *observe.Snapshot) {
			s.Signals = []observe.Signal{{Name: "open_attempts", Value: n}, {Name: "open_attempts_limit", Value: limit, Labels: map[string]string{"from": from}}}
		})}
	}
	const key = "saturated |open_attempts: open attempts: "
	table{
		{"by default", "", open(100, 100, "Digdag's default"), key + "100 of 100"},
		{"more", "", open(101, 101, "at least what is open"), key + "101 of at least 101"},
	}.run(t)
}
