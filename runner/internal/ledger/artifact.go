package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/outrider-run/outrider/runner/internal/db"
)

// Artifact is a file that a run made and keeps.
type Artifact struct {
	Run    string    `json:"run"`
	Name   string    `json:"name"`
	Task   string    `json:"task,omitempty"`
	Path   string    `json:"path"`
	Size   int64     `json:"size"`
	SHA256 string    `json:"sha256"`
	Host   string    `json:"host"`
	At     time.Time `json:"at"`
}

// What may be wrong with an artifact.
var (
	ErrNoArtifact = errors.New("there is no such artifact")
	// ErrElsewhere: it stands on another host.
	ErrElsewhere = errors.New("the artifact is on another host")
)

// Artifact records one; of the same name in the run the last counts.
func (e *Entry) Artifact(ctx context.Context, a Artifact) error {
	return e.l.db.Write(ctx, at(func(ctx context.Context, tx *db.Tx, now time.Time) error {
		_, err := tx.Exec(ctx, `INSERT INTO outrider_artifacts (run, name, task, path, size, sha256, host, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (run, name) DO UPDATE SET path = excluded.path, size = excluded.size, sha256 = excluded.sha256, at = excluded.at`,
			e.run.ID, a.Name, e.run.Caller.Task, a.Path, a.Size, a.SHA256, e.l.host, now.UnixMilli())
		if err != nil {
			err = fmt.Errorf("record artifact %s: %w", a.Name, err)
		}
		return err
	}))
}

// OpenArtifact finds the newest artifact of a name that a task of the same session
// or run of the engine has made, without an engine a part of the same run; an empty
// task is any. shared: artifacts stand where all hosts see them.
func (e *Entry) OpenArtifact(ctx context.Context, task, name string, shared bool) (a Artifact, err error) {
	c := e.run.Caller
	err = e.l.db.Read(ctx, func(ctx context.Context, tx *db.Tx) error {
		found, err := artifacts(ctx, tx, `name = ? AND (task = ? OR ? = '') AND run IN (SELECT id FROM outrider_runs WHERE state = 'success'
			AND engine = ? AND instance = ? AND project = ? AND workflow = ? AND session = ? AND (session <> '' OR engine_run = ?)
			AND (engine <> 'none' OR ? <> '' AND (parent = ? OR id = ?)))`,
			name, task, task, c.Engine, c.Instance, c.Project, c.Workflow, c.Session, c.Run, e.run.Parent, e.run.Parent, e.run.Parent)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return fmt.Errorf("%w: %s of task %q", ErrNoArtifact, name, task)
		}
		if a = found[len(found)-1]; a.Host != e.l.host && !shared {
			return fmt.Errorf("%w: %s of run %s is on %s; set artifacts.dir to a folder that all hosts share", ErrElsewhere, name, a.Run, a.Host)
		}
		return nil
	})
	return a, err
}

// Artifacts lists those of a run.
func (l *Ledger) Artifacts(ctx context.Context, id string) (all []Artifact, err error) {
	err = l.db.Read(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := get(ctx, tx, id); err != nil {
			return err
		}
		all, err = artifacts(ctx, tx, `run = ?`, id)
		return err
	})
	return all, err
}

func artifacts(ctx context.Context, tx *db.Tx, where string, args ...any) ([]Artifact, error) {
	rows, err := tx.Query(ctx, `SELECT run, name, task, path, size, sha256, host, at FROM outrider_artifacts WHERE `+where+` ORDER BY at, run, name`, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var all []Artifact
	for rows.Next() {
		var a Artifact
		var at int64
		if err := rows.Scan(&a.Run, &a.Name, &a.Task, &a.Path, &a.Size, &a.SHA256, &a.Host, &at); err != nil {
			return nil, err
		}
		a.At = moment(at)
		all = append(all, a)
	}
	return all, rows.Err()
}
