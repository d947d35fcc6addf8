package cli

import (
	"context"
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/oklog/ulid/v2"

	"github.com/outrider-run/outrider/runner/internal/engine"
	"github.com/outrider-run/outrider/runner/internal/run"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// call runs a component that was prepared, without a record.
func (a *app) call(ctx context.Context, kill <-chan struct{}, e engine.Engine, component string, p *prepared, l *unrecorded) (run.Outcome, error) {
	id := ulid.Make().String()
	at, err := newPlace(ctx, id, l.talk.say)
	if err != nil {
		return run.Outcome{}, err
	}
	defer at.leave()
	x := &run.Plugin{
		Options: launchOptions(p, at, e),
		Start: &taskv1.Start{
			RunId: id, Component: component, Params: p.params, Attempt: 1,
			Caller: callerOf(e), TempDir: at.Path, ArtifactDir: at.Path,
			LogLevel: strings.ToLower(hclog.Info.String()),
		},
		Kill: kill,
	}
	return run.Do(ctx, run.Spec{}, x, l, nil), nil
}
