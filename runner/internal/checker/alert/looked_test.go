package alert

import (
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
)

// TestLooked: when the details of a run were asked is remembered as long as it is that
// run, and so are the details, also before the alert fires.
func TestLooked(t *testing.T) {
	var l life
	of := func(run, log string) finding.Finding {
		return find(rule.Failed, "daily", times(3), func(f *finding.Finding) { f.Run, f.LogTail = run, log })
	}
	key := of("1", "").Key
	step := func(minute int, run, log string, looked bool, want time.Time, tail string) {
		t.Helper()
		l.step(minute, Checked{Findings: []finding.Finding{of(run, log)}, Looked: map[string]bool{key: looked}})
		if a := l.book.Alerts[key]; !a.Looked.Equal(want) || a.LogTail != tail {
			t.Errorf("minute %d: looked at %s, log %q; want %s, %q", minute, a.Looked, a.LogTail, want, tail)
		}
	}
	step(0, "1", "end", true, at(0), "end")
	step(1, "1", "", false, at(0), "end")
	step(2, "1", "", false, at(0), "end")
	if a := l.book.Alerts[key]; a.State != Firing {
		t.Error(a.State)
	}
	step(3, "1", "more", true, at(3), "more")
	step(1, "1", "", false, at(1), "more") // the clock is set back
	step(2, "2", "", false, time.Time{}, "")
}
