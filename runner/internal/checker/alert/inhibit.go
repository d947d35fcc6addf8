package alert

import (
	"slices"
	"strings"

	"github.com/outrider-run/outrider/runner/internal/checker/rule"
)

// inhibits reports whether one alert makes another of its source no news: it is what
// causes it.
//
// Only what fires does: of what is pending nobody knows yet, and it may come to nothing. What
// is silenced, acknowledged or caused by something else still does, as in Alertmanager: who
// silenced a dead scheduler knows of it, and is not to be told of each run that it leaves
// out. A silence ends, and then what is left is told.
func inhibits(cause, effect *Alert) bool {
	if cause.Key == effect.Key || cause.State == Pending {
		return false
	}
	if cause.State == Resolved {
		// Its recovery told of the runs that it had left out.
		return effect.Kind == rule.Missing && starts(cause.Part) && !cause.Fired.IsZero() &&
			!effect.Since.Before(cause.Since) && !effect.Since.After(cause.Resolved)
	}
	sameWorkflow := cause.Workflow != "" && cause.Workflow == effect.Workflow && cause.Project == effect.Project
	is := func(kinds ...rule.Kind) bool { return slices.Contains(kinds, effect.Kind) }
	switch cause.Kind {
	case rule.Unreachable:
		return true
	case rule.Unhealthy, rule.Stale:
		// A dead scheduler starts nothing. It stays to be told that a deadline is missed.
		return starts(cause.Part) && is(rule.Late, rule.Missing, rule.Queued, rule.Stalled, rule.Fresh)
	case rule.Stalled:
		return is(rule.Late, rule.Missing, rule.Queued)
	case rule.Saturated:
		return cause.Workflow == "" && is(rule.Queued) || sameWorkflow && is(rule.Queued, rule.Late)
	case rule.Broken:
		return sameWorkflow && is(rule.Late, rule.Missing, rule.Fresh)
	case rule.Late:
		return sameWorkflow && is(rule.Missing)
	}
	return false
}

// starts reports whether a part of an engine is one without which no run starts.
func starts(part string) bool {
	return slices.ContainsFunc([]string{"scheduler", "executor", "database", "metadatabase"}, func(s string) bool {
		return strings.HasPrefix(part, s)
	})
}

// causes are alerts that may inhibit others, by source. Each is looked for by every
// other, so they are few kinds.
func causes(alerts map[string]Alert) map[string][]Alert {
	all := map[string][]Alert{}
	for _, key := range sorted(alerts) {
		a := alerts[key]
		switch a.Kind {
		case rule.Unreachable, rule.Unhealthy, rule.Stale, rule.Stalled, rule.Saturated, rule.Broken, rule.Late:
			if a.Severity != rule.None {
				all[a.Source] = append(all[a.Source], a)
			}
		}
	}
	return all
}
