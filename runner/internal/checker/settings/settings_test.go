package settings

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/action"
	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/config"
)

func mustLoad(t *testing.T, text string) Settings {
	t.Helper()
	s, err := load(t, text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestWithoutAFileTheDefaultsHold(t *testing.T) {
	s, err := Load(config.Config{})
	if err != nil {
		t.Fatal(err)
	}
	console := map[string]Receiver{"console": {Name: "console", Console: true, Recovered: true}}
	if s.Interval != time.Minute || s.Zone != time.Local || !reflect.DeepEqual(s.Receivers, console) || len(s.Rules.All()) != len(rule.Builtin()) || s.Own != nil {
		t.Errorf("got %+v", s)
	}
}

func TestLoadReadsTheExample(t *testing.T) {
	s := mustLoad(t, example(t))
	if s.Zone.String() != "Asia/Tokyo" || s.Interval != time.Minute || s.Ping != "env:HEALTHCHECK_URL" || s.Policy.Storm != 20 {
		t.Errorf("got %+v", s)
	}
	sources := map[string]Source{
		"prod": {
			Engine: "digdag", Params: json.RawMessage(`{"endpoint":"http://digdag:65432","password":"env:DIGDAG_PASSWORD"}`),
			Timeout: 30 * time.Second, History: 14 * 24 * time.Hour, Limit: 5000, Requests: 500,
		},
		"airflow": {Engine: "airflow", Params: json.RawMessage(`{"deep":false,"endpoint":"https://airflow"}`), History: 30 * 24 * time.Hour},
		"staging": {Engine: "digdag", Params: json.RawMessage(`{"endpoint":"http://staging:65432"}`), Off: true, History: 30 * 24 * time.Hour},
	}
	if !reflect.DeepEqual(s.Sources, sources) {
		t.Errorf("sources: %+v", s.Sources)
	}
	receivers := map[string]Receiver{
		"console": {Name: "console", Console: true, Recovered: true},
		"team": {
			Name: "team", Component: "slack.post", Params: json.RawMessage(`{"token":"env:SLACK_TOKEN","channel":"#data","text":"{{.Title}}"}`),
			Template: "slack", Fallback: "mail", Recovered: true,
		},
		"mail":   {Name: "mail", Component: "notify.send", Params: json.RawMessage(`{"to":["file:/etc/outrider/mail"]}`), Recovered: true},
		"boss":   {Name: "boss", Component: "http.request", Params: json.RawMessage(`{"url":"https://oncall.example/alertmanager"}`)},
		"screen": {Name: "screen", Console: true, Recovered: true},
		"log":    {Name: "log", File: "/var/log/outrider-alerts.ndjson", Recovered: true},
	}
	if !reflect.DeepEqual(s.Receivers, receivers) {
		t.Errorf("receivers: %+v", s.Receivers)
	}
	restart := s.Actions[0]
	if got := restart.Match.String(); got != "rule=stale,part=scheduler" {
		t.Errorf("match: %s", got)
	}
	restart.Match = nil
	want := action.Action{
		Name: "restart-scheduler", Do: []action.Step{{Component: "shell.restart", Params: json.RawMessage(`{"unit":"airflow-{{.Alert.Part}}"}`)}},
		Cooldown: 30 * time.Minute, AtMost: 3, Window: 12 * time.Hour, Verify: 3 * time.Minute, Escalate: "boss",
	}
	if !reflect.DeepEqual(restart, want) {
		t.Errorf("action: %+v", restart)
	}
	if a := s.Actions[1]; len(a.Do) != 2 || a.Cooldown != 0 || a.Window != 24*time.Hour {
		t.Errorf("steps: %+v", a)
	}
	if a := s.Actions[2]; !a.NeedsAck || a.Cooldown != 15*time.Minute || !s.Actions[3].DryRun {
		t.Errorf("defaults: %+v", a)
	}
	silence := s.Policy.Silences[0]
	if silence.ID != "config-1" || silence.Reason != "migration" || !silence.Active(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)) || silence.Active(time.Date(2026, 11, 23, 0, 0, 1, 0, time.UTC)) {
		t.Errorf("silence: %+v", silence)
	}
	if len(s.Policy.Routes) != 3 || !s.Policy.Routes[0].Continue {
		t.Errorf("routes: %+v", s.Policy.Routes)
	}
}

// TestTheZoneIsThatOfTheFile: for deadlines and windows that name none.
func TestTheZoneIsThatOfTheFile(t *testing.T) {
	s := mustLoad(t, example(t))
	zones := map[string]rule.Zone{}
	for _, r := range s.Rules.All() {
		zones[r.Name] = r.Zone
	}
	if zones["report"] != "Europe/Berlin" || zones["closing"] != "Asia/Tokyo" || zones["pools"] != "" {
		t.Errorf("rules: %v", zones)
	}
	if w := s.Policy.Windows; w[0].Zone != "UTC" || w[1].Zone != "Asia/Tokyo" {
		t.Errorf("windows: %v", w)
	}
	for _, r := range s.Own {
		if r.Name == "closing" && r.Zone != "" {
			t.Error("the rule as it is written has a zone")
		}
	}
	s = mustLoad(t, "rules: [{name: a, kind: deadline, by: 07:00}]\n")
	if got := s.Rules.All()[0].Zone.Location(); got != time.Local {
		t.Errorf("without timezone: %s", got)
	}
}

func TestAirflowIsLookedAtDeeply(t *testing.T) {
	s := mustLoad(t, "sources:\n  a: {engine: airflow, endpoint: http://a}\n  b: {engine: airflow, deep: false, watch: {params: {endpoint: http://b}}}\n")
	if got := string(s.Sources["a"].Params); got != `{"deep":true,"endpoint":"http://a"}` {
		t.Errorf("a: %s", got)
	}
	if got := string(s.Sources["b"].Params); got != `{"deep":false,"endpoint":"http://b"}` {
		t.Errorf("b: %s", got)
	}
}

// TestWatchIsNotForTheComponent: the verbs' params are without it.
func TestWatchIsNotForTheComponent(t *testing.T) {
	s := mustLoad(t, "sources:\n  a: {engine: digdag, endpoint: http://a, watch: {timeout: 5s}}\n")
	if got := s.Sources["a"]; string(got.Params) != `{"endpoint":"http://a"}` || got.Timeout != 5*time.Second {
		t.Errorf("got %+v", got)
	}
}

// TestTheOnlyReceiverIsTold where no route says who.
func TestTheOnlyReceiverIsTold(t *testing.T) {
	for text, want := range map[string][]alert.Route{
		"receivers: {team: {component: slack.post}}\n":                                                                                                   {{Receiver: "team"}},
		"receivers: {team: {component: slack.post, fallback: mail}, mail: {component: notify.send}}\n":                                                   {{Receiver: "team"}},
		"receivers: {team: {component: slack.post}, boss: {console: true}}\nactions: [{name: a, match: rule=a, do: {component: a.b}, escalate: boss}]\n": {{Receiver: "team"}},
		"storm: 5\n": nil,
	} {
		if s := mustLoad(t, text); !reflect.DeepEqual(s.Policy.Routes, want) {
			t.Errorf("%s: %+v", text, s.Policy.Routes)
		}
	}
}

func TestEveryErrorIsTold(t *testing.T) {
	_, err := load(t, "routes: [{receiver: a}, {receiver: b}]\nstorm: 0\nrules: [{name: r, kind: fresh}, {name: s, kind: late, cap: 5m}]\n")
	if err == nil || len(strings.Split(err.Error(), "\n")) != 5 {
		t.Errorf("got %v", err)
	}
}

func TestSecretsStayReferences(t *testing.T) {
	t.Setenv("SLACK_TOKEN", "xoxb-very-secret")
	s := mustLoad(t, example(t))
	text, err := json.Marshal(s.Receivers)
	if err != nil || strings.Contains(string(text), "very-secret") || !strings.Contains(string(text), "env:SLACK_TOKEN") {
		t.Errorf("got %s, %v", text, err)
	}
}
