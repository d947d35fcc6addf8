package rule

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
)

// Kind is what a rule looks for.
type Kind string

// The kinds.
const (
	Running     Kind = "running"
	Task        Kind = "task"
	Queued      Kind = "queued"
	Failed      Kind = "failed"
	Cancelling  Kind = "cancelling"
	Late        Kind = "late"
	Missing     Kind = "missing"
	Deadline    Kind = "deadline"
	Fresh       Kind = "fresh"
	Fast        Kind = "fast"
	Overlap     Kind = "overlap"
	Lost        Kind = "lost"
	Disabled    Kind = "disabled"
	Broken      Kind = "broken"
	Saturated   Kind = "saturated"
	Unhealthy   Kind = "unhealthy"
	Stale       Kind = "stale"
	Unreachable Kind = "unreachable"
	Stalled     Kind = "stalled"
	Signal      Kind = "signal"
)

// About says what a kind holds of.
type About string

// What rules are about.
const (
	AboutRun      About = "run"
	AboutWorkflow About = "workflow"
	AboutSource   About = "source"
)

// Facts are what holds of all rules of a kind.
type Facts struct {
	About About
	Doc   string
	// Threshold where a rule gives none; the zero one means that the kind has none.
	Threshold threshold.Spec
	// Usual: it may be set to what is usual.
	Usual bool
	// Needs is a field without which a rule says nothing.
	Needs string
	// Fields that rules of this kind may have beside those of all.
	Fields []string
	// Severity and For where a rule gives none.
	Severity Severity
	For      int
	// Builtin: it is looked for without a config.
	Builtin bool
}

// kinds in the order in which they are listed.
func kinds() []struct {
	Kind
	Facts
} {
	usual, fixed := threshold.Usual, threshold.Fixed
	return []struct {
		Kind
		Facts
	}{
		{Running, Facts{AboutRun, "a run takes longer than it should", usual(), true, "", nil, Warning, 1, true}},
		{Task, Facts{AboutRun, "a task takes longer than it should", usual(), true, "", nil, Warning, 1, false}},
		{Queued, Facts{AboutRun, "a run waits to begin", fixed(time.Hour), false, "", nil, Warning, 1, true}},
		{Cancelling, Facts{AboutRun, "a run goes on though its end was asked for", fixed(15 * time.Minute), false, "", nil, Warning, 1, true}},
		{Lost, Facts{AboutRun, "a run was open and is not there any more", threshold.Spec{}, false, "", nil, Warning, 1, true}},
		{Failed, Facts{AboutWorkflow, "the last run failed, or so many of the last ones", threshold.Spec{}, false, "", []string{"failures", "of"}, Warning, 1, true}},
		{Late, Facts{AboutWorkflow, "a run is due and the engine has not started it", fixed(10 * time.Minute), false, "", nil, Warning, 1, true}},
		{Missing, Facts{AboutWorkflow, "a run was due and the engine went on without it", fixed(15 * time.Minute), false, "", nil, Warning, 1, true}},
		{Deadline, Facts{AboutWorkflow, "there is no success by a time of the day, or the running one will not make it", threshold.Spec{}, false, "by", []string{"by", "days", "zone"}, Critical, 1, false}},
		{Fresh, Facts{AboutWorkflow, "there was no success for a time", threshold.Spec{}, false, "threshold", nil, Warning, 1, false}},
		{Fast, Facts{AboutWorkflow, "a success took suspiciously little time", usual(), true, "", nil, Warning, 1, false}},
		{Overlap, Facts{AboutWorkflow, "more runs of it are under way at once than should be", threshold.Spec{}, false, "", []string{"above"}, Warning, 1, false}},
		{Disabled, Facts{AboutWorkflow, "its schedule was turned off while it was watched, and stays so", fixed(24 * time.Hour), false, "", nil, Info, 1, true}},
		{Broken, Facts{AboutWorkflow, "it cannot be read, or it is gone from the schedules (of Airflow: from the DAGs) though it ran lately", fixed(7 * 24 * time.Hour), false, "", nil, Warning, 1, true}},
		{Unreachable, Facts{AboutSource, "the source does not answer", threshold.Spec{}, false, "", nil, Critical, 3, true}},
		{Unhealthy, Facts{AboutSource, "a part of the engine says that it is not well", threshold.Spec{}, false, "", []string{"part"}, Critical, 2, true}},
		{Stale, Facts{AboutSource, "a part of the engine gives no sign of life", fixed(2 * time.Minute), false, "", []string{"part"}, Critical, 2, true}},
		{Stalled, Facts{AboutSource, "runs wait, and nothing begins or ends", fixed(30 * time.Minute), false, "", nil, Critical, 2, true}},
		{Saturated, Facts{AboutSource, "a limit is nearly reached: of open runs, a pool, or a workflow's own while others wait", threshold.Spec{}, false, "", []string{"above"}, Warning, 2, true}},
		{Signal, Facts{AboutSource, "a signal is above or below a number, absent, changed, or meets a condition", fixed(time.Hour), false, "signal", []string{"signal", "above", "below", "absent", "changed", "when"}, Warning, 1, false}},
	}
}

// Kinds are all kinds with what holds of them, in the order of their listing.
func Kinds() (names []Kind, facts map[Kind]Facts) {
	facts = map[Kind]Facts{}
	for _, k := range kinds() {
		names = append(names, k.Kind)
		facts[k.Kind] = k.Facts
	}
	return names, facts
}

// UnmarshalText refuses what is no kind.
func (k *Kind) UnmarshalText(text []byte) error {
	names, facts := Kinds()
	if _, ok := facts[Kind(text)]; !ok {
		var all []string
		for _, n := range names {
			all = append(all, string(n))
		}
		return errors.New("want one of " + strings.Join(all, ", "))
	}
	*k = Kind(text)
	return nil
}

// Severity is how bad it is.
type Severity string

// The severities, the least first. A rule of severity none tells nobody.
const (
	None     Severity = "none"
	Info     Severity = "info"
	Warning  Severity = "warning"
	Critical Severity = "critical"
)

// Rank is higher for what is worse.
func (s Severity) Rank() int { return slices.Index([]Severity{None, Info, Warning, Critical}, s) }

// UnmarshalText refuses what is no severity.
func (s *Severity) UnmarshalText(text []byte) error {
	if Severity(text).Rank() < 0 {
		return errors.New("want none, info, warning or critical")
	}
	*s = Severity(text)
	return nil
}

// ownFields are those that only some kinds have.
func ownFields() []string {
	all := map[string]bool{}
	for _, k := range kinds() {
		for _, f := range k.Fields {
			all[f] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}
