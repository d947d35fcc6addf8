package ledger

import (
	goflag "flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/outrider-run/outrider/runner/internal/run"
)

// asked is a request of the model. Its place in line is its place in model.all.
type asked struct {
	*call
	claims   map[string]int64
	priority int64
	granted  bool
	ended    bool
}

func (a *asked) waits() bool { return !a.granted && !a.ended }
func (a *asked) holds() bool { return a.granted && !a.ended }

// model is what locks and pools are to be: of every resource the slots, and who asked
// in what order.
type model struct {
	b     *book
	slots map[string]int64
	all   []*asked
}

// ahead reports whether the waiting w is served before a. Whoever asked for more
// than there is by now waits apart.
func (m *model) ahead(w, a *asked, resource string) bool {
	if w == a || !w.waits() || w.claims[resource] == 0 {
		return false
	}
	for other, n := range w.claims {
		if n > m.slots[other] {
			return false
		}
	}
	if w.priority != a.priority {
		return w.priority > a.priority
	}
	return slices.Index(m.all, w) < slices.Index(m.all, a)
}

// free is what of a resource is nobody's and kept for nobody before a.
func (m *model) free(a *asked, resource string) int64 {
	free := m.slots[resource]
	for _, o := range m.all {
		if o.holds() || m.ahead(o, a, resource) {
			free -= o.claims[resource]
		}
	}
	return free
}

// can reports whether all that a asks for can be its own now.
func (m *model) can(a *asked) bool {
	for resource, n := range a.claims {
		if n > m.free(a, resource) {
			return false
		}
	}
	return true
}

func (m *model) pick(t *rapid.T, which func(*asked) bool) *asked {
	var some []*asked
	for _, a := range m.all {
		if which(a) {
			some = append(some, a)
		}
	}
	if len(some) == 0 {
		t.Skip("none")
	}
	return rapid.SampledFrom(some).Draw(t, "run")
}

// TestClaimsAreAStateMachine compares both ledgers with a model of locks and pools,
// call by call: who is granted what, who waits, who holds.
func TestClaimsAreAStateMachine(t *testing.T) {
	checks := goflag.Lookup("rapid.checks")
	if checks.Value.String() == checks.DefValue { // nobody asked for another number
		must(t, checks.Value.Set("30")) // each is some hundred transactions
		defer func() { must(t, checks.Value.Set(checks.DefValue)) }()
	}
	onBoth(t, func(t *testing.T, b *book) {
		machines, counts := 0, map[string]int{}
		rapid.Check(t, func(rt *rapid.T) {
			machines++
			of := func(name string) string { return fmt.Sprintf("%s%d", name, machines) }
			m := &model{b: b, slots: map[string]int64{lockPrefix + of("a"): 1, lockPrefix + of("b"): 1, poolPrefix + of("p"): 3}}
			set := func(n int64) {
				if err := b.SetPool(t.Context(), of("p"), n); err != nil {
					rt.Fatal(err)
				}
				m.slots[poolPrefix+of("p")] = n
			}
			set(3)
			var last int64 // fencing token
			granted := func(a *asked) {
				a.granted = true
				token, ok := a.Token()
				if !ok || token <= last {
					rt.Fatalf("token %d after %d", token, last)
				}
				last = token
				counts["granted"]++
			}
			end := func(a *asked, how func()) {
				how()
				a.ended = true
			}
			rt.Repeat(map[string]func(*rapid.T){
				"ask": func(rt *rapid.T) {
					a := &asked{claims: map[string]int64{}, priority: rapid.Int64Range(0, 1).Draw(rt, "priority")}
					changes := []func(*Request){priority(a.priority)}
					for _, name := range []string{"a", "b"} {
						if rapid.Bool().Draw(rt, name) {
							a.claims[lockPrefix+of(name)] = 1
							changes = append(changes, lock(of(name)))
						}
					}
					if n := rapid.Int64Range(0, m.slots[poolPrefix+of("p")]).Draw(rt, "slots"); n > 0 {
						a.claims[poolPrefix+of("p")] = n
						changes = append(changes, pool(of("p"), n))
					}
					if len(a.claims) == 0 {
						rt.Skip("nothing")
					}
					m.all = append(m.all, a)
					can := m.can(a)
					a.call = b.begin(changes...)
					if (a.Verdict == Granted) != can {
						rt.Fatalf("a request for %v is %s, and that it can be granted is %v", a.claims, a.Verdict, can)
					}
					if can {
						granted(a)
					}
					counts["asked"]++
				},
				"wait": func(rt *rapid.T) {
					a := m.pick(rt, (*asked).waits)
					can := m.can(a)
					if got := a.now(); (got.Verdict == Granted) != can {
						rt.Fatalf("who waits for %v is %s, and that it can be granted is %v", a.claims, got.Verdict, can)
					}
					if can {
						granted(a)
					}
					counts["waited"]++
				},
				"end": func(rt *rapid.T) {
					a := m.pick(rt, (*asked).holds)
					end(a, func() {
						a.end(rapid.SampledFrom([]run.State{run.Success, run.Failed, run.Cancelled}).Draw(rt, "state"))
					})
					counts["ended"]++
				},
				"give up": func(rt *rapid.T) {
					a := m.pick(rt, (*asked).waits)
					end(a, func() { a.end(run.Failed) })
					counts["gave up"]++
				},
				"die": func(rt *rapid.T) {
					a := m.pick(rt, func(a *asked) bool { return !a.ended })
					end(a, a.die)
					counts["died"]++
				},
				"set": func(rt *rapid.T) {
					set(rapid.Int64Range(1, 5).Draw(rt, "pool"))
					counts["set"]++
				},
				"": func(rt *rapid.T) { m.compare(rt, of) },
			})
			// In the end nobody is left waiting: each is served, then ends.
			for range m.all {
				for _, a := range m.all {
					if a.waits() && m.can(a) {
						a.wantNow(Granted)
						granted(a)
					}
					if a.holds() {
						end(a, func() { a.end(run.Success) })
					}
				}
			}
			for _, a := range m.all {
				if a.waits() && a.claims[poolPrefix+of("p")] <= m.slots[poolPrefix+of("p")] {
					rt.Errorf("%v is left waiting", a.claims)
				}
			}
		})
		t.Logf("%d machines: %v", machines, counts)
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// compare looks at who holds and who waits, resource by resource.
func (m *model) compare(t *rapid.T, of func(string) string) {
	locks, err := m.b.Locks(m.b.t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pools, err := m.b.Pools(m.b.t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, r := range append(locks, pools...) {
		got[r.Kind+":"+r.Name] = fmt.Sprint(names(r.Holders), names(r.Waiters))
	}
	for resource := range m.slots {
		var held, waiting []string
		for _, a := range m.all {
			switch {
			case a.claims[resource] == 0:
			case a.holds():
				held = append(held, a.ID())
			case a.waits():
				waiting = append(waiting, a.ID())
			}
		}
		slices.Sort(held)
		slices.Sort(waiting)
		want := fmt.Sprint(held, waiting)
		if got[resource] == "" && want == "[] []" {
			continue
		}
		if got[resource] != want {
			t.Fatalf("%s is held and waited for by %s, want %s", strings.TrimSuffix(resource, of("")), got[resource], want)
		}
	}
}

func names(holders []Holder) (ids []string) {
	for _, h := range holders {
		ids = append(ids, h.Run)
	}
	slices.Sort(ids)
	return ids
}
