package alert

import (
	"slices"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
)

// TestAnOwnersChannel takes the place of a receiver's where the route is for all alerts, and
// nowhere else: whom a config names for some is told as it says.
func TestAnOwnersChannel(t *testing.T) {
	must := func(text string) Matchers {
		m, err := ParseMatchers(text)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	mine := func(s rule.Severity) finding.Finding {
		return find(rule.Failed, "daily", severity(s), func(f *finding.Finding) { f.Channel = "#mine" })
	}
	hour := threshold.Duration(time.Hour)
	for name, c := range map[string]struct {
		routes   []Route
		severity rule.Severity
		want     []string
	}{
		"all":                        {[]Route{{Receiver: "team"}}, rule.Warning, []string{"team #mine"}},
		"matchers":                   {[]Route{{Receiver: "pager", Match: must("severity=critical")}, {Receiver: "team"}}, rule.Critical, []string{"pager "}},
		"matchers, and then all":     {[]Route{{Receiver: "pager", Match: must("severity=critical"), Continue: true}, {Receiver: "team"}}, rule.Critical, []string{"pager ", "team #mine"}},
		"none that matches":          {[]Route{{Receiver: "pager", Match: must("severity=critical")}}, rule.Warning, []string{"pager "}},
		"the second after the first": {[]Route{{Receiver: "team", Second: "boss", After: hour}}, rule.Warning, []string{"team #mine", "boss "}},
	} {
		t.Run(name, func(t *testing.T) {
			l := life{policy: Policy{Routes: c.routes}}
			l.check(0, mine(c.severity))
			l.check(61, mine(c.severity))
			var got []string
			for _, e := range l.all {
				got = append(got, e.Receiver+" "+e.Channel)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	grouped := life{policy: Policy{Routes: []Route{{Receiver: "pager", Match: must("project=etl"), GroupBy: []string{"project"}}}}}
	other := find(rule.Failed, "hourly", func(f *finding.Finding) { f.Channel = "#other" })
	if got := grouped.check(0, mine(rule.Warning), other); got != "pager new failed/daily+failed/hourly" {
		t.Errorf("channels that do not count part them: %s", got)
	}
}
