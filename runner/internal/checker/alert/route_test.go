package alert

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/sdk/manifest"
)

// A policy is read from a config as the rules are.
func TestAPolicyIsRead(t *testing.T) {
	var p Policy
	err := manifest.DecodeYAML([]byte(`
storm: 20
routes:
  - {match: 'severity=critical,project=~etl|dwh', receiver: pager, continue: true, repeat: 1h, after: 30m, second: boss}
  - {receiver: slack, group_by: [project]}
windows:
  - {name: backup, match: source=prod, cron: '0 2 * * sun', for: 1d, zone: Asia/Tokyo}
silences:
  - {id: s1, match: rule=late, from: 2026-03-02T00:00:00Z, until: 2026-03-02T02:00:00Z, by: ann, reason: deploy}
`), &p)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Validate([]string{"pager", "slack", "boss"}); err != nil {
		t.Error(err)
	}
	if r := p.Routes[0]; r.Match.String() != "severity=critical,project=~etl|dwh" || time.Duration(r.After) != 30*time.Minute || r.Second != "boss" {
		t.Errorf("%+v", r)
	}
	raw, err := json.Marshal(p)
	var back Policy
	if err != nil || json.Unmarshal(raw, &back) != nil || !back.Windows[0].Active(time.Date(2026, 3, 1, 16, 30, 0, 0, time.UTC)) {
		t.Errorf("%s, %v", raw, err)
	}
}

func TestAPolicyIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"routes: [{receiver: slak}]": `routes[0]: receiver: "slak": want one of the receivers`,
		"routes: [{}]":               `routes[0]: receiver: "": want one of the receivers`,
		"routes: [{receiver: slack, second: x, after: 1h}]":     `routes[0]: second: "x": want one of the receivers`,
		"routes: [{receiver: slack, after: 1h}]":                `routes[0]: second: "": second and after belong together`,
		"routes: [{receiver: slack, after: 1h, second: slack}]": `routes[0]: second: "slack": it is the first receiver too`,
		"routes: [{receiver: slack, match: project}]":           `match: "project": want matchers such as project=etl,rule=~late|missing`,
		"routes: [{receiver: slack, group_by: ['']}]":           `routes[0]: group_by: ""`,
		"storm: -1": `storm: -1: want a number of alerts above zero`,
		"windows: [{name: w, cron: '* *', for: 1h}]":                                              `cron: "* *": want a crontab's five fields, such as 0 2 * * sun`,
		"windows: [{name: w, cron: '0 2 * * *'}]":                                                 `window w: for: 0s: want a duration above zero`,
		"windows: [{name: w, cron: '0 2 * * *', for: 1h, zone: Tokyo}]":                           `zone: "Tokyo": want a time zone`,
		"silences: [{id: s, match: '', from: 2026-03-02T00:00:00Z, until: 2026-03-03T00:00:00Z}]": `silence s: match: "": a silence needs matchers`,
		"rotes: []": "rotes: unknown key",
	} {
		var p Policy
		err := manifest.DecodeYAML([]byte(text), &p)
		if err == nil {
			err = p.Validate([]string{"slack"})
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n got %v\nwant %s", text, err, want)
		}
	}
}
