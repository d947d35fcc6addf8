package client

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// dagWire is a DAG of either version: DAGResponse, DAGDetailsResponse of v2; DAG,
// DAGDetail of v1.
type dagWire struct {
	ID           string    `json:"dag_id"`
	Paused       bool      `json:"is_paused"`
	Stale        bool      `json:"is_stale"`  // v2
	Active       *bool     `json:"is_active"` // v1
	Broken       bool      `json:"has_import_errors"`
	Summary      string    `json:"timetable_summary"` // v2
	Schedule     any       `json:"schedule_interval"` // v1
	Zone         string    `json:"timezone"`
	RunAfter     time.Time `json:"next_dagrun_run_after"`    // v2
	CreateAfter  time.Time `json:"next_dagrun_create_after"` // v1
	NextLogical  time.Time `json:"next_dagrun_logical_date"` // v2
	Next         time.Time `json:"next_dagrun"`              // v1
	MaxActive    int       `json:"max_active_runs"`
	Tags         []struct{ Name string }
	Owners       []string
	Fileloc      string
	RelativeFile string          `json:"relative_fileloc"` // v2
	Parsed       time.Time       `json:"last_parsed_time"`
	Params       json.RawMessage `json:"params"`
}

func (w dagWire) plain() (DAG, bool) {
	d := DAG{
		ID: w.ID, Paused: w.Paused, Stale: w.Stale || w.Active != nil && !*w.Active, Broken: w.Broken, Expression: w.Summary, Zone: zoneOf(w.Zone),
		NextRun: w.RunAfter, NextLogical: w.NextLogical, MaxActiveRuns: w.MaxActive, Owners: w.Owners,
		File: w.RelativeFile, Parsed: w.Parsed,
	}
	if w.Active != nil { // v1
		d.NextRun, d.NextLogical, d.Expression = w.CreateAfter, w.Next, expressionOf(w.Schedule)
	}
	if d.Expression == "None" {
		d.Expression = ""
	}
	if d.File == "" {
		d.File = w.Fileloc
	}
	for _, t := range w.Tags {
		d.Tags = append(d.Tags, t.Name)
	}
	if len(w.Params) > 0 {
		d.Params = objectOf(w.Params)
	}
	return d, w.ID != ""
}

// zoneOf is the IANA name in how Airflow 2 writes some zones: Timezone('Asia/Tokyo').
func zoneOf(text string) string {
	if name, ok := strings.CutPrefix(text, "Timezone('"); ok {
		return strings.TrimSuffix(name, "')")
	}
	return text
}

// expressionOf is a schedule of v1 as v2 writes it: the text of a cron expression or a
// timetable, or an interval as Python does.
func expressionOf(schedule any) string {
	s, ok := schedule.(map[string]any)
	if !ok {
		text, _ := schedule.(string)
		return text
	}
	if text, ok := s["value"].(string); ok {
		return text
	}
	if s["__type"] == "TimeDelta" {
		number := func(name string) int {
			n, _ := s[name].(float64)
			return int(n)
		}
		days, rest := number("days"), time.Duration(number("seconds"))*time.Second
		text := fmt.Sprintf("%d:%02d:%02d", int(rest.Hours()), int(rest.Minutes())%60, int(rest.Seconds())%60)
		switch {
		case days == 1 || days == -1:
			return fmt.Sprintf("%d day, %s", days, text)
		case days != 0:
			return fmt.Sprintf("%d days, %s", days, text)
		}
		return text
	}
	text, _ := json.Marshal(s) // a RelativeDelta
	return string(text)
}

// objectOf is a JSON object, {} of null and of what is none.
func objectOf(m json.RawMessage) json.RawMessage {
	if len(m) == 0 || m[0] != '{' {
		return json.RawMessage("{}")
	}
	return m
}

// runWire is a run of either version: DAGRunResponse of v2, DAGRun of v1.
type runWire struct {
	ID          string          `json:"dag_run_id"`
	DAG         string          `json:"dag_id"`
	Logical     time.Time       `json:"logical_date"`
	External    *bool           `json:"external_trigger"` // v1
	IntervalEnd time.Time       `json:"data_interval_end"`
	Queued      time.Time       `json:"queued_at"`
	RunAfter    time.Time       `json:"run_after"`
	Start       time.Time       `json:"start_date"`
	End         time.Time       `json:"end_date"`
	State       string          `json:"state"`
	Type        string          `json:"run_type"`
	TriggeredBy string          `json:"triggered_by"`
	User        string          `json:"triggering_user_name"`
	Conf        json.RawMessage `json:"conf"`
	Note        string          `json:"note"`
	Bundle      string          `json:"bundle_version"`
	Versions    []struct {
		Number int `json:"version_number"`
	} `json:"dag_versions"`
}

func (w runWire) plain() (DAGRun, bool) {
	r := DAGRun{
		DAG: w.DAG, ID: w.ID, Logical: w.Logical, Queued: w.Queued, RunAfter: w.RunAfter, Start: w.Start, End: w.End,
		State: w.State, Type: w.Type, By: w.User, Conf: objectOf(w.Conf), Note: w.Note, Revision: w.Bundle,
	}
	if r.By == "" && w.TriggeredBy != "timetable" {
		r.By = w.TriggeredBy
	}
	if r.RunAfter.IsZero() { // v1
		if r.RunAfter = w.Logical; w.Type == "scheduled" && !w.IntervalEnd.IsZero() {
			r.RunAfter = w.IntervalEnd
		}
	}
	if n := len(w.Versions); r.Revision == "" && n > 0 {
		r.Revision = strconv.Itoa(w.Versions[n-1].Number)
	}
	return r, w.ID != "" && w.DAG != "" && w.State != ""
}

// taskWire is a task instance, or a try of one, of either version.
type taskWire struct {
	Task      string    `json:"task_id"`
	DAG       string    `json:"dag_id"`
	Run       string    `json:"dag_run_id"`
	MapIndex  *int      `json:"map_index"`
	MapName   any       `json:"rendered_map_index"`
	State     string    `json:"state"`
	Scheduled time.Time `json:"scheduled_when"`
	Queued    time.Time `json:"queued_when"`
	Start     time.Time `json:"start_date"`
	End       time.Time `json:"end_date"`
	Try       int       `json:"try_number"`
	MaxTries  int       `json:"max_tries"`
	Operator  string    `json:"operator"`
	Pool      string    `json:"pool"`
	PoolSlots int       `json:"pool_slots"`
	Queue     string    `json:"queue"`
	Host      string    `json:"hostname"`
	Note      string    `json:"note"`
}

func (w taskWire) plain() (TaskInstance, bool) {
	t := TaskInstance{
		DAG: w.DAG, Run: w.Run, Task: w.Task, MapIndex: -1, State: w.State,
		Scheduled: w.Scheduled, Queued: w.Queued, Start: w.Start, End: w.End, Try: max(0, w.Try), MaxTries: w.MaxTries,
		Operator: w.Operator, Pool: w.Pool, Queue: w.Queue, Host: w.Host, PoolSlots: w.PoolSlots, Note: w.Note,
	}
	if w.MapIndex != nil {
		t.MapIndex = max(-1, *w.MapIndex)
	}
	if w.MapName != nil {
		t.MapName = fmt.Sprint(w.MapName)
	}
	return t, w.Task != "" && w.DAG != "" && w.Run != ""
}

// clearedWire is of v2 a task instance; of v1 a TaskInstanceReference.
type clearedWire taskWire

func (w clearedWire) plain() (Cleared, bool) {
	t, ok := taskWire(w).plain()
	return Cleared{Run: t.Run, Task: t.Task, MapIndex: t.MapIndex, State: t.State}, ok
}

type taskDefWire struct {
	ID       string `json:"task_id"`
	Operator string `json:"operator_name"`
	Class    struct {
		ClassName string `json:"class_name"`
	} `json:"class_ref"`
	Mapped     bool     `json:"is_mapped"`
	Downstream []string `json:"downstream_task_ids"`
}

func (w taskDefWire) plain() (TaskDef, bool) {
	d := TaskDef{ID: w.ID, Operator: w.Operator, Mapped: w.Mapped, Downstream: w.Downstream}
	if d.Operator == "" {
		d.Operator = w.Class.ClassName
	}
	return d, w.ID != ""
}

type importErrorWire struct {
	File  string    `json:"filename"`
	Stack string    `json:"stack_trace"`
	Time  time.Time `json:"timestamp"`
}

func (w importErrorWire) plain() (ImportError, bool) {
	return ImportError(w), w.File != ""
}

type poolWire struct {
	Name     string `json:"name"`
	Slots    int    `json:"slots"`
	Open     number `json:"open_slots"`
	Occupied int    `json:"occupied_slots"`
	Running  int    `json:"running_slots"`
	Queued   int    `json:"queued_slots"`
	Deferred int    `json:"deferred_slots"`
}

func (w poolWire) plain() (Pool, bool) {
	return Pool{w.Name, w.Slots, int(w.Open), w.Occupied, w.Running, w.Queued, w.Deferred}, w.Name != ""
}

// number is the open slots of a pool, which are "inf" where slots are -1.
type number int

func (n *number) UnmarshalJSON(data []byte) error {
	if text := strings.Trim(string(data), `"`); strings.HasPrefix(strings.ToLower(text), "inf") {
		*n = 1<<31 - 1
		return nil
	}
	var f float64
	if err := json.Unmarshal(data, &f); err != nil {
		return err
	}
	*n = number(f)
	return nil
}

type jobWire struct {
	Type      string    `json:"job_type"`
	Host      string    `json:"hostname"`
	State     string    `json:"state"`
	Heartbeat time.Time `json:"latest_heartbeat"`
}

func (w jobWire) plain() (Job, bool) { return Job(w), w.Type != "" }
