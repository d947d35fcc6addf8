package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/ledger"
)

// retried is what retrying components tell of an attempt that they started, or a DAG
// run that they cleared: what an engine knows its tasks by.
type retried struct {
	SessionUUID string   `json:"session_uuid"`
	DAG         string   `json:"dag"`
	RunID       string   `json:"run_id"`
	Tasks       []string `json:"tasks"`
	Error       string   `json:"error"`
}

// forgetFreed forgets the once-keys of the tasks that a retry has set free: they would
// be passed over as done.
func forgetFreed(ctx context.Context, a *app, s target, c *cli.Context, outputs json.RawMessage) error {
	if !c.Bool("forget") {
		return nil
	}
	var out struct {
		Attempts []retried `json:"attempts"`
		DryRun   bool      `json:"dry_run"`
	}
	if err := json.Unmarshal(outputs, &out); err != nil {
		return broken(fmt.Errorf("read what was set free: %w", err))
	}
	if out.DryRun {
		return nil
	}
	b, err := openBook(ctx, c.String("config"))
	if err != nil {
		return err
	}
	defer func() { _ = b.Close() }()
	instance := os.Getenv("OUTRIDER_INSTANCE")
	if instance == "" {
		instance = b.config.Instance
	}
	for _, r := range out.Attempts {
		if r.Error != "" {
			continue
		}
		for _, task := range r.Tasks {
			keys, err := b.ForgetTask(ctx, ledger.Caller{
				Engine: s.engine, Instance: instance, Session: r.SessionUUID, Workflow: r.DAG, Run: r.RunID, Task: task,
			})
			if errors.Is(err, ledger.ErrNoKey) {
				return usage("--forget: tasks of %s have no default once-keys; see outrider once list", s.engine)
			}
			if err != nil {
				return host(err)
			}
			for _, key := range keys {
				a.say("the success under %q is forgotten", key)
			}
		}
	}
	return nil
}
