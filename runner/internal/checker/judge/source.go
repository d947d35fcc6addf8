package judge

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/checker/history"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
	"github.com/outrider-run/outrider/sdk/observe"
)

// maxHolders is how many of those who hold something are named.
const maxHolders = 5

// Unreachable is what a source that gives no snapshot is found to be. since is when it
// was first so.
func Unreachable(name string, rules *rule.Set, since, now time.Time, why string) (all []finding.Finding) {
	j := judge{Input: Input{Name: name, Rules: rules}}
	for _, d := range rules.Decide(rule.Unreachable, rule.Subject{Source: name}, rule.Owner{}) {
		f := j.foundAt(d, "it does not answer: "+firstLine(why))
		f.Since, f.Elapsed = since, threshold.Duration(max(0, now.Sub(since)))
		all = append(all, f)
	}
	return all
}

// health tells a part that is not well from one of which nothing was heard.
func (j *judge) health() {
	for _, h := range j.Source.Health {
		who := rule.Subject{Source: j.Name, Part: h.Name}
		stale := false
		if !h.Heartbeat.IsZero() {
			took := j.at.Sub(h.Heartbeat)
			for _, d := range j.Rules.Decide(rule.Stale, who, rule.Owner{}) {
				if took > d.Limit.Fixed {
					stale = true
					f := j.foundAt(d, fmt.Sprintf("%s gave its last sign of life %s ago", h.Name, short(took)))
					f.Since, f.Elapsed = h.Heartbeat, threshold.Duration(took)
					j.tell(ofPart(f, h))
				}
			}
		}
		if h.OK || stale {
			continue
		}
		for _, d := range j.Rules.Decide(rule.Unhealthy, who, rule.Owner{}) {
			f := j.foundAt(d, h.Name+" is not well")
			f.Since = j.at
			j.tell(ofPart(f, h))
		}
	}
}

func ofPart(f finding.Finding, h observe.Health) finding.Finding {
	f.Part, f.Key = h.Name, f.Key+"|"+h.Name
	if h.Note != "" {
		f.What += ": " + firstLine(h.Note)
	}
	return f
}

// stalled finds runs that wait for nothing of their own, while nothing begins or ends.
func (j *judge) stalled() {
	var waiting []string
	for _, id := range idsOf(j.Source.Open) {
		o := j.Source.Open[id]
		if o.State == observe.Queued && j.itsTurn(history.Key(o.Project, o.Workflow), o) == "" {
			waiting = append(waiting, j.address(o.Address))
		}
	}
	took := j.at.Sub(j.Source.Progress)
	if len(waiting) == 0 {
		return
	}
	for _, d := range j.Rules.Decide(rule.Stalled, rule.Subject{Source: j.Name}, rule.Owner{}) {
		if took > d.Limit.Fixed {
			f := j.foundAt(d, fmt.Sprintf("%d runs wait, and none began or ended for %s", len(waiting), short(took)))
			f.Since, f.Elapsed = j.Source.Progress, threshold.Duration(took)
			f.Holders = waiting[:min(len(waiting), maxHolders)]
			j.tell(f)
		}
	}
}

// nearly is the share from which on something is nearly full.
const nearly = 0.8

// saturated looks at signals that have a limit beside them (open_attempts and
// open_attempts_limit), and at workflows that reach their own while a run waits.
func (j *judge) saturated() {
	limits := map[string]observe.Signal{}
	all := slices.Concat(j.Snapshot.Signals, taken(j.Snapshot.Signals))
	for _, s := range all {
		if name, ok := strings.CutSuffix(s.Name, "_limit"); ok {
			limits[limitKey(name, s.Labels)] = s
		}
	}
	for _, s := range all {
		limit, ok := limits[limitKey(s.Name, s.Labels)]
		if !ok || limit.Value <= 0 {
			continue
		}
		for _, d := range j.Rules.Decide(rule.Saturated, rule.Subject{Source: j.Name, Labels: s.Labels}, rule.Owner{}) {
			most := nearly
			if d.Above != nil {
				most = *d.Above
			}
			if s.Value < most*limit.Value {
				continue
			}
			f := j.foundAt(d, fmt.Sprintf("%s: %s of %s", strings.ReplaceAll(s.Name, "_", " ")+labelText(s.Labels), number(s.Value), limitText(limit)))
			f.Key, f.Signal, f.Labels, f.Since = f.Key+"|"+s.Name+labelText(s.Labels), s.Name, s.Labels, j.at
			if f.Holders = j.holders(); s.Labels["pool"] != "" {
				f.Holders = j.holdersOf(s.Labels["pool"])
			}
			j.tell(f)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(j.open)) {
		j.full(key)
	}
}

// taken are the slots of pools that are not open, with their limits: Airflow tells the
// open ones.
func taken(signals []observe.Signal) (all []observe.Signal) {
	for _, s := range signals {
		if s.Name != "pool_open_slots" {
			continue
		}
		for _, whole := range signals {
			if whole.Name == "pool_slots" && maps.Equal(whole.Labels, s.Labels) {
				all = append(all,
					observe.Signal{Name: "pool_taken_slots", Value: whole.Value - s.Value, Labels: s.Labels},
					observe.Signal{Name: "pool_taken_slots_limit", Value: whole.Value, Labels: s.Labels})
			}
		}
	}
	return all
}

// limitKey leaves out the label that says where a limit was taken from.
func limitKey(name string, labels map[string]string) string {
	labels = maps.Clone(labels)
	delete(labels, "from")
	return history.SignalKey(observe.Signal{Name: name, Labels: labels})
}

// full is a workflow with as many runs as it may have, and one more that is due. It is the
// workflow's own matter, for which its owner's settings hold.
func (j *judge) full(key string) {
	w := j.Source.Workflows[key]
	if w == nil || w.Schedule == nil || w.Schedule.MaxActive == 0 {
		return
	}
	var running []history.Open
	waits := ""
	for _, o := range j.open[key] {
		if o.State == observe.Queued {
			waits = o.Address + " waits"
		} else {
			running = append(running, o)
		}
	}
	if waits == "" && !w.Schedule.Off && !w.Schedule.Next.IsZero() && j.at.After(w.Schedule.Next) {
		waits = "the one due at " + w.Schedule.Next.UTC().Format("15:04 MST") + " waits"
	}
	if len(running) < w.Schedule.MaxActive || waits == "" {
		return
	}
	s := j.subject(w)
	for _, d := range j.Rules.Decide(rule.Saturated, s.who, s.owner) {
		f := j.found(d, s, fmt.Sprintf("%d of %d runs at once are open, and %s", len(running), w.Schedule.MaxActive, waits))
		f.Since = j.at
		for _, o := range running[:min(len(running), maxHolders)] {
			f.Holders = append(f.Holders, fmt.Sprintf("%s for %s", j.address(o.Address), short(history.Elapsed(o.Run, threshold.Created, j.at))))
		}
		j.tell(f)
	}
}

// holders are the workflows with the most open runs.
func (j *judge) holders() (all []string) {
	keys := slices.Collect(maps.Keys(j.open))
	slices.SortFunc(keys, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(j.open[b]), len(j.open[a])), compareText(a, b))
	})
	for _, key := range keys[:min(len(keys), maxHolders)] {
		oldest := slices.MinFunc(j.open[key], func(a, b history.Open) int { return a.Created.Compare(b.Created) })
		all = append(all, fmt.Sprintf("%s: %d open, the oldest for %s", j.address(key), len(j.open[key]), short(history.Elapsed(oldest.Run, threshold.Created, j.at))))
	}
	return all
}

// holdersOf are the tasks that hold most of a pool's slots, as the engine tells; none where
// it does not.
func (j *judge) holdersOf(pool string) (all []string) {
	var held []observe.Signal
	for _, s := range j.Snapshot.Signals {
		if s.Name == "pool_holder_slots" && s.Labels["pool"] == pool {
			held = append(held, s)
		}
	}
	slices.SortStableFunc(held, func(a, b observe.Signal) int { return cmp.Compare(b.Value, a.Value) })
	for _, s := range held[:min(len(held), maxHolders)] {
		all = append(all, fmt.Sprintf("%s/%s: %s of its slots", j.address(s.Labels["dag"]), s.Labels["task"], number(s.Value)))
	}
	return all
}

func compareText(a, b string) int { return strings.Compare(a, b) }

// limitText says of a limit that is a guess from below that it is one.
func limitText(limit observe.Signal) string {
	if strings.HasPrefix(limit.Labels["from"], "at least ") {
		return "at least " + number(limit.Value)
	}
	return number(limit.Value)
}

func number(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

func labelText(labels map[string]string) string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		all = append(all, key+"="+labels[key])
	}
	if len(all) == 0 {
		return ""
	}
	return "{" + strings.Join(all, ",") + "}"
}

// firstLine is what fits into a line; the whole stands in the engine.
func firstLine(text string) string {
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	const most = 300
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + " …"
	}
	return text
}
