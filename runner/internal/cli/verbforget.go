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

// freed is a task that will run again, as retrying components list them.
type freed struct {
	Session  string `json:"session"`  // Digdag's session UUID
	Workflow string `json:"workflow"` // the DAG
	Run      string `json:"run"`      // the DAG run
	Task     string `json:"task"`
}

// forgetFreed forgets the once-keys of the tasks that a retry has set free: they would
// be passed over as done.
func forgetFreed(ctx context.Context, a *app, s target, c *cli.Context, outputs json.RawMessage) error {
	if !c.Bool("forget") {
		return nil
	}
	var out struct {
		Freed []freed `json:"freed"`
	}
	if err := json.Unmarshal(outputs, &out); err != nil {
		return broken(fmt.Errorf("read what was set free: %w", err))
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
	for _, f := range out.Freed {
		keys, err := b.ForgetTask(ctx, ledger.Caller{
			Engine: s.engine, Instance: instance, Session: f.Session, Workflow: f.Workflow, Run: f.Run, Task: f.Task,
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
	return nil
}
