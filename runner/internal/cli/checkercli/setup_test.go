package checkercli

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/settings"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
)

// written is what flags beside a config lead to.
func written(t *testing.T, text string, g given) (settings.Settings, error) {
	t.Helper()
	g.config = filepath.Join(t.TempDir(), "outrider.yml")
	if err := os.WriteFile(g.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, s, err := g.settings()
	return s, err
}

func sourcesOf(s settings.Settings) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(s.Sources)) {
		all = append(all, name+" "+s.Sources[name].Engine+" "+string(s.Sources[name].Params))
	}
	return strings.Join(all, "; ")
}

func TestWhereSourcesComeFrom(t *testing.T) {
	t.Setenv("OUTRIDER_DIGDAG_ENDPOINT", "http://env")
	user, err := parseSet("airflow.user=admin")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, text string
		g          given
		want       string
	}{
		{"the environment", "", given{}, `digdag digdag {"endpoint":"http://env"}`},
		{"flags go before it", "", given{airflow: "http://a", sets: []set{user}}, `airflow airflow {"deep":true,"endpoint":"http://a","user":"admin"}`},
		{"so does a config", "sources: {prod: {engine: digdag, endpoint: http://p}}\n", given{}, `prod digdag {"endpoint":"http://p"}`},
		{"flags beside a config", "sources: {prod: {engine: digdag, endpoint: http://p}}\n", given{digdag: "http://d", ledger: true}, `digdag digdag {"endpoint":"http://d"}; outrider outrider ; prod digdag {"endpoint":"http://p"}`},
	} {
		s, err := written(t, c.text, c.g)
		if got := sourcesOf(s); err != nil || got != c.want {
			t.Errorf("%s: %v\n got %s\nwant %s", c.name, err, got, c.want)
		}
	}
}

func TestFlagsBesideAConfig(t *testing.T) {
	t.Setenv("SLACK_TOKEN", "xoxb-1")
	text := "sources: {prod: {engine: digdag}}\nrules: [{name: mine, kind: running, threshold: 1h}]\nroutes: [{receiver: console}]\n"
	s, err := written(t, text, given{slack: "#data", threshold: threshold.Fixed(2 * time.Hour), history: threshold.Duration(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if r := s.Receivers["slack"]; r.Component != "slack.post" || string(r.Params) != `{"channel":"#data","token":"env:SLACK_TOKEN"}` || r.Fallback != alert.Console {
		t.Errorf("%+v", r)
	}
	if r := s.Policy.Routes; len(r) != 2 || r[0].Receiver != "slack" || !r[0].Continue || r[1].Receiver != "console" {
		t.Errorf("%+v", r)
	}
	if all := s.Rules.All(); all[0].Name != "mine" || all[0].Threshold != threshold.Fixed(time.Hour) || all[1].Name != "running" || all[1].Threshold != threshold.Fixed(2*time.Hour) {
		t.Errorf("%s %s, %s %s", all[0].Name, all[0].Threshold, all[1].Name, all[1].Threshold)
	}
	if s.Sources["prod"].History != time.Hour {
		t.Errorf("%+v", s.Sources)
	}
	t.Setenv("SLACK_TOKEN", "")
	t.Setenv("SLACK_WEBHOOK", "https://hooks.example/x")
	if s, err = written(t, "", given{slack: "#data"}); err != nil || string(s.Receivers["slack"].Params) != `{"webhook":"env:SLACK_WEBHOOK"}` || s.Policy.Routes[0].Continue {
		t.Errorf("%+v, %v", s.Receivers["slack"], err)
	}
}

func TestSecretsAreReferences(t *testing.T) {
	t.Setenv("PING", "https://ping")
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("sesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]string{"env:PING": "https://ping", "file:" + file: "sesame", "https://literal": "https://literal", "": ""} {
		if got, err := secret(ref); err != nil || got != want {
			t.Errorf("%s: %q, %v", ref, got, err)
		}
	}
	for _, ref := range []string{"env:NOT_THERE", "file:/not/there"} {
		if got, err := secret(ref); err == nil || !strings.Contains(err.Error(), ref) {
			t.Errorf("%s: %q, %v", ref, got, err)
		}
	}
}
