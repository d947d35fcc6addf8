package action

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
)

var t0 = time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC)

// records are kept as the store keeps them.
type records struct {
	mu   sync.Mutex
	acts []Act
	book alert.Book
	told []alert.Event
}

func (r *records) Acts(context.Context, time.Time) ([]Act, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.acts), nil
}

func (r *records) PutAct(_ context.Context, a Act) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a.ID == "" {
		return false, errors.New("an act without an ID")
	}
	i := slices.IndexFunc(r.acts, func(o Act) bool { return o.ID == a.ID || o.Action == a.Action && o.EventKey == a.EventKey })
	switch {
	case i < 0:
		r.acts = append(r.acts, a)
	case r.acts[i].ID != a.ID || r.acts[i].State == a.State && a.State == Running:
		return false, nil
	default:
		r.acts[i] = a
	}
	return true, nil
}

func (r *records) Change(_ context.Context, do func(alert.Book) (alert.Book, []alert.Event, error)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	b, told, err := do(r.book)
	if err == nil {
		r.book, r.told = b, append(r.told, told...)
	}
	return err
}

// notes are what was told, as RECEIVER: note.
func (r *records) notes() (all []string) {
	for _, e := range r.told {
		all = append(all, e.Receiver+": "+e.Note)
	}
	return all
}

// host is one with once-keys.
type host struct {
	mu    sync.Mutex
	done  map[string]json.RawMessage // by key
	calls []string                   // what was run, as COMPONENT PARAMS
	fail  map[string]error           // by component
	stop  context.CancelFunc         // called before the next step ends; nil: not
	out   map[string]string          // by component
}

func (h *host) Run(ctx context.Context, key string, labels map[string]string, component string, params []byte) (string, json.RawMessage, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if labels["alert"] == "" || labels["action"] == "" {
		return "", nil, fmt.Errorf("labels %v", labels)
	}
	if out, ok := h.done[key]; ok {
		return "r-" + key, out, nil
	}
	if h.stop != nil {
		h.stop()
		h.stop = nil
		return "", nil, context.Cause(ctx)
	}
	h.calls = append(h.calls, component+" "+string(params))
	if err := h.fail[component]; err != nil {
		return "r-" + key, nil, err
	}
	out := json.RawMessage(`{}`)
	if text, ok := h.out[component]; ok {
		out = json.RawMessage(text)
	}
	if h.done == nil {
		h.done = map[string]json.RawMessage{}
	}
	h.done[key] = out
	return "r-" + key, out, nil
}

// stage is a checker around the alerts' life.
type stage struct {
	t *testing.T
	*records
	*host
	actor  Actor
	now    time.Time
	policy alert.Policy
	keys   map[string]finding.Finding
	events []alert.Event // of the last pass
}

func newStage(t *testing.T, actions ...Action) *stage {
	s := &stage{t: t, records: &records{}, host: &host{}, now: t0, keys: map[string]finding.Finding{}}
	s.policy = alert.Policy{Routes: []alert.Route{{Receiver: "team"}}}
	s.actor = Actor{Actions: actions, Records: s.records, Host: s.host, Now: func() time.Time { return s.now }}
	return s
}

// pass takes what is found for a pass, d after the one before, and acts.
func (s *stage) pass(d time.Duration, found ...finding.Finding) {
	s.t.Helper()
	s.step(d, found...)
	s.act()
}

func (s *stage) step(d time.Duration, found ...finding.Finding) {
	s.now = s.now.Add(d)
	over := map[string]string{}
	for key := range s.book.Alerts {
		over[key] = "it is over"
	}
	for _, f := range found {
		delete(over, f.Key)
	}
	s.book, s.events = alert.Step(s.book, alert.Checked{Findings: found, Over: over}, s.policy, s.now)
	s.told = append(s.told, slices.DeleteFunc(slices.Clone(s.events), func(e alert.Event) bool { return e.Kind == alert.Act })...)
}

func (s *stage) act() {
	s.t.Helper()
	if err := s.actor.Act(s.t.Context(), s.book, s.events); err != nil {
		s.t.Fatal(err)
	}
}

// state is that of the only act.
func (s *stage) state() State {
	s.t.Helper()
	if len(s.acts) != 1 {
		s.t.Fatalf("there are %d acts: %+v", len(s.acts), s.acts)
	}
	return s.acts[0].State
}

func (s *stage) wantNotes(want ...string) {
	s.t.Helper()
	if got := s.notes(); !slices.Equal(got, want) {
		s.t.Errorf("told\n%q\nwant\n%q", got, want)
	}
}

func (s *stage) wantCalls(want ...string) {
	s.t.Helper()
	if !slices.Equal(s.calls, want) {
		s.t.Errorf("ran\n%q\nwant\n%q", s.calls, want)
	}
}

// scheduler is the finding of a dead one.
func scheduler(more ...func(*finding.Finding)) finding.Finding {
	f := finding.Finding{
		Key: "prod|stale|scheduler", Rule: "stale", Kind: rule.Stale, Severity: rule.Critical, For: 1,
		Source: "prod", Part: "scheduler", What: "scheduler gives no sign of life", Since: t0,
	}
	for _, do := range more {
		do(&f)
	}
	return f
}

func matching(t *testing.T, text string) alert.Matchers {
	t.Helper()
	m, err := alert.ParseMatchers(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// restart is the action of most tests.
func restart(t *testing.T, more ...func(*Action)) Action {
	a := Action{
		Name: "restart", Match: matching(t, "rule=stale"), Cooldown: 15 * time.Minute, Window: 24 * time.Hour,
		Do: []Step{{Component: "shell.restart", Params: json.RawMessage(`{"unit":"airflow-{{.Alert.Part}}"}`)}},
	}
	for _, do := range more {
		do(&a)
	}
	return a
}

func states(acts []Act) map[State]int {
	all := map[State]int{}
	for _, a := range acts {
		all[a.State]++
	}
	return maps.Clone(all)
}
