// Package state is what the double remembers: projects, sessions, attempts and
// tasks, in memory and in a journal on disk that outlives kill -9.
//
// It decides nothing: what state follows on what is engine's business, and how
// it looks to a client is api's.
package state

import (
	"time"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/conf"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/dig"
)

// Project is a name with revisions; the last one is what runs.
type Project struct {
	ID        int64
	Name      string
	CreatedAt time.Time
	DeletedAt *time.Time
}

// Revision is one push of a project. Its archive is a file named by its id.
type Revision struct {
	ID        int64
	ProjectID int64
	Name      string
	MD5       string
	CreatedAt time.Time
}

// Workflow is one workflow of one revision.
type Workflow struct {
	ID         int64
	ProjectID  int64
	RevisionID int64
	dig.Definition
}

// Session is one session time of a workflow, however often it is attempted.
type Session struct {
	ID          int64
	ProjectID   int64
	Workflow    string
	UUID        string
	Time        time.Time
	LastAttempt int64
}

// Attempt is one try to run a session.
type Attempt struct {
	ID              int64
	SessionID       int64
	ProjectID       int64
	WorkflowID      int64
	Index           int
	RetryName       string // empty for the first one
	TimeZone        string
	Params          *conf.Object
	CancelRequested bool
	Done, Success   bool
	CreatedAt       time.Time
	FinishedAt      *time.Time
	// Resuming are finished tasks of an earlier attempt that stand for tasks of
	// this one that are yet to be generated.
	Resuming []int64
	// QueuedUntil is set while a backfill's attempt has no tasks yet: when it may
	// have them, once the attempts of session QueuedAfter are done.
	QueuedUntil *time.Time
	QueuedAfter int64
	SLATime     *time.Time // when its sla: is missed, until that is told
}

// TaskState is a task's state in Digdag's own word.
type TaskState string

// The states of tasks.
const (
	Blocked           TaskState = "blocked"
	Ready             TaskState = "ready"
	Running           TaskState = "running"
	Planned           TaskState = "planned"
	RetryWaiting      TaskState = "retry_waiting"
	GroupRetryWaiting TaskState = "group_retry_waiting"
	Success           TaskState = "success"
	Failed            TaskState = "error"
	GroupError        TaskState = "group_error"
	Canceled          TaskState = "canceled"
)

// Done tells whether nothing can happen to the task any more.
func (s TaskState) Done() bool {
	return s == Success || s == Failed || s == GroupError || s == Canceled
}

// Progressing tells whether something happens to the task without any other
// task's doing.
func (s TaskState) Progressing() bool { return !s.Done() && s != Blocked }

// Task is one task of an attempt.
type Task struct {
	ID        int64
	AttemptID int64
	ParentID  int64 // 0 for the root
	FullName  string
	Local     *conf.Object // its configuration but for _export
	Export    *conf.Object // its _export
	Upstreams []int64
	Group     bool
	State     TaskState

	CancelRequested   bool
	Initial           bool // there from the start: what a group's retry copies
	DelayedError      bool // failed, but its ^error still runs
	DelayedGroupError bool // a child failed, but its ^error still runs

	ExportParams *conf.Object // what py> exported
	StoreParams  *conf.Object
	StateParams  *conf.Object
	Error        *conf.Object

	UpdatedAt time.Time
	RetryAt   *time.Time
	StartedAt *time.Time

	// Queued is set from running to the end of that run. While an agent has the
	// task, LockedBy names it and LockExpires says until when, in seconds as in
	// Digdag's own queue.
	Queued      bool
	LockedBy    string
	LockExpires int64
}

// Config is the configuration as a client sees it.
func (t *Task) Config() *conf.Object {
	c := t.Local.Clone()
	if t.Export.Len() > 0 {
		c.Set("_export", t.Export.Clone())
	}
	return c
}

// Schedule is when a workflow is to run next.
type Schedule struct {
	ID         int64
	ProjectID  int64
	Workflow   string // empty once a push took it away
	WorkflowID int64
	CreatedAt  time.Time
	NextRun    time.Time
	NextTime   time.Time
	DisabledAt *time.Time
	LastTime   *time.Time // of the session that ran last
}

// Runs tells whether the schedule is to start anything.
func (s *Schedule) Runs(st *State) bool {
	return s.DisabledAt == nil && s.Workflow != "" && st.Projects[s.ProjectID].DeletedAt == nil
}
