package watch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/checker/settings"
	"github.com/outrider-run/outrider/runner/internal/checker/source"
	"github.com/outrider-run/outrider/runner/internal/checker/store"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
	"github.com/outrider-run/outrider/runner/internal/config"
	"github.com/outrider-run/outrider/runner/internal/db/dbtest"
	"github.com/outrider-run/outrider/runner/internal/run"
	"github.com/outrider-run/outrider/sdk/observe"
)

// bench is a watcher over sources, receivers and a clock of the test's, on a real store.
type bench struct {
	t *testing.T
	*Watcher
	now     time.Time
	setup   Setup
	console bytes.Buffer
	said    []string
}

// asker is a source that is a function.
type asker func(context.Context, source.Asked) (observe.Snapshot, error)

func (a asker) Ask(ctx context.Context, asked source.Asked) (observe.Snapshot, error) {
	return a(ctx, asked)
}

func newBench(t *testing.T, url string) *bench {
	t.Helper()
	s, err := settings.Load(config.Config{})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, now: noon, setup: Setup{Settings: s, Askers: map[string]source.Asker{}}}
	b.rules(rule.Rule{Name: "long", Kind: rule.Running, Threshold: threshold.Fixed(time.Hour), Severity: rule.Critical})
	var mu sync.Mutex
	b.Watcher = &Watcher{
		Open:    func(ctx context.Context) (*store.Store, error) { return store.Open(ctx, url) },
		Setup:   func(context.Context) (Setup, error) { return b.setup, nil },
		Metrics: NewMetrics(), Console: &b.console, Mark: filepath.Join(t.TempDir(), "lost"),
		Say: func(format string, args ...any) {
			mu.Lock()
			defer mu.Unlock()
			b.said = append(b.said, fmt.Sprintf(format, args...))
		},
		Now: func() time.Time { return b.now },
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *bench) rules(own ...rule.Rule) {
	b.t.Helper()
	set, err := rule.NewSet(own)
	if err != nil {
		b.t.Fatal(err)
	}
	b.setup.Own, b.setup.Rules = own, set
}

// pass makes one that has to succeed, and returns what was told in it.
func (b *bench) pass() (Summary, string) {
	b.t.Helper()
	b.console.Reset()
	s, err := b.Pass(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return s, b.console.String()
}

func (b *bench) source(name string, ask asker) { b.setup.Askers[name] = ask }

// hung is a run that began two hours before noon.
func hung() observe.Run {
	return observe.Run{ID: "9", Address: "etl/daily@9", Project: "etl", Workflow: "daily", Session: "9", State: observe.Running, Created: noon.Add(-2 * time.Hour), Started: noon.Add(-2 * time.Hour)}
}

func TestTheFirstTimeIsToldOnce(t *testing.T) {
	b := newBench(t, dbtest.SQLite(t))
	b.source("one", func(context.Context, source.Asked) (observe.Snapshot, error) {
		return observe.Snapshot{Engine: "x", At: b.now}, nil // without a cursor
	})
	for range 2 {
		b.pass()
		b.now = b.now.Add(time.Minute)
	}
	if want := []string{"one is asked for the first time, back to " + noon.Add(-firstHistory).Format(time.DateOnly)}; !slices.Equal(b.said, want) {
		t.Errorf("%q", b.said)
	}
}

func TestASourceIsAskedOnFromWhereItStopped(t *testing.T) {
	b := newBench(t, dbtest.SQLite(t))
	var asked []source.Asked
	fails := false
	b.source("one", func(_ context.Context, a source.Asked) (observe.Snapshot, error) {
		asked = append(asked, a)
		if fails {
			return observe.Snapshot{}, errors.New("refused")
		}
		s := observe.Snapshot{Engine: "x", At: b.now, Runs: []observe.Run{hung()}, Cursor: json.RawMessage(fmt.Sprintf(`{"n":%d}`, len(asked))), Requests: 2}
		if len(a.Details) > 0 {
			s.Runs[0].Tasks = []observe.Task{{Name: "+daily+load", State: observe.Running, Started: noon.Add(-time.Hour)}}
			s.Runs[0].LogTail = "row 1"
		}
		return s, nil
	})
	s, told := b.pass()
	if len(asked) != 2 || asked[0].Cursor != nil || !asked[0].HistoryFrom.Equal(noon.Add(-firstHistory)) || !slices.Equal(asked[1].Details, []string{"9"}) || string(asked[1].Cursor) != `{"n":1}` || !asked[1].HistoryFrom.IsZero() {
		t.Errorf("%+v", asked)
	}
	if s.Exit != ExitCritical || s.Sources[0].Requests != 4 || !strings.Contains(told, "CRITICAL: one:etl/daily@9") || !strings.Contains(told, "+daily+load") || !strings.Contains(told, "row 1") {
		t.Errorf("%+v\n%s", s, told)
	}
	fails = true
	b.now = b.now.Add(time.Minute)
	if s, told := b.pass(); s.Exit != ExitUnknown || told != "" || s.Sources[0].Failure != "refused" || len(s.Alerts) != 1 {
		t.Errorf("%+v\n%s", s, told)
	}
	fails = false
	b.now = b.now.Add(time.Minute)
	b.pass()
	for _, a := range asked[2:] {
		if string(a.Cursor) != `{"n":1}` || !a.HistoryFrom.IsZero() {
			t.Errorf("asked with %s", a.Cursor)
		}
	}
}

func TestAClockThatIsSetBack(t *testing.T) {
	b := newBench(t, dbtest.SQLite(t))
	runs := []observe.Run{hung()}
	b.source("one", func(context.Context, source.Asked) (observe.Snapshot, error) {
		return observe.Snapshot{Engine: "x", At: noon, Runs: runs}, nil
	})
	if _, told := b.pass(); !strings.Contains(told, "CRITICAL") {
		t.Fatal(told)
	}
	b.now = noon.Add(-30 * time.Minute)
	if s, told := b.pass(); s.Exit != ExitCritical || told != "" {
		t.Errorf("%+v\n%s", s, told)
	}
	b.now = b.now.Add(time.Minute)
	over := hung()
	over.State, over.Ended = observe.Success, noon
	runs = []observe.Run{over}
	if s, told := b.pass(); s.Exit != ExitOK || !strings.Contains(told, "resolved") {
		t.Errorf("%+v\n%s", s, told)
	}
}

// pinged is a server that notes what it was asked.
func pinged(t *testing.T) (url string, paths func() []string) {
	var mu sync.Mutex
	var all []string
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, r.URL.Path)
	}))
	t.Cleanup(s.Close)
	return s.URL + "/uuid", func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
}

// chat is a receiver's component that may be down.
type chat struct {
	mu   sync.Mutex
	down bool
	told []string
}

func (c *chat) Run(_ context.Context, _ string, params json.RawMessage) run.Outcome {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return run.Outcome{State: run.Failed, Message: "the chat is down"}
	}
	c.told = append(c.told, string(params))
	return run.Outcome{State: run.Success, Output: json.RawMessage(`{}`)}
}

func (b *bench) route(c *chat) {
	b.setup.Receivers = map[string]settings.Receiver{
		"team": {Name: "team", Component: "chat.post", Params: json.RawMessage(`{"text": "{{.Title}}"}`), Recovered: true},
	}
	b.setup.Policy.Routes = []alert.Route{{Receiver: "team"}}
	b.setup.Runner = c
}

func TestTheSignOfLife(t *testing.T) {
	b := newBench(t, dbtest.SQLite(t))
	c := &chat{}
	b.route(c)
	url, paths := pinged(t)
	b.setup.Ping = url
	runs := []observe.Run{}
	b.source("one", func(context.Context, source.Asked) (observe.Snapshot, error) {
		return observe.Snapshot{Engine: "x", At: b.now, Runs: runs}, nil
	})
	b.pass()
	c.down = true
	runs = []observe.Run{hung()}
	if s, _ := b.pass(); len(s.Waiting) != 1 || s.Waiting[0].Receiver != "team" || s.Waiting[0].Err == "" {
		t.Errorf("%+v", s.Waiting)
	}
	b.now = b.now.Add(undeliveredFor + time.Second)
	b.pass()
	c.down = false
	b.now = b.now.Add(10 * time.Minute)
	if s, _ := b.pass(); len(s.Waiting) > 0 {
		t.Errorf("%+v", s.Waiting)
	}
	if got := strings.Join(paths(), " "); got != "/uuid /uuid /uuid/fail /uuid" {
		t.Error(got)
	}
	b.setup.Ping = "http://127.0.0.1:1/a-secret-place"
	b.pass()
	if said := strings.Join(b.said, "\n"); !strings.Contains(said, "ping: ") || strings.Contains(said, "a-secret-place") {
		t.Error(said)
	}
}

func TestALastPassThatIsTooOldSaysNothing(t *testing.T) {
	url := dbtest.SQLite(t)
	first, second := newBench(t, url), newBench(t, url)
	asked, goOn := make(chan struct{}), make(chan struct{})
	hang := false
	first.source("one", func(context.Context, source.Asked) (observe.Snapshot, error) {
		if hang {
			close(asked)
			<-goOn
		}
		return observe.Snapshot{Engine: "x", At: noon, Runs: []observe.Run{hung()}}, nil
	})
	second.setup.Askers = first.setup.Askers
	first.pass()
	hang = true
	done := make(chan error)
	go func() {
		_, err := first.Pass(context.WithoutCancel(t.Context()))
		done <- err
	}()
	<-asked
	for after, want := range map[time.Duration]int{2 * time.Minute: ExitCritical, 2*time.Minute + time.Second: ExitUnknown, -3 * time.Minute: ExitUnknown} {
		second.now = noon.Add(after)
		if s, told := second.pass(); s.Exit != want || told != "" || len(s.Alerts) != 1 {
			t.Errorf("after %s: %+v\n%s", after, s, told)
		}
	}
	hang = false
	close(goOn)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// host notes what actions run. A run ends after goOn.
type host struct {
	goOn <-chan struct{}
	mu   sync.Mutex
	runs []string
}

func (h *host) Run(_ context.Context, key string, _ map[string]string, component string, params []byte) (string, json.RawMessage, error) {
	<-h.goOn
	h.mu.Lock()
	defer h.mu.Unlock()
	h.runs = append(h.runs, component+" "+string(params))
	return "01RUN", json.RawMessage(`{}`), nil
}

type writer func(p []byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
