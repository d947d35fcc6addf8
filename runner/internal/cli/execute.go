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
			Stop:         stopBudget(),
			Log:          hclog.NewNullLogger(),
		},
		Start: &taskv1.Start{
			RunId: id, Component: r.name, Params: p.params, Attempt: 1, Key: id,
			Caller: engine.Caller(os.Getenv), TempDir: dir.Path, ArtifactDir: artifacts,
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

// stopBudget is how long a plugin may take to stop: no engine waits for this host.
func stopBudget() launch.StopBudget {
	return launch.StopBudget{Cancel: 9 * time.Second, Kill: 300 * time.Millisecond, Reap: 500 * time.Millisecond}
}
