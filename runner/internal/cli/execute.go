package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/outrider-run/outrider/runner/internal/engine"
	"github.com/outrider-run/outrider/runner/internal/invoke"
	"github.com/outrider-run/outrider/runner/internal/launch"
	"github.com/outrider-run/outrider/runner/internal/ledger"
	"github.com/outrider-run/outrider/runner/internal/run"
	"github.com/outrider-run/outrider/runner/internal/state"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// execute runs what was prepared, recorded, in its place, which it leaves. The plugin
// starts while the ledger is asked, and is told to begin when the run may. tidy is for
// after the outcome was delivered.
func (a *app) execute(ctx context.Context, kill <-chan struct{}, id string, r runRequest, p *prepared, at *invoke.Place, t *talk) (o run.Outcome, tidy func(), err error) {
	tidy = func() {}
	rec := a.newRecorder(id, r, p, at.State, t)
	if err := rec.record(ctx, r.engine, at.Live); err != nil {
		at.Leave()
		return o, tidy, err
	}
	artifacts := at.State.Artifacts(id)
	if shared := p.opened.config.ArtifactsDir; shared != "" {
		artifacts = filepath.Join(shared, id)
	}
	x := &run.Plugin{
		Options: invoke.LaunchOptions(p.entry, at, environ(r.engine), p.opened.config, stopBudget(r.engine)),
		Start: &taskv1.Start{
			RunId: id, Component: r.name, Params: p.params,
			Caller: callerOf(r.engine), TempDir: at.Path, ArtifactDir: artifacts,
			LogLevel: strings.ToLower(r.level.String()),
		},
		Kill: kill,
	}
	x.Options.Env = append(x.Options.Env, "OUTRIDER_RUN="+ancestors(id))
	x.Options.Started = rec.start
	x.Gate = rec.gate(r.engine)
	t.keep = rec.log.Line
	o, err = rec.through(ctx, func(ctx context.Context) run.Outcome {
		o := run.Do(ctx, r.spec, x, &listener{talk: t, artifacts: artifacts, recorder: rec}, func(o run.Outcome, wait time.Duration) {
			t.say(hclog.Warn, "attempt %d: %s; next in %s", o.Attempts, o.Line(), wait.Round(time.Millisecond))
		})
		if o.State != run.Waiting {
			at.ClearSoon() // while the end is recorded
		}
		if r.judge != nil {
			o = r.judge(o)
		}
		return o
	}, p.redact)
	at.Leave()
	return o, func() { rec.close(ctx) }, err
}

// environ is the host's, with what a flag or a task's parameter says of the engine's
// address.
func environ(e engine.Engine) []string {
	env := os.Environ()
	if e.Name == engine.Digdag && e.Endpoint != "" {
		env = append(env, engine.DigdagEndpoint+"="+e.Endpoint)
	}
	return env
}

func (a *app) newRecorder(id string, r runRequest, p *prepared, d state.Dir, t *talk) *recorder {
	rec := &recorder{
		ask: r.claiming, config: p.opened.config, dir: d, budget: r.engine.StopBudget(), skip: r.skip, joins: r.orphan.joins,
		restore: r.restore,
		say:     func(format string, args ...any) { t.say(hclog.Warn, format, args...) },
	}
	rec.req.Run = ledger.Run{
		ID: id, Component: r.name, Params: p.recorded, RerunOf: r.rerunOf, Key: r.key,
		PluginVersion: p.entry.Version, PluginSHA256: p.entry.SHA256,
	}
	return rec
}

// stopBudget is how long each step of a stop may take: all of them together must
// be over before the engine stops waiting.
func stopBudget(e engine.Engine) launch.StopBudget {
	b := launch.StopBudget{Kill: 300 * time.Millisecond, Reap: 500 * time.Millisecond}
	b.Cancel = e.StopBudget() - b.Kill - b.Reap - 200*time.Millisecond
	return b
}

// callerOf is what a component may know of who called.
func callerOf(e engine.Engine) *taskv1.Caller {
	id := e.Identity
	return &taskv1.Caller{
		Engine: string(e.Name), Project: id.Project, Workflow: id.Workflow, Task: id.Task,
		LogicalTime: id.LogicalTime, Link: id.Link,
	}
}
