package alert

import (
	"slices"
	"testing"

	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
)

// TestARecoveryListsWhatNeverCame, and not what was started by hand meanwhile: that would
// run twice. What the finding has dropped is still told while it has not come.
func TestARecoveryListsWhatNeverCame(t *testing.T) {
	due := func(minute int) finding.Missed {
		return finding.Missed{Address: "prod:etl/daily", At: at(minute)}
	}
	missing := func(all ...finding.Missed) finding.Finding {
		return find(rule.Missing, "daily", func(f *finding.Finding) { f.Missed, f.Since = all, all[0].At })
	}
	first, second, third := due(-60), due(-30), due(-1)
	var l life
	l.step(0, Checked{Findings: []finding.Finding{missing(first, second)}, Missed: []finding.Missed{first, second}})
	key := missing(first).Key
	for _, c := range []struct {
		name   string
		minute int
		found  []finding.Missed
		left   []finding.Missed
	}{
		{"one more, and the first is not found any more", 1, []finding.Missed{second, third}, []finding.Missed{first, second, third}},
		{"the second was started by hand", 2, []finding.Missed{third}, []finding.Missed{first, third}},
	} {
		l.step(c.minute, Checked{Findings: []finding.Finding{missing(c.found...)}, Missed: c.left})
		if got := l.book.Alerts[key].Missed; !slices.Equal(got, c.left) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.left)
		}
	}
	l.step(3, Checked{Over: map[string]string{key: "over"}, Missed: []finding.Missed{first}})
	if e := l.all[len(l.all)-1]; e.Kind != Recovered || !slices.Equal(e.Missed, []finding.Missed{first}) {
		t.Errorf("%s lists %+v", e.Kind, e.Missed)
	}
}
