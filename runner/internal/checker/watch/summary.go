package watch

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker"
	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/history"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/checker/source"
)

// Exit codes as the monitoring-plugins convention has them.
const (
	ExitOK = iota
	ExitWarning
	ExitCritical
	ExitUnknown
)

// Summary is what a pass came to: all that exit codes, tables and metrics are made from.
// It is stored with the pass, and is the answer to a second one at the same time.
type Summary struct {
	At time.Time `json:"at"`
	// Took is in seconds.
	Took float64 `json:"took_s"`
	// Interval is the time from pass to pass, in seconds: of which one is too old.
	Interval float64  `json:"interval_s"`
	Sources  []Source `json:"sources"`
	// Alerts are those that fire, the worst first.
	Alerts []Alert `json:"alerts"`
	// Told are the messages that were sent in this pass.
	Told int `json:"told"`
	// Waiting are the receivers that could not be told yet.
	Waiting []Waiting `json:"waiting,omitempty"`
	// Notes are what went wrong besides, and settings that could not be understood.
	Notes []string `json:"notes,omitempty"`
	// Complete: a source answered, so that something is watched.
	Complete bool `json:"complete"`
	// Exit as Exit says.
	Exit int `json:"exit"`
}

var errNoAnswer = errors.New("no source answered: the pass is not complete")

// incomplete says why a pass does not count as one, nil where it does.
func (s Summary) incomplete() error {
	if s.Complete {
		return nil
	}
	return errNoAnswer
}

// interval is the time from pass to pass, that of who made the last one if it is known.
func (s Summary) interval(own time.Duration) time.Duration {
	return cmp.Or(time.Duration(s.Interval*float64(time.Second)), own)
}

// Source is how asking one source went.
type Source struct {
	Name    string `json:"name"`
	Engine  string `json:"engine,omitempty"`
	Version string `json:"version,omitempty"`
	// Failure is why there is no answer, "" where there is one.
	Failure   string `json:"failure,omitempty"`
	Workflows int    `json:"workflows"`
	Open      int    `json:"open"`
	Requests  int    `json:"requests"`
	// Took is in seconds.
	Took float64 `json:"took_s"`
	// Blind is what was not looked at; Cut says that there was more than the limit.
	Blind []string `json:"blind,omitempty"`
	Cut   bool     `json:"cut,omitempty"`
}

// Alert is a firing alert in a line.
type Alert struct {
	Key      string        `json:"key"`
	Rule     string        `json:"rule"`
	Kind     rule.Kind     `json:"kind"`
	Severity rule.Severity `json:"severity"`
	Source   string        `json:"source"`
	Where    string        `json:"where"`
	What     string        `json:"what"`
	Since    time.Time     `json:"since,omitzero"`
	// Muted says why nobody is told; Acked by whom it is cared for.
	Muted string `json:"muted,omitempty"`
	Acked string `json:"acked,omitempty"`
}

// Waiting is a receiver with something unsent.
type Waiting struct {
	Receiver string `json:"receiver"`
	Count    int    `json:"count"`
	// Oldest is since when, Critical likewise of what is critical.
	Oldest   time.Time     `json:"oldest"`
	Critical time.Time     `json:"critical,omitzero"`
	Worst    rule.Severity `json:"worst"`
	Err      string        `json:"error,omitempty"`
}

// exit is the exit code of a pass: of the worst alert that is not muted, and unknown
// where no source answered.
func (s Summary) exit() int {
	if !s.answered() {
		return ExitUnknown
	}
	code := ExitOK
	for _, a := range s.Alerts {
		if a.Muted != "" {
			continue
		}
		switch a.Severity {
		case rule.Critical:
			return ExitCritical
		case rule.Warning:
			code = ExitWarning
		}
	}
	return code
}

// answered reports whether a source did.
func (s Summary) answered() bool {
	return slices.ContainsFunc(s.Sources, func(x Source) bool { return x.Failure == "" })
}

// summarize is what reports and the state after them come to.
func summarize(at time.Time, answers []source.One, s checker.State) Summary {
	out := Summary{At: at, Sources: []Source{}, Alerts: firing(s.Alerts)}
	for _, a := range answers {
		if isSignals(a.Report.Source) {
			continue // that somebody may post signals is no answer of an engine
		}
		out.Sources = append(out.Sources, sourceOf(a, s.Sources[a.Report.Source]))
	}
	slices.SortFunc(out.Sources, func(a, b Source) int { return cmp.Compare(a.Name, b.Name) })
	out.Complete, out.Exit = out.answered(), out.exit()
	return out
}

func sourceOf(a source.One, s history.Source) Source {
	snap := a.Report.Snapshot
	one := Source{
		Name: a.Report.Source, Engine: cmp.Or(snap.Engine, s.Engine), Version: snap.Version, Failure: a.Report.Failure,
		Open: len(s.Open), Requests: a.Requests, Took: a.Took.Seconds(), Blind: snap.Blind, Cut: snap.Cut,
	}
	for _, w := range s.Workflows {
		if w.Gone.IsZero() {
			one.Workflows++
		}
	}
	return one
}

// firing are the alerts that fire, the worst first; those of severity none are for
// actions alone.
func firing(b alert.Book) []Alert {
	all := []Alert{}
	for _, key := range slices.Sorted(maps.Keys(b.Alerts)) {
		a := b.Alerts[key]
		if a.State != alert.Firing || a.Severity == rule.None {
			continue
		}
		one := Alert{
			Key: key, Rule: a.Rule, Kind: a.Kind, Severity: a.Severity, Source: a.Source, Where: a.Where(),
			What: a.What, Since: cmp.Or(a.Since, a.Fired), Muted: a.Muted,
		}
		if a.Ack != nil {
			one.Acked = cmp.Or(a.Ack.By, "somebody")
		}
		all = append(all, one)
	}
	slices.SortStableFunc(all, func(a, b Alert) int {
		return cmp.Or(cmp.Compare(rank(b.Muted == ""), rank(a.Muted == "")), cmp.Compare(b.Severity.Rank(), a.Severity.Rank()), a.Since.Compare(b.Since))
	})
	return all
}

func rank(b bool) int {
	if b {
		return 1
	}
	return 0
}
