package alert

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
)

func TestMatchers(t *testing.T) {
	f := find(rule.Late, "daily,x")
	for text, want := range map[string]bool{
		"project=etl": true, "project=et": false, "project!=etl": false, "project!=x": true, "team=data": true, "team=": false, "nothing=": true,
		"rule=~late|missing": true, "rule=~lat": false, "rule!~late": false, "rule!~lat": true,
		"project=etl,rule=late": true, "project=etl, rule=failed": false, `workflow="daily,x"`: true, `workflow=daily`: false,
		"kind=late,severity=warning,source=prod": true,
	} {
		m, err := ParseMatchers(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got := m.Match(&f); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	for _, text := range []string{"", "project", "=etl", "project=etl,", "rule=~(", `a="x`, "a!x"} {
		if m, err := ParseMatchers(text); err == nil || !strings.Contains(err.Error(), "matchers ") {
			t.Errorf("%q: %v, %v", text, m, err)
		}
	}
}

func TestMatchersAreReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all Matchers
		for range rapid.IntRange(1, 4).Draw(t, "n") {
			all = append(all, Matcher{
				Name: rapid.StringMatching(`[a-z_.]{1,8}`).Draw(t, "name"), Op: rapid.SampledFrom([]string{"=", "!="}).Draw(t, "op"),
				Value: rapid.String().Draw(t, "value"),
			})
		}
		raw, err := json.Marshal(all)
		var back Matchers
		if err != nil || json.Unmarshal(raw, &back) != nil || back.String() != all.String() || len(back) != len(all) {
			t.Fatalf("%q came back as %q, %v", all, back, err)
		}
		for i := range all {
			if back[i].Value != all[i].Value && json.Valid(raw) && strings.ToValidUTF8(all[i].Value, "") == all[i].Value {
				t.Fatalf("%q is %q", all[i].Value, back[i].Value)
			}
		}
	})
}

func TestWindowsOnTheNightsOfTheChange(t *testing.T) {
	for _, c := range []struct {
		name, cron, length, zone string
		open, shut               []string
	}{
		{"a plain night", "30 2 * * *", "1h", "Europe/Berlin", []string{"2026-03-10T01:30:00Z", "2026-03-10T02:29:59Z"}, []string{"2026-03-10T01:29:59Z", "2026-03-10T02:30:00Z"}},
		{"the hour is left out: it begins when the clocks jump", "30 2 * * *", "1h", "Europe/Berlin", []string{"2026-03-29T01:00:00Z", "2026-03-29T01:59:00Z"}, []string{"2026-03-29T00:59:00Z", "2026-03-29T02:31:00Z"}},
		{"over the jump it is as long", "30 1 * * *", "2h", "Europe/Berlin", []string{"2026-03-29T00:30:00Z", "2026-03-29T02:29:00Z"}, []string{"2026-03-29T00:29:00Z", "2026-03-29T02:30:00Z"}},
		{"the hour comes twice", "30 2 * * *", "30m", "Europe/Berlin", []string{"2026-10-25T00:30:00Z", "2026-10-25T00:59:00Z"}, []string{"2026-10-25T00:29:00Z", "2026-10-25T02:31:00Z"}},
		{"either day will do", "0 2 1 * sun", "1h", "UTC", []string{"2026-03-01T02:10:00Z", "2026-03-08T02:10:00Z", "2026-04-01T02:10:00Z"}, []string{"2026-03-09T02:10:00Z"}},
		{"over midnight", "0 23 * * sat", "3h", "Asia/Tokyo", []string{"2026-03-07T14:00:00Z", "2026-03-07T16:59:00Z"}, []string{"2026-03-07T13:59:00Z", "2026-03-07T17:00:00Z"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := Window{Name: "w", Zone: rule.Zone(c.zone)}
			if err := w.Cron.UnmarshalText([]byte(c.cron)); err != nil {
				t.Fatal(err)
			}
			if err := w.For.UnmarshalText([]byte(c.length)); err != nil {
				t.Fatal(err)
			}
			for want, times := range map[bool][]string{true: c.open, false: c.shut} {
				for _, text := range times {
					now, err := time.Parse(time.RFC3339, text)
					if err != nil {
						t.Fatal(err)
					}
					if got := w.Active(now); got != want {
						t.Errorf("at %s (%s): %v", text, now.In(w.Zone.Location()).Format("15:04 MST"), got)
					}
				}
			}
		})
	}
}

func TestSilencesAndWindowsAreChecked(t *testing.T) {
	m, err := ParseMatchers("a=b")
	if err != nil {
		t.Fatal(err)
	}
	for want, s := range map[string]Silence{
		"needs matchers": {From: at(0), Until: at(1)}, "has to end after it begins": {Match: m, From: at(1), Until: at(1)},
	} {
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	var c Cron
	for _, text := range []string{"", "* * *", "61 * * * *", "0 0 2 * * *"} {
		if err := c.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	if err := c.UnmarshalText([]byte("0 2 * * *")); err != nil {
		t.Fatal(err)
	}
	hour := threshold.Duration(time.Hour)
	for want, w := range map[string]Window{
		`name: ""`: {Cron: c, For: hour}, `window w: cron: ""`: {Name: "w", For: hour}, "window w: for: 0s": {Name: "w", Cron: c},
	} {
		if err := w.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := (Window{Name: "w", Cron: c, For: hour}).Validate(); err != nil {
		t.Error(err)
	}
}
