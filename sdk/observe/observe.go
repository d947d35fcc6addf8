// Package observe holds what a component that observes an engine is asked and
// reports, the same for every engine: runs with their tasks, schedules, health and
// signals. digdag.observe and airflow.observe report it; anybody's component may, and
// is then watched as they are.
//
// Here are types and what can be said of them without an engine. How an engine is
// asked lives with its plugin, what is made of a report lives in the checker.
package observe

import (
	"encoding/json"
	"time"
)

// Ask is what every observing component is asked. Embed it in the parameters.
type Ask struct {
	Cursor  json.RawMessage `json:"cursor,omitzero" help:"what the pass before returned as its cursor; leave it out at the first"`
	Details []string        `json:"details,omitzero" help:"ids of runs whose tasks and log tail are wanted"`
	History time.Time       `json:"history_from,omitzero" help:"at the first pass report ended runs too that are not older"`
	Limit   int             `json:"limit" default:"5000" min:"1" help:"report at most so many ended runs"`
	// Requests: what they do not suffice for is blind, and the cursor stands before it.
	Requests int `json:"requests,omitzero" min:"0" help:"most requests of this look, each try counted; 0: the component's own bound"`
}

// Snapshot is a report. Runs holds every run that is open, and those that ended since
// the cursor was made.
type Snapshot struct {
	Engine    string          `json:"engine" help:"digdag, airflow or another"`
	Version   string          `json:"version,omitempty"`
	At        time.Time       `json:"at" help:"when the engine was asked, by its own clock where it tells it"`
	Runs      []Run           `json:"runs"`
	Schedules []Schedule      `json:"schedules"`
	Health    []Health        `json:"health"`
	Signals   []Signal        `json:"signals"`
	Cursor    json.RawMessage `json:"cursor,omitzero"`
	// Reset: the engine's ids start anew, so that what was remembered is void.
	Reset bool `json:"reset,omitempty" help:"the engine began its ids anew: what was remembered is void"`
	// Cut: there were more ended runs than Limit.
	Cut      bool `json:"cut,omitempty" help:"there was more than the limit"`
	Requests int  `json:"requests" help:"how many requests it took"`
	// Blind lists what could not be looked at, and why.
	Blind []string `json:"blind,omitempty" help:"what was not looked at, and why"`
}

// State is how a run or a task stands. Engines have more words; these are what they
// mean to who waits for them.
type State string

const (
	Queued     State = "queued"     // nothing of it runs yet
	Running    State = "running"    // under way, waits for a retry included
	Cancelling State = "cancelling" // its end was asked for, and it goes on
	Success    State = "success"
	Failed     State = "failed"
	Cancelled  State = "cancelled"
	Skipped    State = "skipped"
)

// Ended reports whether nothing more comes of it.
func (s State) Ended() bool {
	switch s {
	case Success, Failed, Cancelled, Skipped:
		return true
	}
	return false
}

// Labels by which the owner of a workflow sets in the workflow itself how it is watched:
// a label of a Schedule, or of a Run, which goes before. What watches says what the
// values mean, and its own configuration goes before them.
const (
	LabelThreshold = "outrider.threshold" // how long a run may take, such as 2h or usual*1.5
	LabelChannel   = "outrider.channel"   // where to tell it
	LabelRunbook   = "outrider.runbook"   // where it says what to do
	LabelOff       = "outrider.off"       // true, or the kinds of rules that are not to look
)

// Run is one run of a workflow: a Digdag attempt, an Airflow DAG run.
type Run struct {
	ID       string    `json:"id" help:"the engine's id: of the attempt, or of the DAG run"`
	Address  string    `json:"address" help:"as the host's verbs take it, without the source"`
	Project  string    `json:"project,omitempty"`
	Workflow string    `json:"workflow" help:"the workflow, or the DAG"`
	Session  string    `json:"session,omitempty" help:"one for all tries of the same time: Digdag's session id, Airflow's run id"`
	Time     time.Time `json:"time,omitzero" help:"the session's or logical time, with its zone"`
	Try      int       `json:"try,omitempty" help:"1 for the first attempt of the session"`
	State    State     `json:"state"`
	Created  time.Time `json:"created,omitzero" help:"when the engine took it in"`
	Started  time.Time `json:"started,omitzero" help:"when its first task began, where that is known"`
	Ended    time.Time `json:"ended,omitzero"`
	// CancelAsked: somebody asked for its end, which an ended run may have outrun.
	CancelAsked bool              `json:"cancel_asked,omitempty"`
	Trigger     string            `json:"trigger,omitempty" help:"schedule, manual, retry, backfill or dataset, where that is known"`
	Revision    string            `json:"revision,omitempty" help:"of the project or the DAG that it runs"`
	Params      json.RawMessage   `json:"params,omitzero"`
	Labels      map[string]string `json:"labels,omitzero" help:"none at all where they are not known, {} where there are none"`
	Link        string            `json:"link,omitempty" help:"where a person sees it"`
	Tasks       []Task            `json:"tasks,omitempty" help:"of a run in details, in the engine's order"`
	LogTail     string            `json:"log_tail,omitempty" help:"of the task that failed, else of the one that runs longest"`
}

// Task is one task of a run, a group of tasks included.
type Task struct {
	Name    string    `json:"name" help:"whole, as +wf+group+task, or the task id, with [n] for a mapped one"`
	Parent  string    `json:"parent,omitempty" help:"the name of its group"`
	Group   bool      `json:"group,omitempty" help:"it has tasks of its own"`
	State   State     `json:"state"`
	Word    string    `json:"word" help:"the engine's own word for the state"`
	Type    string    `json:"type,omitempty" help:"the operator"`
	Started time.Time `json:"started,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`
	Tries   int       `json:"tries,omitempty" help:"how often it was begun"`
	RetryAt time.Time `json:"retry_at,omitzero"`
	Error   string    `json:"error,omitempty"`
}

// Schedule is when the engine will start a workflow.
type Schedule struct {
	ID          string            `json:"id,omitempty"`
	Project     string            `json:"project,omitempty"`
	Workflow    string            `json:"workflow"`
	NextRun     time.Time         `json:"next_run,omitzero" help:"when it will be started, by the engine's own reckoning"`
	NextSession time.Time         `json:"next_session,omitzero" help:"the session's or logical time of that"`
	Disabled    time.Time         `json:"disabled,omitzero" help:"since when it is off"`
	Off         bool              `json:"off,omitempty" help:"disabled or paused, with or without a time"`
	Expression  string            `json:"expression,omitempty" help:"as a person wrote it"`
	Zone        string            `json:"zone,omitempty"`
	Broken      string            `json:"broken,omitempty" help:"why it cannot be read, such as an import error"`
	MaxActive   int               `json:"max_active,omitempty" help:"how many runs of it may be open at once"`
	Labels      map[string]string `json:"labels,omitzero" help:"none at all where they are not known, {} where there are none"`
}

// Health is how one part of the engine is.
type Health struct {
	Name      string    `json:"name" help:"api, database, scheduler, triggerer …"`
	OK        bool      `json:"ok"`
	Heartbeat time.Time `json:"heartbeat,omitzero" help:"when it last gave a sign"`
	Note      string    `json:"note,omitempty"`
}

// Signal is one number.
type Signal struct {
	Name   string            `json:"name"`
	Value  float64           `json:"value"`
	Labels map[string]string `json:"labels,omitempty"`
}
