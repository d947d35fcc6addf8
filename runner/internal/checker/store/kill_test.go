package store

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
)

// receiver counts what it is told. One that is moody refuses some messages, and of others
// it cuts the connection after it has taken them.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	moody bool
	got   []message
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{moody: true}
	r.Server = httptest.NewServer(http.HandlerFunc(r.take))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) take(w http.ResponseWriter, req *http.Request) {
	var m message
	if err := json.NewDecoder(req.Body).Decode(&m); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.moody && rand.IntN(4) == 0 {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	r.got = append(r.got, m)
	if r.moody && rand.IntN(10) == 0 {
		panic(http.ErrAbortHandler)
	}
}

func (r *receiver) calm() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.moody = false
}

// check holds what was told against all that there was to tell.
func (r *receiver) check(t *testing.T, passes, last int) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	events, err := played(passes, last)
	if err != nil {
		t.Fatal(err)
	}
	by := map[string][]message{}
	for _, m := range r.got {
		by[m.Incident] = append(by[m.Incident], m)
	}
	doubts, merged := 0, 0
	for incident, want := range events {
		got := by[incident]
		delete(by, incident)
		seq, first := 0, true
		for _, m := range got {
			if m.Doubt {
				doubts++
			}
			if m.Seq < seq || m.Seq == seq && !m.Doubt {
				t.Errorf("%s is told number %d after %d (in doubt: %v)", incident, m.Seq, seq, m.Doubt)
			}
			if first && m.Kind != alert.New && !(m.Kind == alert.Recovered && m.Merged) {
				t.Errorf("the first that is told of %s is %+v", incident, m)
			}
			if m.Merged {
				merged++
			}
			seq, first = m.Seq, false
		}
		end := want[len(want)-1]
		if len(got) == 0 || got[len(got)-1].Kind != end.Kind || seq != end.Seq {
			t.Errorf("of %s there were %d events to %s %d; told was %+v", incident, len(want), end.Kind, end.Seq, got)
		}
		if end.Kind != alert.Recovered {
			t.Errorf("%s did not end: %s", incident, end.Kind)
		}
	}
	for incident := range by {
		t.Errorf("%s is told, and there is no such incident", incident)
	}
	t.Logf("%d incidents, %d messages, of which %d were in doubt and %d merged", len(events), len(r.got), doubts, merged)
	if len(events) < 8 || doubts == 0 {
		t.Error("the play is too dull")
	}
}

// TestKilledAtAnyPoint kills a checker 200 times while it stores passes and tells a real
// receiver of them: no alert is lost, and only what was in doubt is told again.
func TestKilledAtAnyPoint(t *testing.T) {
	const kills = 200
	onBoth(t, func(t *testing.T, b *bench) {
		r := newReceiver(t)
		const never = 1 << 30
		for range kills {
			p := start(t, "play", b.url, r.URL, strconv.Itoa(never))
			p.line(t)
			time.AfterFunc(time.Duration(rand.IntN(40000))*time.Microsecond, func() { _ = p.Process.Kill() })
			if err := p.Wait(); err == nil || err.Error() != "signal: killed" {
				t.Fatalf("the checker ended by itself: %v", err)
			}
			b.exec(`UPDATE outrider_checker_meta SET until = 1`) // as time passes
		}
		r.calm()
		last := position(b.load()) + 2
		p := start(t, "play", b.url, r.URL, strconv.Itoa(last))
		for p.out.Scan() {
			if line := p.out.Text(); line != "ready" {
				t.Fatal(line)
			}
		}
		if err := p.Wait(); err != nil {
			t.Fatal(err)
		}
		n := position(b.load())
		t.Logf("%d passes", n)
		r.check(t, n, last)
	})
}
