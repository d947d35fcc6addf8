package history

import (
	"slices"
	"time"

	"github.com/outrider-run/outrider/sdk/observe"
)

// What is kept of a workflow at most.
const (
	maxRuns     = 100 // successes
	maxTasks    = 40  // tasks whose durations are kept
	maxPerTask  = 20  // durations of one
	maxOutcomes = 10  // sessions that ended
	maxDue      = 20  // due runs that have not come
	maxParams   = 100 // parameters that are compared
)

// MaxOutcomes is of how many sessions it is known how they ended.
const MaxOutcomes = maxOutcomes

// Key names a workflow of a source: PROJECT/WORKFLOW, or the DAG.
func Key(project, workflow string) string {
	if project == "" {
		return workflow
	}
	return project + "/" + workflow
}

// Workflow is what is known of one. It is never changed in place.
type Workflow struct {
	Project string `json:"project,omitempty"`
	Name    string `json:"name"`
	// First is when it was seen first, LastRun when its newest run was created.
	First   time.Time `json:"first,omitzero"`
	LastRun time.Time `json:"last_run,omitzero"`
	// Runs are its successes, Tasks those of its tasks by their full names.
	Runs  Packed            `json:"runs,omitempty"`
	Tasks map[string]Packed `json:"tasks,omitempty"`
	// Outcomes are its last sessions that ended, the newest last.
	Outcomes []Outcome `json:"outcomes,omitempty"`
	// Good is its last success.
	Good *Good `json:"good,omitempty"`
	// Volatile are parameters that differ from run to run, so that a change of them says
	// nothing.
	Volatile []string  `json:"volatile,omitempty"`
	Schedule *Schedule `json:"schedule,omitempty"`
	// Due are runs that were due and have not come.
	Due []Due `json:"due,omitempty"`
	// Gone is since when its schedule is not there any more, and Renamed the workflow
	// that came in its place.
	Gone    time.Time `json:"gone,omitzero"`
	Renamed string    `json:"renamed,omitempty"`
	// Labels are those of its last run of which they are known.
	Labels map[string]string `json:"labels,omitempty"`
}

// Key is its name within its source.
func (w *Workflow) Key() string { return Key(w.Project, w.Name) }

// Last is the id of its last run that ended, "" where none is known.
func (w *Workflow) Last() string {
	if n := len(w.Outcomes); n > 0 {
		return w.Outcomes[n-1].ID
	}
	return ""
}

// Outcome is how a session ended: by its last try.
type Outcome struct {
	Session string        `json:"session,omitempty"`
	ID      string        `json:"id"`
	Address string        `json:"address,omitempty"`
	Try     int           `json:"try,omitempty"`
	State   observe.State `json:"state"`
	Time    time.Time     `json:"time,omitzero"`
	// First is when its first try was created, Ended when the last ended, and Sum how
	// long all took, in milliseconds.
	First    time.Time `json:"first,omitzero"`
	Created  time.Time `json:"created,omitzero"`
	Started  time.Time `json:"started,omitzero"`
	Ended    time.Time `json:"ended,omitzero"`
	Sum      int64     `json:"sum_ms,omitempty"`
	Trigger  string    `json:"trigger,omitempty"`
	Revision string    `json:"revision,omitempty"`
	Link     string    `json:"link,omitempty"`
	// Changed are the parameters that differ from those of the last success before it.
	Changed []string `json:"changed,omitempty"`
	// Before is the revision of that.
	Before string `json:"before,omitempty"`
}

// Good is a success, with what others are compared with. Parameters are kept as
// digests: values may be secrets.
type Good struct {
	ID       string            `json:"id"`
	Address  string            `json:"address,omitempty"`
	First    time.Time         `json:"first,omitzero"`
	Created  time.Time         `json:"created,omitzero"`
	Started  time.Time         `json:"started,omitzero"`
	Ended    time.Time         `json:"ended,omitzero"`
	Revision string            `json:"revision,omitempty"`
	Params   map[string]string `json:"params,omitempty"`
}

// Schedule is a schedule as it was seen last.
type Schedule struct {
	Next time.Time `json:"next,omitzero"`
	// Late is when Next, past already, was first reported: the engine may have learned of it
	// only then. Zero where it was seen before its time, or at the source's first snapshot.
	Late       time.Time         `json:"late,omitzero"`
	Session    time.Time         `json:"session,omitzero"`
	Expression string            `json:"expression,omitempty"`
	Zone       string            `json:"zone,omitempty"`
	Off        bool              `json:"off,omitempty"`
	OffSince   time.Time         `json:"off_since,omitzero"` // zero where it was off when it was seen first
	Broken     string            `json:"broken,omitempty"`
	MaxActive  int               `json:"max_active,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`
}

// Due is a run that was due and has not come.
type Due struct {
	At      time.Time `json:"at"`
	Session time.Time `json:"session,omitzero"`
	// While is a run that was open when it was due.
	While string `json:"while,omitempty"`
}

// Came reports whether the run that was due came: one of its session, or where that is
// not told one that was created since. open are the workflow's runs that are open.
func (w *Workflow) Came(d Due, open []Open) bool {
	is := func(session, created time.Time) bool {
		if !session.IsZero() && !d.Session.IsZero() {
			return session.Equal(d.Session)
		}
		return !created.Before(d.At.Add(-early))
	}
	return slices.ContainsFunc(w.Outcomes, func(o Outcome) bool { return is(o.Time, o.Created) }) ||
		slices.ContainsFunc(open, func(o Open) bool { return is(o.Time, o.Created) })
}
