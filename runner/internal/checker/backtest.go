package checker

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/history"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/sdk/observe"
)

// Fired is an alert that would have fired.
type Fired struct {
	Key      string        `json:"key"`
	Rule     string        `json:"rule"`
	Kind     rule.Kind     `json:"kind"`
	Severity rule.Severity `json:"severity"`
	Address  string        `json:"address"`
	What     string        `json:"what"`
	At       time.Time     `json:"at"`
	Resolved time.Time     `json:"resolved,omitzero"`
	// New: it would not have fired by the rules that it is compared with.
	New bool `json:"new,omitempty"`
}

// Replayed is what rules would have told of a past.
type Replayed struct {
	Runs  int     `json:"runs"`
	Fired []Fired `json:"fired"`
	// ByRule and ByWorkflow count them.
	ByRule     map[string]int `json:"by_rule"`
	ByWorkflow map[string]int `json:"by_workflow"`
	New        int            `json:"new"`
	// Blind are the kinds of rules that a past of runs says nothing about.
	Blind []rule.Kind `json:"blind"`
}

// Past is what is replayed: the runs of a source that ended, in any order. What lies
// before From is history alone.
type Past struct {
	Source string
	Runs   []observe.Run
	From   time.Time
	To     time.Time
}

// replayable are the kinds that a past of runs can show.
func replayable() []rule.Kind {
	return []rule.Kind{rule.Running, rule.Failed, rule.Deadline, rule.Fresh, rule.Fast, rule.Overlap}
}

// Backtest replays a past through Pass, a workflow at a time: it looks when a run is as
// long as it gets and when it has ended, and where a rule minds it, when one begins and
// each hour. Alerts are new that do not fire by the rules before, nil for none.
func Backtest(p Past, rules, before *rule.Set) Replayed {
	out := Replayed{Fired: []Fired{}, Blind: []rule.Kind{}, ByRule: map[string]int{}, ByWorkflow: map[string]int{}}
	names, facts := rule.Kinds()
	for _, k := range names {
		if !slices.Contains(replayable(), k) && (facts[k].Builtin || slices.ContainsFunc(rules.All(), func(r *rule.Rule) bool { return r.Kind == k })) {
			out.Blind = append(out.Blind, k)
		}
	}
	by := map[string][]observe.Run{}
	for _, r := range p.Runs {
		if r.State.Ended() && !r.Created.IsZero() && !r.Ended.Before(r.Created) {
			key := history.Key(r.Project, r.Workflow)
			by[key] = append(by[key], r)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(by)) {
		fired := p.replay(by[key], rules)
		var known []Fired
		if before != nil {
			known = p.replay(by[key], before)
		}
		for _, f := range fired {
			f.New = before != nil && !slices.ContainsFunc(known, f.same)
			if f.New {
				out.New++
			}
			out.ByRule[f.Rule]++
			out.ByWorkflow[p.Source+":"+key]++
			out.Fired = append(out.Fired, f)
		}
		for _, r := range by[key] {
			if !r.Ended.Before(p.From) {
				out.Runs++
			}
		}
	}
	slices.SortStableFunc(out.Fired, func(a, b Fired) int { return cmp.Or(a.At.Compare(b.At), strings.Compare(a.Key, b.Key)) })
	return out
}

// same reports whether another alert, by whatever rule, tells of the same: of the same
// kind, at the same address, at a time when this one held.
func (f Fired) same(o Fired) bool {
	return f.Kind == o.Kind && f.Address == o.Address && (o.Resolved.IsZero() || !o.Resolved.Before(f.At)) && (f.Resolved.IsZero() || !f.Resolved.Before(o.At))
}

// moment is a time to look at, between what ends and what begins then.
type moment struct {
	at   time.Time
	ends bool
}

// clockStep is how often is looked where a rule minds the clock.
const clockStep = time.Hour

// replay plays one workflow.
func (p Past) replay(runs []observe.Run, rules *rule.Set) []Fired {
	c := Config{Rules: once(rules)}
	runs = slices.Clone(runs)
	slices.SortStableFunc(runs, func(a, b observe.Run) int { return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.ID, b.ID)) })
	// The history before is one snapshot, as at a checker's first pass.
	first := observe.Snapshot{At: p.From.Add(-time.Nanosecond)}
	var rest []observe.Run
	for _, r := range runs {
		if r.Ended.Before(p.From) {
			first.Runs = append(first.Runs, r)
		} else {
			rest = append(rest, r)
		}
	}
	state := Pass(State{}, []Report{{Source: p.Source, Snapshot: first}}, c, first.At).State
	fired := map[string]int{}
	var all []Fired
	open := rest[:0:0]
	for _, m := range p.moments(rest, rules) {
		snap := observe.Snapshot{At: m.at}
		for len(rest) > 0 && !rest[0].Created.After(m.at) {
			open, rest = append(open, rest[0]), rest[1:]
		}
		left := open[:0:0]
		for _, r := range open {
			if m.ends && !r.Ended.After(m.at) {
				snap.Runs = append(snap.Runs, r)
				continue
			}
			left = append(left, r)
			snap.Runs = append(snap.Runs, asOpen(r, m.at))
		}
		open = left
		state = Pass(state, []Report{{Source: p.Source, Snapshot: snap}}, c, m.at).State
		for _, key := range slices.Sorted(maps.Keys(state.Alerts.Alerts)) {
			a := state.Alerts.Alerts[key]
			i, known := fired[key+a.Fired.String()]
			switch {
			case known && a.State == alert.Resolved && all[i].Resolved.IsZero():
				all[i].Resolved = a.Resolved
			case !known && !a.Fired.IsZero() && slices.Contains(replayable(), a.Kind):
				fired[key+a.Fired.String()] = len(all)
				all = append(all, Fired{Key: key, Rule: a.Rule, Kind: a.Kind, Severity: a.Severity, Address: a.Address, What: a.What, At: a.Fired})
			}
		}
	}
	return all
}

// once are the rules as they are judged at moments that count: `for` counts checks, of
// which there are more in a life than here.
func once(rules *rule.Set) *rule.Set {
	return rules.With(func(r *rule.Rule) { r.For = 1 })
}

func asOpen(r observe.Run, at time.Time) observe.Run {
	r.State, r.Ended = observe.Running, time.Time{}
	if r.Started.After(at) {
		r.Started = time.Time{}
		r.State = observe.Queued
	}
	r.Tasks, r.LogTail = nil, ""
	return r
}

func (p Past) moments(runs []observe.Run, rules *rule.Set) []moment {
	var all []moment
	to := p.To
	has := func(kinds ...rule.Kind) bool {
		return slices.ContainsFunc(rules.All(), func(r *rule.Rule) bool { return slices.Contains(kinds, r.Kind) })
	}
	begins := has(rule.Overlap)
	for _, r := range runs {
		if begins {
			all = append(all, moment{at: r.Created})
		}
		all = append(all, moment{at: r.Ended}, moment{at: r.Ended, ends: true})
		if r.Ended.After(to) {
			to = r.Ended
		}
	}
	if has(rule.Deadline, rule.Fresh) {
		for t := p.From.Truncate(clockStep).Add(clockStep); !t.After(to); t = t.Add(clockStep) {
			all = append(all, moment{at: t, ends: true})
		}
	}
	slices.SortStableFunc(all, func(a, b moment) int { return cmp.Or(a.at.Compare(b.at), boolRank(a.ends)-boolRank(b.ends)) })
	return slices.Compact(all)
}
