package cli

import (
	"context"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/outrider-run/outrider/runner/internal/engine"
	"github.com/outrider-run/outrider/runner/internal/launch"
	"github.com/outrider-run/outrider/runner/internal/run"
	"github.com/outrider-run/outrider/runner/internal/state"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// execute runs what was prepared under a private folder of its own, and sweeps
// what killed hosts left meanwhile.
func (a *app) execute(ctx context.Context, kill <-chan struct{}, id string, r runRequest, p *prepared, t *talk) (run.Outcome, error) {
	d, err := state.Open(os.Getenv)
	if err != nil {
		return run.Outcome{}, host(err)
	}
	if d.Temporary != nil {
		t.say(hclog.Warn, "state is kept in %s: %v", d.Root(), d.Temporary)
	}
	dir, err := d.NewRun(id)
	if err != nil {
		return run.Outcome{}, host(err)
	}
	var sweep sync.WaitGroup
	sweep.Go(func() {
		if _, err := d.Sweep(ctx); err != nil {
			t.say(hclog.Debug, "sweep: %v", err)
		}
	})
	artifacts := d.Artifacts(id)
	x := &run.Plugin{
		Options: launch.Options{
			Command: launch.Command{Path: p.entry.Plugin, Args: p.entry.Args},
			Dir:     dir.Path, Live: dir.Live,
			Env:          launch.Environ(os.Environ(), p.opened.config.PluginEnv),
			StartTimeout: p.opened.config.StartTimeout,
			Stop:         stopBudget(r.engine),
			Log:          hclog.NewNullLogger(),
		},
		Start: &taskv1.Start{
			RunId: id, Component: r.name, Params: p.params, Attempt: int32(max(1, r.engine.Identity.Try)), Key: id,
			Caller: caller(r.engine), TempDir: dir.Path, ArtifactDir: artifacts,
			LogLevel: strings.ToLower(r.level.String()),
		},
		Kill: kill,
	}
	o := run.Do(ctx, r.spec, x, &listener{talk: t, artifacts: artifacts}, func(o run.Outcome, wait time.Duration) {
		t.say(hclog.Warn, "attempt %d: %s; next in %s", o.Attempts, o.Line(), wait.Round(time.Millisecond))
	})
	sweep.Wait()
	if err := dir.Close(); err != nil {
		t.say(hclog.Warn, "remove the run's folder: %v", err)
	}
	return o, nil
}

// stopBudget is how long each step of a stop may take: all of them together must
// be over before the engine stops waiting.
func stopBudget(e engine.Engine) launch.StopBudget {
	b := launch.StopBudget{Kill: 300 * time.Millisecond, Reap: 500 * time.Millisecond}
	b.Cancel = e.StopBudget() - b.Kill - b.Reap - 200*time.Millisecond
	return b
}

// caller is what a component may know of who called.
func caller(e engine.Engine) *taskv1.Caller {
	id := e.Identity
	return &taskv1.Caller{
		Engine: string(e.Name), Project: id.Project, Workflow: id.Workflow, Task: id.Task,
		LogicalTime: id.LogicalTime, Link: id.Link,
	}
}
