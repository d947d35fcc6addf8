package watch

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker"
	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
)

// maxBaseline is how many workflows a summary names.
const maxBaseline = 20

// baseline tells of each source's first pass once: what is watched from now on, and which
// workflows had failed before, of which no alerts are made.
func baseline(r checker.Result, policy alert.Policy, now time.Time) (events []alert.Event) {
	for _, name := range slices.Sorted(maps.Keys(r.Changes)) {
		if !r.Changes[name].First || isSignals(name) {
			continue
		}
		s := r.State.Sources[name]
		what := fmt.Sprintf("is watched from now on: %s, %s", count(len(s.Workflows), "workflow"), count(len(s.Open), "open run"))
		f := finding.Finding{Key: name + "|baseline", Rule: "baseline", Kind: rule.Failed, Severity: rule.Info, Source: name, What: what, Since: s.At}
		if failed := r.Baseline[name]; len(failed) > 0 {
			f.What += fmt.Sprintf("; of %s the last run had failed before", count(len(failed), "workflow"))
			f.Notes = []string{"failed before, and not told one by one: " + strings.Join(failed[:min(len(failed), maxBaseline)], ", ")}
			if more := len(failed) - maxBaseline; more > 0 {
				f.Notes = append(f.Notes, fmt.Sprintf("and %d more", more))
			}
		}
		events = append(events, alert.Event{
			Kind: alert.New, Receiver: defaultReceiver(policy), Incident: fmt.Sprintf("%s|baseline|%d", name, now.UnixMilli()),
			Seq: 1, At: now, Alerts: []alert.Alert{{Finding: f, State: alert.Resolved, Fired: now, Resolved: now}}, Total: 1,
		})
	}
	return events
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// defaultReceiver is who is told what no route is about.
func defaultReceiver(p alert.Policy) string {
	if len(p.Routes) == 0 {
		return alert.Console
	}
	return p.Routes[len(p.Routes)-1].Receiver
}
