package action

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
)

func step(component, params string) Step {
	return Step{Component: component, Params: json.RawMessage(params)}
}

// TestStepsSeeTheAlertAndWhatWasBefore, in nested params too.
func TestStepsSeeTheAlertAndWhatWasBefore(t *testing.T) {
	s := newStage(t, restart(t, func(a *Action) {
		a.Do = []Step{
			step("a.b", `{"source":"{{.Alert.Source}}","since":"{{.Alert.Since.Year}}","n":5,"secret":"env:TOKEN","off":false}`),
			step("c.d", `{"id":"{{ (index .Outputs 0).id }}","deep":{"list":["{{.Event}}",{"{{x}}":"{{with .Alert.Labels}}{{.team}}{{end}}"}]}}`),
		}
	}))
	s.out = map[string]string{"a.b": `{"id":12345678901234567890}`}
	s.pass(0, scheduler(func(f *finding.Finding) { f.Labels = map[string]string{"team": `"a" {{b}}`} }))
	s.wantCalls(
		`a.b {"n":5,"off":false,"secret":"env:TOKEN","since":"2026","source":"prod"}`,
		`c.d {"deep":{"list":["prod|stale|scheduler@2026-03-02T03:00:00Z",{"{{x}}":"\"a\" {{b}}"}]},"id":"12345678901234567890"}`,
	)
	if s.state() != Done || len(s.acts[0].Runs) != 2 {
		t.Errorf("got %+v", s.acts)
	}
}

// TestATemplateThatFails ends the action before its step, and says where.
func TestATemplateThatFails(t *testing.T) {
	s := newStage(t, restart(t, func(a *Action) {
		a.Do = []Step{step("a.b", `{}`), step("c.d", `{"x":["{{ (index .Outputs 0).id }}"]}`)}
	}))
	s.pass(0, scheduler())
	s.wantCalls(`a.b {}`)
	if note := s.acts[0].Note; s.state() != Failed || !strings.Contains(note, "failed: c.d: fill in the params: /params/x/0: ") || !strings.Contains(note, `no entry for key "id"`) {
		t.Errorf("got %s: %s", s.state(), note)
	}
}

// TestAStoppedActIsTakenUp in the next life, with the same params and without the steps
// that were done.
func TestAStoppedActIsTakenUp(t *testing.T) {
	s := newStage(t, restart(t, func(a *Action) { a.Do = []Step{step("a.b", `{"what":"{{.Alert.What}}"}`), step("c.d", `{}`)} }))
	ctx, cancel := context.WithCancel(t.Context())
	s.step(0, scheduler())
	s.out = map[string]string{"a.b": `{}`}
	first := true
	s.actor.Host = hostFunc(func(c context.Context, key string, labels map[string]string, component string, params []byte) (string, json.RawMessage, error) {
		if component == "c.d" && first {
			first = false
			cancel()
			return "", nil, context.Cause(c)
		}
		return s.host.Run(c, key, labels, component, params)
	})
	if err := s.actor.Act(ctx, s.book, s.events); err != nil {
		t.Fatal(err)
	}
	if s.state() != Running {
		t.Fatalf("it is %s", s.state())
	}
	s.pass(time.Minute, scheduler(func(f *finding.Finding) { f.What = "it says something else by now" }))
	s.wantCalls(`a.b {"what":"scheduler gives no sign of life"}`, `c.d {}`)
	if s.state() != Done || len(s.acts[0].Runs) != 2 {
		t.Errorf("got %+v", s.acts)
	}
}

type hostFunc func(ctx context.Context, key string, labels map[string]string, component string, params []byte) (string, json.RawMessage, error)

func (f hostFunc) Run(ctx context.Context, key string, labels map[string]string, component string, params []byte) (string, json.RawMessage, error) {
	return f(ctx, key, labels, component, params)
}

// TestAnActIsNotTakenUpForEver: one that ends the checker itself would go on and on.
func TestAnActIsNotTakenUpForEver(t *testing.T) {
	s := newStage(t, restart(t, func(a *Action) { a.Escalate = "boss" }))
	s.pass(0, scheduler())
	s.acts[0].State, s.told = Running, nil
	s.pass(time.Hour, scheduler())
	s.wantCalls(run1)
	s.wantNotes("team: restart: was begun 2026-03-02 03:00 UTC and did not end", "boss: restart: was begun 2026-03-02 03:00 UTC and did not end")
}

func TestAnActionThatIsNotInTheConfigAnyMore(t *testing.T) {
	s := newStage(t, restart(t))
	s.pass(0, scheduler())
	s.acts[0].State, s.told = Running, nil
	s.actor.Actions[0].Name = "other"
	s.actor.Actions[0].DryRun = true
	s.pass(time.Minute, scheduler())
	s.wantNotes("team: restart: was begun, and is not in the config any more", "team: other: would be done: shell.restart")
}

// TestTheKeyOfAStep holds no template, and no two are alike.
func TestTheKeyOfAStep(t *testing.T) {
	one := onceKey(Act{Action: "a b", EventKey: "x {{.Slot}}\x00"}, 0)
	if one != "action a%20b x%20%7B%7B.Slot%7D%7D%00 1" {
		t.Errorf("got %q", one)
	}
}

func TestEventKeys(t *testing.T) {
	a := alert.Alert{Finding: scheduler(), Fired: t0}
	a.EventKey = "file-7"
	if got := EventKey(a); got != "prod|stale|scheduler@2026-03-02T03:00:00Z" {
		t.Errorf("of an alert: %s", got)
	}
	a.Severity = rule.None
	if got := EventKey(a); got != "stale|file-7" {
		t.Errorf("of an event: %s", got)
	}
}

func TestCheck(t *testing.T) {
	for params, want := range map[string]string{
		`{"a":"{{.Alert.Part}}","b":["{{ (index .Outputs 0).x }}","{{.Alert.Limit.At}}","{{.Alert.Labels.team}}"]}`: ``,
		`{"a":{"b/c":["x","{{.Alert.Prat}}"]}}`: `/params/a/b~1c/1: can't evaluate field Prat`,
		`{"a":"{{.Alert.Part"}`:                 `/params/a: unclosed action`,
		`{"a":"{{quote .Alert.Part}}"}`:         `/params/a: function "quote" not defined`,
	} {
		at, err := step("a.b", params).Check()
		where, what, _ := strings.Cut(want, ": ")
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", params, err)
		case want != "" && (err == nil || at != where || !strings.Contains(err.Error(), what)):
			t.Errorf("%s: %s: %v, want %s", params, at, err, want)
		}
	}
}

func TestLongErrorsAreCut(t *testing.T) {
	s := newStage(t, restart(t))
	s.fail = map[string]error{"shell.restart": errLong{}}
	s.pass(0, scheduler())
	if note := s.acts[0].Note; len(note) > 1000 || !strings.HasSuffix(note, "…") {
		t.Errorf("got %q", note)
	}
}

type errLong struct{}

func (errLong) Error() string { return strings.Repeat("ä ", 10_000) }

// TestWhatAnotherCheckerHasIsLeftToIt, though it was not known when it was decided.
func TestWhatAnotherCheckerHasIsLeftToIt(t *testing.T) {
	s := newStage(t, restart(t))
	s.step(0, scheduler())
	s.actor.Records = late{s.records}
	s.acts = []Act{{ID: "other", Action: "restart", EventKey: EventKey(s.book.Alerts[scheduler().Key]), State: Running}}
	s.act()
	s.wantCalls()
	s.wantNotes("team: ")
}

// late are records that were read before the other checker wrote.
type late struct{ *records }

func (late) Acts(context.Context, time.Time) ([]Act, error) { return nil, nil }
