package action

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
)

// Todo is one thing to be done about an act.
type Todo struct {
	Action Action
	// Act is to be recorded first. Where another checker has recorded it, nothing is to
	// be done. New: there is no record of it yet, and it has no ID.
	Act Act
	New bool
	// Run: its steps are to be run then. Again: they were begun before, and the act is
	// recorded as it is.
	Run, Again bool
	// Tell is a note for the alert's threads, Escalate a receiver that is told besides; ""
	// for none.
	Tell, Escalate string
}

// Decide says what is to be begun, held back, verified and escalated. Alerts that fire
// are acted on, and those of events of kind alert.Act; not what is muted, nor what the
// last check could not tell of. Acts are those since Since.
func Decide(actions []Action, book alert.Book, events []alert.Event, acts []Act, now time.Time) []Todo {
	d := &decision{book: book, now: now, acts: slices.Clone(acts)}
	alerts := candidates(book, events)
	for _, a := range actions {
		for _, one := range alerts {
			if a.Match.Match(&one.Finding) {
				d.act(a, one)
			}
		}
	}
	byName := map[string]Action{}
	for _, a := range actions {
		byName[a.Name] = a
	}
	for _, act := range acts {
		a, ok := byName[act.Action]
		switch act.State {
		case WaitingAck:
			d.waiting(a, act)
		case Running:
			d.resume(a, ok, act)
		case Verifying:
			d.verify(a, act)
		}
	}
	return d.todo
}

// candidates are the alerts that may be acted on, in the order of their keys.
func candidates(book alert.Book, events []alert.Event) (all []alert.Alert) {
	seen := map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(book.Alerts)) {
		a := book.Alerts[key]
		if a.State == alert.Firing && a.Muted == "" && !a.Frozen {
			all = append(all, a)
			seen[EventKey(a)] = true
		}
	}
	for _, e := range events {
		for _, a := range e.Alerts {
			if e.Kind == alert.Act && !seen[EventKey(a)] {
				all = append(all, a)
				seen[EventKey(a)] = true
			}
		}
	}
	return all
}

type decision struct {
	book alert.Book
	now  time.Time
	// acts are the records, with what was decided here already.
	acts []Act
	todo []Todo
}

func (d *decision) put(t Todo) {
	d.todo = append(d.todo, t)
	d.acts = append(slices.DeleteFunc(d.acts, func(a Act) bool { return a.Action == t.Act.Action && a.EventKey == t.Act.EventKey }), t.Act)
}

// record is what is known of an action about an event. A clock that is set back makes the
// time at which an alert fired another: what was recorded later than now is about it too.
func (d *decision) record(a Action, one alert.Alert) (Act, bool) {
	key := EventKey(one)
	i := slices.IndexFunc(d.acts, func(act Act) bool { return act.Action == a.Name && act.EventKey == key })
	if i < 0 && !named(one) {
		i = slices.IndexFunc(d.acts, func(act Act) bool {
			return act.Action == a.Name && act.Alert == one.Key && act.At.After(d.now)
		})
	}
	if i < 0 {
		return Act{}, false
	}
	return d.acts[i], true
}

// act begins an action about an alert, or says why not.
func (d *decision) act(a Action, one alert.Alert) {
	act, known := d.record(a, one)
	switch {
	case !known:
		act = Act{Action: a.Name, EventKey: EventKey(one), Alert: one.Key, At: d.now}
		if len(one.Told) > 0 {
			act.Incident = one.Told[0]
		}
	case act.State == WaitingAck && acknowledged(one):
	case act.State == Skipped && (one.Ack == nil || a.NeedsAck): // else somebody cares for it already
	default:
		return
	}
	was := act.State
	t := Todo{Action: a, New: !known}
	switch why := d.held(a, one); {
	case a.NeedsAck && !acknowledged(one):
		act.State, act.Note = WaitingAck, "waits until somebody acknowledges the alert"
	case why != "":
		act.State, act.Note = Skipped, "was not done: "+why
	case a.DryRun:
		act.State, act.At, act.Note = DryRun, d.now, "would be done: "+steps(a)
	default:
		about, err := json.Marshal(one)
		if err != nil {
			return // an alert is plain data
		}
		act.State, act.At, act.Note, act.About = Running, d.now, "begins: "+steps(a), about
		t.Run = true
	}
	if known && act.State == was {
		return
	}
	t.Act = act
	if !t.Run {
		t.Tell = a.Name + ": " + act.Note
	}
	d.put(t)
}

// acknowledged: by a person. A retry that somebody started stands for an Ack too, but not
// for the wish that more be done.
func acknowledged(a alert.Alert) bool { return a.Ack != nil && a.Ack.By != alert.Retried }

// held is why an action may not begin now, "" where it may.
func (d *decision) held(a Action, one alert.Alert) string {
	var last time.Time
	var window []time.Time
	for _, act := range d.acts {
		if act.Action != a.Name || !act.begun() {
			continue
		}
		if act.Alert == one.Key && act.At.After(last) {
			last = act.At
		}
		if d.now.Sub(act.At) < a.Window {
			window = append(window, act.At)
		}
	}
	if until := last.Add(a.Cooldown); !last.IsZero() && d.now.Before(until) {
		return "cooldown until " + clock(until)
	}
	if a.AtMost > 0 && len(window) >= a.AtMost {
		slices.SortFunc(window, time.Time.Compare)
		until := window[len(window)-a.AtMost].Add(a.Window)
		return fmt.Sprintf("it began %d times within %s, which is the most; not before %s", len(window), threshold.Short(a.Window), clock(until))
	}
	return ""
}

// waiting ends the wait for somebody where the alert is over.
func (d *decision) waiting(a Action, act Act) {
	if one := d.book.Alerts[act.Alert]; one.State == alert.Firing && EventKey(one) == act.EventKey {
		return
	}
	act.State, act.Note = Skipped, "the alert was over before somebody acknowledged it"
	d.put(Todo{Action: a, Act: act})
}

// resumeFor is how long an act is taken up again after it began: one that ends the checker
// itself would go on for ever.
const resumeFor = 15 * time.Minute

// resume takes up what a checker began and did not end. Steps that were done are not done
// again: the ledger has their results.
func (d *decision) resume(a Action, configured bool, act Act) {
	if slices.ContainsFunc(d.todo, func(t Todo) bool { return t.Act.Action == act.Action && t.Act.EventKey == act.EventKey }) {
		return
	}
	switch {
	case !configured:
		act.Note = "was begun, and is not in the config any more"
	case d.now.Sub(act.At) > resumeFor:
		act.Note = "was begun " + clock(act.At) + " and did not end"
	default:
		d.put(Todo{Action: a, Act: act, Run: true, Again: true})
		return
	}
	act.State = Failed
	d.put(Todo{Action: a, Act: act, Tell: act.Action + ": " + act.Note, Escalate: a.Escalate})
}

// verify looks whether what was done has helped.
func (d *decision) verify(a Action, act Act) {
	one, known := d.book.Alerts[act.Alert]
	healthy, at := false, d.now
	switch {
	case !known:
		healthy = true
	case one.State == alert.Resolved:
		healthy, at = true, one.Resolved
	case !one.Quiet.IsZero():
		healthy, at = true, one.Quiet
	case one.State != alert.Firing || one.Fired.After(act.At):
		healthy = true // it was over, and came again
	}
	t := Todo{Action: a}
	switch took := threshold.Short(max(0, at.Sub(act.At))); {
	case healthy:
		act.State, act.Note = Done, "verified: healthy after "+took
	case !d.now.Before(act.VerifyBy):
		act.State, act.Note = Escalated, "did not help within "+threshold.Short(act.VerifyBy.Sub(act.At))
		if one.Frozen {
			act.Note = "cannot be told to have helped within " + threshold.Short(act.VerifyBy.Sub(act.At))
		}
		t.Escalate = a.Escalate
	case a.Verify > 0 && act.VerifyBy.Sub(d.now) > a.Verify: // the clock was set back
		act.VerifyBy = d.now.Add(a.Verify)
		t.Act = act
		d.put(t)
		return
	default:
		return
	}
	t.Act, t.Tell = act, act.Action+": "+act.Note
	d.put(t)
}

func steps(a Action) string {
	var all []string
	for _, s := range a.Do {
		all = append(all, s.Component)
	}
	return strings.Join(all, ", ")
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }
