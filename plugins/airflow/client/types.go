package client

import (
	"encoding/json"
	"time"
)

// Version is what a server says it is, and which of its APIs is spoken with it.
type Version struct {
	Version string // such as 3.3.2
	API     int    // 1 for Airflow 2, 2 for Airflow 3
}

// Part is one part of Airflow, as its health page shows it.
type Part struct {
	// Name is metadatabase, scheduler, triggerer or dag_processor.
	Name string
	// Status is healthy or unhealthy, "" where no such part ever ran.
	Status string
	// Heartbeat is its last, zero for the database.
	Heartbeat time.Time
}

// DAG is a DAG as it was parsed last.
type DAG struct {
	ID     string
	Paused bool
	// Stale: its file is gone, or holds it no more. Such a DAG starts no runs.
	Stale bool
	// Broken: its file has an import error, and this is what it was before.
	Broken bool
	// Expression is its schedule as a person wrote it, "" for none.
	Expression string
	Zone       string // IANA name, where the server tells it (of one DAG, not in lists)
	// NextRun is when the next run may start, NextLogical its logical date; zero where
	// there is none. Airflow 2 has none at max_active_runs, Airflow 3 leaves it in the past.
	NextRun, NextLogical time.Time
	MaxActiveRuns        int
	Tags, Owners         []string
	// File is in Airflow 3 relative to its bundle, in Airflow 2 a whole path, and so is
	// ImportError.File.
	File   string
	Parsed time.Time
	Params json.RawMessage // of one DAG, not in lists; an object
}

// DAGRun is one run of a DAG.
type DAGRun struct {
	DAG, ID string
	// Logical is zero where the run has none (Airflow 3).
	Logical time.Time
	// Queued is zero in Airflow 2, which does not tell it. RunAfter, when it may start
	// at the earliest, is there the end of its data interval if it is scheduled, and
	// else its logical date.
	Queued, RunAfter, Start, End time.Time
	State                        string // queued, running, success or failed, or of a later version
	Type                         string // manual, scheduled, backfill, asset_triggered, dataset_triggered …
	By                           string // who triggered it, where that is known
	Conf                         json.RawMessage
	Note                         string
	// Revision is the version of the DAG's bundle, or else of the DAG, where there is one.
	Revision string
}

// Ended reports whether nothing more comes of it, unless it is cleared.
func (r DAGRun) Ended() bool { return r.State == "success" || r.State == "failed" }

// TaskInstance is a task of a run, or one try of it.
type TaskInstance struct {
	DAG, Run, Task string
	// MapIndex is -1 for a task that is not mapped.
	MapIndex int
	// MapName is how a mapped one names itself, "" mostly.
	MapName string
	// State is Airflow's word, "" where it has none yet.
	State                         string
	Scheduled, Queued, Start, End time.Time
	Try                           int // of the last try, 0 before the first
	MaxTries                      int // with how many retries it may end
	Operator, Pool, Queue, Host   string
	PoolSlots                     int
	Note                          string
}

// Over reports whether nothing more comes of it, unless it is cleared.
func (t TaskInstance) Over() bool {
	switch t.State {
	case "success", "failed", "skipped", "upstream_failed", "removed":
		return true
	}
	return false
}

// ImportError is a DAG file that cannot be read.
type ImportError struct {
	File, Stack string
	Time        time.Time
}

// Pool is a pool and who holds it.
type Pool struct {
	Name                                             string
	Slots, Open, Occupied, Running, Queued, Deferred int
}

// Job is a process of Airflow 3.
type Job struct {
	Type      string // SchedulerJob, TriggererJob, DagProcessorJob
	Host      string
	State     string
	Heartbeat time.Time
}

// LogLine is one line of a task's log.
type LogLine struct {
	Time  time.Time // zero where the line has none
	Level string    // debug, info, warning, error or critical, "" where the line has none
	Text  string
}

// Cleared is a task instance that was or would be cleared. Airflow 2 tells no map index
// and no state.
type Cleared struct {
	Run, Task string
	MapIndex  int
	State     string
}
