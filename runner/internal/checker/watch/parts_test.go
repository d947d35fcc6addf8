package watch

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/engine"
	"github.com/outrider-run/outrider/sdk/observe"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestExitCodes(t *testing.T) {
	up, down := Source{Name: "a"}, Source{Name: "b", Failure: "timed out"}
	fires := func(severity rule.Severity, muted string) Alert { return Alert{Severity: severity, Muted: muted} }
	for _, c := range []struct {
		name    string
		sources []Source
		alerts  []Alert
		want    int
	}{
		{"all well", []Source{up}, nil, ExitOK},
		{"info", []Source{up}, []Alert{fires(rule.Info, "")}, ExitOK},
		{"warning", []Source{up}, []Alert{fires(rule.Info, ""), fires(rule.Warning, "")}, ExitWarning},
		{"critical", []Source{up, down}, []Alert{fires(rule.Warning, ""), fires(rule.Critical, "")}, ExitCritical},
		{"silenced", []Source{up}, []Alert{fires(rule.Critical, "silence x"), fires(rule.Warning, "")}, ExitWarning},
		{"one answers", []Source{down, up}, nil, ExitOK},
		{"none answers", []Source{down}, []Alert{fires(rule.Critical, "")}, ExitUnknown},
		{"none there", nil, nil, ExitUnknown},
	} {
		if got := (Summary{Sources: c.sources, Alerts: c.alerts}).exit(); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func TestNagiosIsOneLineAndItsData(t *testing.T) {
	got := Nagios(Summary{Exit: ExitCritical, Took: 1.5, Sources: []Source{{Name: "a", Open: 3}, {Name: "b", Failure: "no"}}, Alerts: []Alert{
		{Severity: rule.Critical, Where: "a:x/y|z", What: "runs\nfor | long\x1b[31m"}, {Severity: rule.Warning, Where: "a:m", What: "w", Muted: "silence"},
	}})
	want := "OUTRIDER CRITICAL - 1 critical, 0 warning, 3 open runs; no answer from b | critical=1;;1;0 warning=0;1;;0 open_runs=3;;;0 sources_down=1;;;0;2 time=1.500s;;;0\n" +
		"CRITICAL a:x/y/z runs for / long<U+001B>[31m\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := Nagios(Summary{Exit: ExitUnknown, Sources: []Source{{Name: "a", Failure: "refused"}}}); !strings.HasPrefix(got, "OUTRIDER UNKNOWN - no source answered: a: refused | ") {
		t.Error(got)
	}
}

func TestTheOwnRunIsLeftOut(t *testing.T) {
	runs := []observe.Run{{ID: "7", Workflow: "etl"}, {ID: "8", Workflow: "monitor"}, {ID: "m@x", Workflow: "monitor", Session: "r1"}}
	for _, c := range []struct {
		name string
		self engine.Engine
		snap string
		want string
	}{
		{"digdag", engine.Engine{Name: engine.Digdag, Identity: engine.Identity{Run: "8", Workflow: "monitor"}}, "digdag", "7 m@x"},
		{"another workflow of that id", engine.Engine{Name: engine.Digdag, Identity: engine.Identity{Run: "7", Workflow: "monitor"}}, "digdag", "7 8 m@x"},
		{"airflow", engine.Engine{Name: engine.Airflow, Identity: engine.Identity{Run: "r1", Workflow: "monitor"}}, "airflow", "7 8"},
		{"another engine", engine.Engine{Name: engine.Digdag, Identity: engine.Identity{Run: "8", Workflow: "monitor"}}, "airflow", "7 8 m@x"},
		{"another ledger's", engine.Engine{Name: engine.None}, "outrider", "7 8 m@x"},
		{"no engine", engine.Engine{Name: engine.None}, "none", "7 8 m@x"},
	} {
		snap := without(c.self, []string{"1", "2"}, observe.Snapshot{Engine: c.snap, Runs: slices.Clone(runs)})
		var ids []string
		for _, r := range snap.Runs {
			ids = append(ids, r.ID)
		}
		if got := strings.Join(ids, " "); got != c.want || len(snap.Blind) != 3-len(ids) {
			t.Errorf("%s: %q, want %q; blind %q", c.name, got, c.want, snap.Blind)
		}
	}
}

// TestTheRunsAboveAreLeftOut: those of the ledger that the checker is part of, of whatever
// name they are.
func TestTheRunsAboveAreLeftOut(t *testing.T) {
	snap := observe.Snapshot{Runs: []observe.Run{{ID: "7", Workflow: "all"}, {ID: "8", Workflow: "monitor"}, {ID: "9", Workflow: "monitor"}}}
	for name, want := range map[string]int{"outrider": 1, "digdag": 3} {
		snap.Engine = name
		got := without(engine.Engine{Name: engine.None}, []string{"7", "8", "none"}, snap)
		if len(got.Runs) != want || len(got.Blind) != 3-want || got.Runs[want-1].ID != "9" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if len(snap.Runs) != 3 || snap.Runs[0].ID != "7" {
		t.Errorf("the snapshot was changed: %+v", snap.Runs)
	}
}

func TestInbox(t *testing.T) {
	now := noon
	b := NewInbox(func() time.Time { return now })
	read := func() string {
		s, err := b.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, x := range s.Signals {
			all = append(all, x.Name+x.Labels["of"]+"="+number(x.Value))
		}
		return strings.Join(all, " ")
	}
	post := func(name, of string, v float64, event bool) {
		if err := b.Post(observe.Signal{Name: name, Value: v, Labels: map[string]string{"of": of}}, event); err != nil {
			t.Fatal(err)
		}
	}
	post("q", "a", 3, false)
	post("q", "b", 4, false)
	post("e", "", 1, true)
	<-b.Come()
	if got := read(); got != "e=1 qa=3 qb=4" {
		t.Error(got)
	}
	post("q", "a", 5, false)
	if got := read(); got != "e=1 qa=5 qb=4" {
		t.Errorf("an event waits until a pass is stored: %s", got)
	}
	b.Stored()
	if got := read(); got != "e=0 qa=5 qb=4" {
		t.Errorf("an event is over with its pass: %s", got)
	}
	post("e", "", 1, true)
	b.Stored()
	if got := read(); got != "e=1 qa=5 qb=4" {
		t.Errorf("an event that came while a pass was made: %s", got)
	}
	b.Stored()
	read()
	b.Stored()
	if got := read(); got != "qa=5 qb=4" {
		t.Errorf("an event is dropped after it was 0: %s", got)
	}
	post("late", "", 1, true)
	now = now.Add(50 * time.Minute)
	post("q", "b", 6, false)
	now = now.Add(15 * time.Minute)
	if got := read(); got != "late=1 qb=6" {
		t.Errorf("a signal stands for an hour, an event until it was seen: %s", got)
	}
	b.Stored()
	read()
	b.Stored()
	now = noon.Add(-48 * time.Hour)
	if got := read(); got != "" {
		t.Errorf("the clock was set back: %s", got)
	}
	for i := range maxSignals {
		post("q", strings.Repeat("x", i), 1, false)
	}
	if err := b.Post(observe.Signal{Name: "more"}, false); !errors.Is(err, errFull) {
		t.Errorf("one too many: %v", err)
	}
	post("q", "x", 2, false) // one that is known
}

func number(v float64) string {
	return strings.TrimSuffix(time.Duration(v*float64(time.Second)).String(), "s")
}

func TestServerRefusesWhatIsNoEvent(t *testing.T) {
	in := NewInbox(time.Now)
	dead := error(nil)
	s := &Server{Metrics: NewMetrics(), Inbox: in, Token: "right", Alive: func() error { return dead }}
	do := func(method, path, token, body string) (int, string) {
		req := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
		if token != "" {
			req.Header.Set("Authorization", token)
		}
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, req)
		return w.Code, w.Body.String()
	}
	for _, c := range []struct {
		path, token, body string
		want              int
	}{
		{"/v1/signal", "", `{"name":"a","value":1}`, http.StatusUnauthorized},
		{"/v1/signal", "Bearer wrong", `{"name":"a","value":1}`, http.StatusUnauthorized},
		{"/v1/signal", "right", `{"name":"a","value":1}`, http.StatusUnauthorized},
		{"/v1/signal", "Bearer right", `{"name":"a"}`, http.StatusBadRequest},
		{"/v1/signal", "Bearer right", `{"name":"a b","value":1}`, http.StatusBadRequest},
		{"/v1/signal", "Bearer right", `{"name":"a","value":1,"more":2}`, http.StatusBadRequest},
		{"/v1/signal", "Bearer right", `{"name":"a","value":1,"labels":{"x y":"1"}}`, http.StatusBadRequest},
		{"/v1/signal", "Bearer right", `{"name":"a","value":1,"labels":{"x":"` + strings.Repeat("y", maxLabel+1) + `"}}`, http.StatusBadRequest},
		{"/v1/signal", "Bearer right", strings.Repeat(" ", maxBody+1), http.StatusRequestEntityTooLarge},
		{"/digdag", "Bearer right", `{"project_name":"p"}`, http.StatusBadRequest},
		{"/digdag", "Bearer right", `[]`, http.StatusBadRequest},
	} {
		if code, text := do("POST", c.path, c.token, c.body); code != c.want || strings.Contains(text, "right") {
			t.Errorf("%.60s: %d, want %d: %s", c.body, code, c.want, text)
		}
	}
	if snap, _ := in.Snapshot(t.Context()); len(snap.Signals) > 0 {
		t.Errorf("taken all the same: %+v", snap.Signals)
	}
	if code, _ := do("POST", "/digdag", "Bearer right", `{"message":"SLA violation","attempt_id":12,"project_name":"`+strings.Repeat("é", 500)+`"}`); code != http.StatusAccepted {
		t.Error(code)
	}
	snap, _ := in.Snapshot(t.Context())
	if len(snap.Signals) != 1 || snap.Signals[0].Labels["attempt"] != "12" || snap.Signals[0].Labels["event_key"] != "12  SLA violation" || checkSignal(snap.Signals[0]) != nil {
		t.Errorf("%+v", snap.Signals)
	}
	s.Token = ""
	if code, _ := do("POST", "/v1/signal", "Bearer ", `{"name":"a","value":1}`); code != http.StatusForbidden {
		t.Errorf("without a token: %d", code)
	}
	if code, _ := do("GET", "/healthz", "", ""); code != http.StatusOK {
		t.Error(code)
	}
	dead = errors.New("no complete pass for 5m")
	if code, text := do("GET", "/healthz", "", ""); code != http.StatusServiceUnavailable || !strings.Contains(text, "no complete pass") {
		t.Error(code, text)
	}
	if code, _ := do("GET", "/v1/signal", "Bearer right", ""); code != http.StatusMethodNotAllowed {
		t.Error(code)
	}
}

func TestPulse(t *testing.T) {
	p := NewPulse(time.Hour)
	p.beat(0, errors.New("no database"))
	if err := p.Alive(); err == nil || !strings.Contains(err.Error(), "no database") {
		t.Error(err)
	}
	if err := stale(Summary{At: noon, Took: 30}, noon.Add(150*time.Second), time.Minute); err != nil {
		t.Error(err)
	}
	if err := stale(Summary{At: noon, Took: 30}, noon.Add(151*time.Second), time.Minute); err == nil {
		t.Error("another checker hangs, and nobody says so")
	}
	p.beat(time.Hour, nil)
	if err := p.Alive(); err != nil {
		t.Error(err)
	}
}

func TestTheTextfileIsWholeOrNotThere(t *testing.T) {
	m := NewMetrics()
	m.Passed(Summary{At: noon, Took: 0.5, Sources: []Source{{Name: "a", Open: 2}}, Alerts: []Alert{{Source: "a", Rule: "long", Severity: rule.Critical}}, Exit: 2})
	m.Failed()
	file := filepath.Join(t.TempDir(), "outrider.prom")
	if err := m.WriteFile(file); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"outrider_checker_status 2", `outrider_checker_firing{severity="critical"} 1`, `outrider_checker_firing{severity="warning"} 0`,
		`outrider_checker_source_open_runs{source="a"} 2`, `outrider_checker_passes_total{result="failed"} 1`, "outrider_checker_pass_seconds 0.5",
	} {
		if !strings.Contains(string(text), want+"\n") {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if err := m.WriteFile(filepath.Join(t.TempDir(), "none", "x.prom")); err == nil {
		t.Error("written to nowhere")
	}
}
