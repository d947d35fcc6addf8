package client

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"time"
)

// This file is the contract of the client; its author replaces it.

var errStub = errors.New("not there yet")

// Client asks an Airflow. It may be used by several goroutines at once.
type Client struct{}

// Options say which server to ask, and how.
type Options struct {
	// Endpoints are base URLs of one Airflow: http://host:8080, with a path if it stands
	// under one, with or without /api/v1 or /api/v2.
	Endpoints []string
	// User and Password: basic authentication with Airflow 2, for a token of Airflow 3.
	User, Password string
	// Token is sent as Bearer. TokenCommand is a program with arguments that prints one;
	// it is run again when the server takes its token no more.
	Token        string
	TokenCommand []string
	Headers      map[string]string
	CAFile       string
	Insecure     bool
	Timeout      time.Duration
	Log          interface{ Warn(msg string, args ...any) }
}

func New(Options) (*Client, error) { return nil, errStub }

func (c *Client) Close()               {}
func (c *Client) Requests() int        { return 0 }
func (c *Client) Endpoint() string     { return "" }
func (c *Client) HasCredentials() bool { return false } // user, token, token command or an Authorization header

// Version detects the server's version, once; it needs no credentials.
func (c *Client) Version(ctx context.Context) (Version, error) { return Version{}, errStub }

// Health needs no credentials. Its order is metadatabase, scheduler, triggerer, dag_processor.
func (c *Client) Health(ctx context.Context) ([]Part, error) { return nil, errStub }

func (c *Client) DAG(ctx context.Context, dag string) (DAG, error) { return DAG{}, errStub } // Details: zone and params too

// DAGFilter picks DAGs; the zero one takes all that are there, paused ones too, stale ones not.
type DAGFilter struct {
	Pattern string // part of the id, as the server matches it (dag_id_pattern: SQL LIKE of %pattern%)
	Stale   bool   // stale ones too
	Active  bool   // those alone that are not paused
}

func (c *Client) DAGs(ctx context.Context, f DAGFilter) iter.Seq2[DAG, error] { return nil }

func (c *Client) Pause(ctx context.Context, dag string, paused bool) (DAG, error) {
	return DAG{}, errStub
}

func (c *Client) Run(ctx context.Context, dag, run string) (DAGRun, error) { return DAGRun{}, errStub }

// RunFilter picks runs of one DAG, or of all ("" is ~). States need not be ended ones.
type RunFilter struct {
	DAG         string
	States      []string
	EndedSince  time.Time // end_date_gte
	LogicalFrom time.Time // logical_date_gte
	LogicalTo   time.Time // logical_date_lte, inclusive
	// OrderBy is a field with - for descending, as the API of the server's version names
	// it: "" is the newest first (-run_after in Airflow 3, -execution_date in Airflow 2).
	OrderBy string
	Limit   int // of a page, 100 at most and by default
}

// Runs goes through all pages.
func (c *Client) Runs(ctx context.Context, f RunFilter) iter.Seq2[DAGRun, error] { return nil }

// RunsPage is the first page, and how many there are in all (-1 where the server does not tell).
func (c *Client) RunsPage(ctx context.Context, f RunFilter) ([]DAGRun, int, error) {
	return nil, 0, errStub
}

// Trigger is what a run is started with.
type Trigger struct {
	DAG, ID string          // ID "" lets the server name it
	Logical time.Time       // zero for none (Airflow 3) or now (Airflow 2)
	Conf    json.RawMessage // nil for none
	Note    string
}

// Trigger starts a run. With an ID that is there already, existed is true and the run is that one.
func (c *Client) Trigger(ctx context.Context, t Trigger) (r DAGRun, existed bool, err error) {
	return DAGRun{}, false, errStub
}

// SetRun marks a run success, failed or queued.
func (c *Client) SetRun(ctx context.Context, dag, run, state string) (DAGRun, error) {
	return DAGRun{}, errStub
}

// SetTask marks a task instance.
func (c *Client) SetTask(ctx context.Context, t TaskInstance, state string) error { return errStub }

// Clear is what is cleared of one run.
type Clear struct {
	DAG, Run   string
	Tasks      []string // names, "" for all of the run
	MapIndexes []int    // with one task: these alone (Airflow 3; Airflow 2 clears all of a task)
	Downstream bool
	OnlyFailed bool
	DryRun     bool
}

// Clear clears tasks and lets the run go on.
func (c *Client) Clear(ctx context.Context, q Clear) ([]Cleared, error) { return nil, errStub }

// Tasks are the task instances of a run, mapped ones each, in no order.
func (c *Client) Tasks(ctx context.Context, dag, run string) ([]TaskInstance, error) {
	return nil, errStub
}

// TasksIn are the task instances of all DAGs in these states.
func (c *Client) TasksIn(ctx context.Context, states ...string) ([]TaskInstance, error) {
	return nil, errStub
}

// Task is one task instance; MapIndex -1 for one that is not mapped.
func (c *Client) Task(ctx context.Context, dag, run, task string, mapIndex int) (TaskInstance, error) {
	return TaskInstance{}, errStub
}

// Tries are all tries of a task instance, the first one first.
func (c *Client) Tries(ctx context.Context, t TaskInstance) ([]TaskInstance, error) {
	return nil, errStub
}

// TaskNames are the ids of a DAG's tasks, in topological order where the server gives it,
// each with the ids downstream of it.
func (c *Client) TaskNames(ctx context.Context, dag string) ([]TaskDef, error) { return nil, errStub }

// TaskDef is a task of a DAG.
type TaskDef struct {
	ID         string
	Operator   string
	Mapped     bool
	Downstream []string
}

// Log is what a try of a task said so far. more is false when the try has ended and all of
// it is here.
func (c *Client) Log(ctx context.Context, t TaskInstance, try int) (lines []LogLine, err error) {
	return nil, errStub
}

func (c *Client) ImportErrors(ctx context.Context) ([]ImportError, error) { return nil, errStub }
func (c *Client) Pools(ctx context.Context) ([]Pool, error)               { return nil, errStub }

// Link is where a person sees a run, or a task of it (task "" for the run).
func (c *Client) Link(dag, run, task string, mapIndex int) string { return "" }
