package deliver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/checker/store"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
	"github.com/outrider-run/outrider/runner/internal/run"
)

var t0 = time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC)

// bench is a Deliverer on a store, with a clock to turn.
type bench struct {
	*Deliverer
	t       *testing.T
	store   *store.Store
	now     time.Time
	console bytes.Buffer
	said    []string
}

func newBench(t *testing.T, runner Runner, receivers ...Receiver) *bench {
	t.Helper()
	s, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "checker.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	b := &bench{t: t, store: s, now: t0}
	b.Deliverer = &Deliverer{Outbox: s, Runner: runner, Receivers: map[string]Receiver{}, Console: &b.console, Now: func() time.Time { return b.now }}
	var mu sync.Mutex
	b.Say = func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		b.said = append(b.said, fmt.Sprintf(format, args...))
	}
	for _, r := range receivers {
		if err := r.Validate(); err != nil {
			t.Fatalf("%s: %v", r.Name, err)
		}
		b.Receivers[r.Name] = r
	}
	return b
}

func (b *bench) put(events ...alert.Event) {
	b.t.Helper()
	if err := b.store.Put(b.t.Context(), events, b.now); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) deliver() Told {
	b.t.Helper()
	told, err := b.Deliver(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return told
}

// waits says who has not been told how many.
func (b *bench) waits() string {
	b.t.Helper()
	all, err := b.store.Backlog(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	var parts []string
	for _, w := range all {
		parts = append(parts, fmt.Sprintf("%s %d", w.Receiver, w.Count))
	}
	return strings.Join(parts, ", ")
}

// event is one of an incident of one alert, which is its name.
func event(kind alert.EventKind, receiver, incident string, seq int) alert.Event {
	a := alarm(incident)
	var downtime time.Duration
	if kind == alert.Recovered {
		a.State, a.Reason, downtime = alert.Resolved, "it ended", 48*time.Minute
	}
	return alert.Event{
		Downtime: threshold.Duration(downtime),
		Kind:     kind, Receiver: receiver, Incident: receiver + "|" + incident, Seq: seq, At: t0, Alerts: []alert.Alert{a}, Total: 1, Firing: 1,
	}
}

func alarm(name string) alert.Alert {
	l := threshold.Usual().Of([]time.Duration{30 * time.Minute, 30 * time.Minute, 29 * time.Minute, 31 * time.Minute, 30 * time.Minute}, threshold.Bounds{})
	l.Clock = threshold.Created
	return alert.Alert{State: alert.Firing, Finding: finding.Finding{
		Key: "prod|running|" + name, Rule: "running", Kind: rule.Running, Severity: rule.Critical, Source: "prod", Project: "etl", Workflow: name, Run: "7",
		Address: "prod:etl/" + name + "@7", What: "running for 47m, usually 30m", Since: t0.Add(-47 * time.Minute), Limit: &l,
		Holder:  &finding.Task{Name: "+daily+load", Type: "sh>", State: "running", Elapsed: threshold.Duration(40 * time.Minute)},
		Changes: []finding.Change{{What: "revision", Before: "r1", Now: "r2"}}, LogTail: "waiting for lock\nstill waiting",
		Link: "http://d.example/attempts/7?a=1&b=2", Owner: "data", Runbook: "https://wiki.example/long",
	}}
}

// fake is a Runner that answers as it is told, and notes what it was called with.
type fake struct {
	mu     sync.Mutex
	calls  []call
	answer func(c call) run.Outcome
}

type call struct {
	component string
	params    map[string]any
	left      time.Duration // until the context's deadline
}

func (f *fake) Run(ctx context.Context, component string, params json.RawMessage) run.Outcome {
	c := call{component: component}
	if err := json.Unmarshal(params, &c.params); err != nil {
		panic(err)
	}
	if end, ok := ctx.Deadline(); ok {
		c.left = time.Until(end)
	}
	f.mu.Lock()
	f.calls = append(f.calls, c)
	f.mu.Unlock()
	return f.answer(c)
}

func (f *fake) all() []call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

func success(call) run.Outcome {
	return run.Outcome{State: run.Success, Output: json.RawMessage(`{}`)}
}

func failing(o run.Outcome) func(call) run.Outcome {
	o.State = run.Failed
	return func(call) run.Outcome { return o }
}

// plugins is a Runner that calls the real components, whose plugins stand in the folder.
type plugins string

// coded is a plugin's error, which begins with its code.
var coded = regexp.MustCompile(`(?m)^\S+: ([a-z_]+): (.*)$`)

func (dir plugins) Run(ctx context.Context, component string, params json.RawMessage) run.Outcome {
	name := map[string]string{httpRequest: "net", slackPost: "notify", notifySend: "notify"}[component]
	cmd := exec.CommandContext(ctx, filepath.Join(string(dir), name), "run", component, "--params", "-")
	cmd.Stdin = bytes.NewReader(params)
	var talk bytes.Buffer
	cmd.Stderr = &talk
	out, err := cmd.Output()
	if err == nil {
		return run.Outcome{State: run.Success, Output: bytes.TrimSpace(out)}
	}
	o := run.Outcome{State: run.Failed, Message: talk.String()}
	if said := coded.FindAllStringSubmatch(talk.String(), -1); said != nil {
		o.Code, o.Message = said[len(said)-1][1], said[len(said)-1][2]
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		o.Misused, o.Permanent = exit.ExitCode() == 2, exit.ExitCode() == 3
	}
	return o
}

var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "deliver")
	if err != nil {
		return "", err
	}
	builtIn = dir
	for _, name := range []string{"net", "notify"} {
		out, err := exec.Command("go", "build", "-tags", "urfave_cli_no_docs,grpcnotrace", "-o", filepath.Join(dir, name),
			"github.com/outrider-run/outrider/plugins/"+name).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("build the plugin %s: %w\n%s", name, err, out)
		}
	}
	return dir, nil
})

// builtIn is removed after the last test.
var builtIn string

func TestMain(m *testing.M) {
	code := m.Run()
	if builtIn != "" {
		_ = os.RemoveAll(builtIn)
	}
	os.Exit(code)
}

func realPlugins(t *testing.T) plugins {
	t.Helper()
	dir, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return plugins(dir)
}
