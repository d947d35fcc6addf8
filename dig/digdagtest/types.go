package digdagtest

import (
	"encoding/json"
	"time"
)

// Project is a project as the server shows it.
type Project struct {
	ID, Name, Revision   string
	CreatedAt, UpdatedAt time.Time
	DeletedAt            *time.Time
}

// Workflow is a workflow of a revision as the server shows it.
type Workflow struct {
	ID, Name, Revision, Timezone string
	Project                      struct{ ID, Name string }
	Config                       json.RawMessage
}

// Attempt is an attempt as the server shows it.
type Attempt struct {
	Status, ID                     string
	Index                          int
	Project                        struct{ ID, Name string }
	Workflow                       struct{ ID, Name string }
	SessionID, SessionUUID         string
	SessionTime                    time.Time
	RetryAttemptName               *string
	Done, Success, CancelRequested bool
	Params                         map[string]any
	CreatedAt                      time.Time
	FinishedAt                     *time.Time
}

// Task is a task as the server shows it.
type Task struct {
	ID, FullName                           string
	ParentID                               *string
	Config                                 json.RawMessage
	Upstreams                              []string
	IsGroup                                bool
	State                                  string
	CancelRequested                        bool
	ExportParams, StoreParams, StateParams map[string]any
	UpdatedAt                              time.Time
	RetryAt, StartedAt                     *time.Time
	Error                                  struct{ Message, Stacktrace string }
}

// LogFile is a log file as the server lists it.
type LogFile struct {
	FileName, TaskName, AgentID string
	FileSize                    int64
	FileTime                    time.Time
}
