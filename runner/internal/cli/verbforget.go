package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/outrider-run/outrider/runner/internal/cli/term"

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

// forgetPlanned forgets the once-keys of the tasks that are about to run again: one that
// starts before its key is gone would be passed over as done.
func forgetPlanned(ctx context.Context, a *app, s target, c *cli.Context, plan json.RawMessage) error {
	var out struct {
		Attempts []retried `json:"attempts"`
	}
	if err := json.Unmarshal(plan, &out); err != nil {
		return broken(fmt.Errorf("read what would run again: %w", err))
	}
	return a.forget(ctx, s, c, out.Attempts)
}

// failedRetries fails when something could not be retried.
func failedRetries(_ *app, outputs json.RawMessage) error {
	var out struct {
		Retried int `json:"retried"`
		Failed  int `json:"failed"`
	}
	if err := json.Unmarshal(outputs, &out); err != nil {
		return broken(fmt.Errorf("read what was retried: %w", err))
	}
	if out.Failed > 0 {
		return &term.Exit{Code: 1, Err: fmt.Errorf("%d of %d could not be retried, as it says above", out.Failed, out.Failed+out.Retried)}
	}
	return nil
}

func (a *app) forget(ctx context.Context, s target, c *cli.Context, attempts []retried) error {
	b, err := openBook(ctx, c.String("config"))
	if err != nil {
		return err
	}
	defer func() { _ = b.Close() }()
	instance := os.Getenv("OUTRIDER_INSTANCE")
	if instance == "" {
		instance = b.config.Instance
	}
	for _, r := range attempts {
		if r.Error != "" {
			continue
		}
		for _, task := range r.Tasks {
			keys, err := b.ForgetTask(ctx, ledger.Caller{
				Engine: s.engine, Instance: instance, Session: r.SessionUUID, Workflow: r.DAG, Run: r.RunID, Task: task,
			})
			if errors.Is(err, ledger.ErrNoKey) {
				return term.Usage("--forget: tasks of %s have no default once-keys; see outrider once list", s.engine)
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
