package client

import (
	"encoding/json"
	"time"
)

// Ref names something by its id and name. The id of a workflow is that of its
// definition: each push of the project gives it a new one, or none is left (""),
// so that a workflow is known by the project's id and its own name.
type Ref struct {
	ID   ID     `json:"id"`
	Name string `json:"name"`
}

// Project is a project with its newest revision (Digdag's RestProject).
type Project struct {
	ID        ID        `json:"id"`
	Name      string    `json:"name"`
	Revision  string    `json:"revision"`
	CreatedAt time.Time `json:"createdAt"`
	// UpdatedAt is when the revision was pushed.
	UpdatedAt time.Time `json:"updatedAt"`
	DeletedAt time.Time `json:"deletedAt"`
}

// Revision is one push of a project.
type Revision struct {
	Revision  string    `json:"revision"`
	CreatedAt time.Time `json:"createdAt"`
}

// Workflow is a workflow of one revision (RestWorkflowDefinition).
type Workflow struct {
	ID       ID     `json:"id"`
	Name     string `json:"name"`
	Project  Ref    `json:"project"`
	Revision string `json:"revision"`
	// Timezone is the name of the zone, such as Asia/Tokyo.
	Timezone string `json:"timezone"`
	// Config is the whole workflow as JSON, `schedule` and `sla` included, its
	// templates not evaluated. An object.
	Config json.RawMessage `json:"config"`
}

// SessionTime is a time as a workflow's zone shows it (RestWorkflowSessionTime).
type SessionTime struct {
	Project     Ref       `json:"project"`
	Revision    string    `json:"revision"`
	SessionTime time.Time `json:"sessionTime"`
	Timezone    string    `json:"timezone"`
}

// Session is one logical time of a workflow (RestSession).
type Session struct {
	ID          ID          `json:"id"`
	Project     Ref         `json:"project"`
	Workflow    Ref         `json:"workflow"`
	SessionUUID string      `json:"sessionUuid"`
	SessionTime time.Time   `json:"sessionTime"`
	LastAttempt LastAttempt `json:"lastAttempt"`
}

// LastAttempt is what a session tells of its newest attempt.
type LastAttempt struct {
	ID ID `json:"id"`
	// RetryAttemptName is "" for the first one.
	RetryAttemptName string `json:"retryAttemptName"`
	Flags
	Params     json.RawMessage `json:"params"`
	CreatedAt  time.Time       `json:"createdAt"`
	FinishedAt time.Time       `json:"finishedAt"`
}

// Attempt is one try of a session (RestSessionAttempt).
type Attempt struct {
	ID ID `json:"id"`
	// Index counts the session's attempts from 1; it is 0 in old rows.
	Index       int    `json:"index"`
	Project     Ref    `json:"project"`
	Workflow    Ref    `json:"workflow"`
	SessionID   ID     `json:"sessionId"`
	SessionUUID string `json:"sessionUuid"`
	// SessionTime may lie far in the past or in the future: it says nothing of the
	// attempt's age.
	SessionTime time.Time `json:"sessionTime"`
	// RetryAttemptName is "" for the first attempt.
	RetryAttemptName string `json:"retryAttemptName"`
	Flags
	// Params are what it was started with: an object, of any size, and perhaps
	// with secrets.
	Params json.RawMessage `json:"params"`
	// CreatedAt is when it was asked for. That is no start: an attempt of a
	// backfill waits without tasks until those before it are done.
	CreatedAt  time.Time `json:"createdAt"`
	FinishedAt time.Time `json:"finishedAt"`
}

// Flags are all that Digdag keeps of an attempt's state.
type Flags struct {
	Done            bool `json:"done"`
	Success         bool `json:"success"`
	CancelRequested bool `json:"cancelRequested"`
}

// State is an attempt's state in one word.
type State string

// The states of an attempt, as Digdag names them.
const (
	// Running is everything that is not done: also an attempt that waits in a
	// backfill, is being cancelled, or has failed and handles its error.
	Running State = "running"
	Success State = "success"
	Failed  State = "error"
	Killed  State = "killed"
)

// State is made of the flags, since answers before 0.10 and those of sessions have
// none. A success whose cancel came too late is a success.
func (f Flags) State() State {
	switch {
	case f.Success:
		return Success
	case f.Done && f.CancelRequested:
		return Killed
	case f.Done:
		return Failed
	}
	return Running
}

// Task is a task of an attempt (RestTask).
type Task struct {
	ID ID `json:"id"`
	// FullName is +workflow+group+task, with parts that Digdag made: ^sub, ^error,
	// ^check, ^sla, ^failure-alert. After a retry of a group there are several of
	// one name: the highest id counts.
	FullName string `json:"fullName"`
	// ParentID is "" for the root.
	ParentID ID `json:"parentId"`
	// Config is the task as it was written, its templates not evaluated.
	Config    json.RawMessage `json:"config"`
	Upstreams []ID            `json:"upstreams"`
	// IsGroup is false of loop>, for_each> and if> too, though they have children.
	IsGroup         bool            `json:"isGroup"`
	State           TaskState       `json:"state"`
	CancelRequested bool            `json:"cancelRequested"`
	ExportParams    json.RawMessage `json:"exportParams"`
	StoreParams     json.RawMessage `json:"storeParams"`
	// StateParams are the operator's own, such as retry_count.
	StateParams json.RawMessage `json:"stateParams"`
	// UpdatedAt is the end of a task that is done.
	UpdatedAt time.Time `json:"updatedAt"`
	// RetryAt is zero unless the task waits for a retry.
	RetryAt time.Time `json:"retryAt"`
	// StartedAt is when the task was first queued, which an agent may take up
	// later or never. It is zero of groups, and of what has not been queued.
	StartedAt time.Time `json:"startedAt"`
	Error     TaskError `json:"error"`
}

// TaskError is why a task failed; it is empty if it did not.
type TaskError struct {
	Message    string `json:"message"`
	Stacktrace string `json:"stacktrace"`
}

// TaskState is a task's state as Digdag names it.
type TaskState string

// The states of a task.
const (
	// TaskBlocked waits for its parent or for tasks before it. In a killed attempt
	// it stays so for good.
	TaskBlocked TaskState = "blocked"
	TaskReady   TaskState = "ready"
	// TaskRunning is queued or runs: which of the two cannot be seen.
	TaskRunning TaskState = "running"
	// TaskPlanned has its own work behind it, or is a group, and waits for children.
	TaskPlanned           TaskState = "planned"
	TaskRetryWaiting      TaskState = "retry_waiting"
	TaskGroupRetryWaiting TaskState = "group_retry_waiting"
	TaskSuccess           TaskState = "success"
	TaskFailed            TaskState = "error"
	TaskGroupError        TaskState = "group_error"
	TaskCanceled          TaskState = "canceled"
)

// Done reports whether the state is a last one.
func (s TaskState) Done() bool {
	switch s {
	case TaskSuccess, TaskFailed, TaskGroupError, TaskCanceled:
		return true
	}
	return false
}

// Schedule is the schedule of a workflow (RestSchedule, and RestScheduleSummary
// after a change).
type Schedule struct {
	ID       ID  `json:"id"`
	Project  Ref `json:"project"`
	Workflow Ref `json:"workflow"`
	// NextRunTime is when the next session starts: in the past while the schedule is
	// disabled, 9999-01-01 after its end.
	NextRunTime time.Time `json:"nextRunTime"`
	// NextScheduleTime is the session time of that session.
	NextScheduleTime time.Time `json:"nextScheduleTime"`
	DisabledAt       time.Time `json:"disabledAt"`
}

// LogFile is a log file of one delivery of a task (RestLogFileHandle): two files
// of a task mean that it was executed, or polled, more than once.
type LogFile struct {
	Name     string    `json:"fileName"`
	Size     int64     `json:"fileSize"` // bytes, packed; 10 until enough output has come
	TaskName string    `json:"taskName"` // the task's full name
	Time     time.Time `json:"fileTime"` // when the delivery started
	AgentID  string    `json:"agentId"`  // pid@host of the server
}
