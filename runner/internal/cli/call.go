package cli

import (
	"context"
	"os"

	"github.com/outrider-run/outrider/runner/internal/engine"
	"github.com/outrider-run/outrider/runner/internal/invoke"
	"github.com/outrider-run/outrider/runner/internal/run"
	"github.com/outrider-run/outrider/runner/internal/state"
)

// call runs a component that was prepared, without a record.
func (a *app) call(ctx context.Context, kill <-chan struct{}, e engine.Engine, p *prepared, l *unrecorded) (run.Outcome, error) {
	d, err := state.Open(os.Getenv)
	if err != nil {
		return run.Outcome{}, host(err)
	}
	warnTemporary(d, l.talk.say)
	o, err := invoke.Call{
		Entry: p.entry, Config: p.opened.config, State: d, Params: p.params, Env: environ(e),
		Caller: callerOf(e), Stop: stopBudget(e), Kill: kill, Say: l.talk.say,
	}.Do(ctx, l)
	if err != nil {
		return o, host(err)
	}
	return o, nil
}
