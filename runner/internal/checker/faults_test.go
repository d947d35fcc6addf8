package checker

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/sdk/observe"
)

// Whatever goes wrong between the checker and the engine, what still runs too long is
// told once and is not over before it is; then it is told once.
func TestNoFaultEndsWhatStillRuns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := watch{t: &testing.T{}, c: Config{Rules: rules(&testing.T{}, "")}}
		w.snap(past(10))
		began, ended, repeats := 0, 0, 0
		minute := 46.0
		ends := minute + float64(rapid.IntRange(5, 60).Draw(t, "ends"))
		look := func(r Report, at float64) {
			w.pass(at, r)
			for _, e := range w.last.Events {
				for _, a := range e.Alerts {
					if a.Run != "1" {
						continue
					}
					switch e.Kind {
					case alert.New:
						began++
					case alert.Recovered:
						ended++
						if minute < ends || a.Reason != "it ended: success" {
							t.Fatalf("at %v, before %v: %s", minute, ends, a.Reason)
						}
					case alert.Repeat:
						repeats++
					}
				}
			}
		}
		truth := func() observe.Snapshot {
			if minute >= ends {
				return snap(minute, run("1", 0, ends, observe.Success))
			}
			return snap(minute, run("1", 0, 0, observe.Running))
		}
		look(Report{Source: "prod", Snapshot: truth()}, minute)
		old := 0
		for range rapid.IntRange(1, 60).Draw(t, "passes") {
			minute++
			fault := rapid.IntRange(0, 7).Draw(t, "fault")
			if fault == 3 {
				if old++; old > 5 {
					fault, old = 7, 0 // else it is the engine's clock that was set back
				}
			} else if fault != 0 && fault != 5 {
				old = 0
			}
			switch fault {
			case 0:
				look(Report{Source: "prod", Failure: "timeout"}, minute)
			case 1:
				look(Report{Source: "prod", Snapshot: observe.Snapshot{At: at(minute), Blind: []string{"runs: 503"}}}, minute)
			case 2:
				look(Report{Source: "prod", Snapshot: observe.Snapshot{At: at(minute), Blind: []string{"attempt 1: 503"}}}, minute)
			case 3: // an answer of an hour ago
				look(Report{Source: "prod", Snapshot: snap(minute-60, run("0", -90, 20, observe.Success))}, minute)
			case 4: // our clock is set back
				look(Report{Source: "prod", Snapshot: truth()}, minute-300)
			case 5:
				look(Report{Source: "other", Snapshot: snap(minute)}, minute)
			default:
				look(Report{Source: "prod", Snapshot: truth()}, minute)
			}
		}
		minute = max(minute, ends)
		for range 3 {
			minute++
			look(Report{Source: "prod", Snapshot: truth()}, minute)
		}
		if began != 1 || ended != 1 {
			t.Fatalf("told %d times, over %d times", began, ended)
		}
	})
}
