package cli

import (
	"cmp"
	"context"
	"fmt"
	"os"

	"github.com/outrider-run/outrider/runner/internal/config"
	"github.com/outrider-run/outrider/runner/internal/engine"
	"github.com/outrider-run/outrider/runner/internal/params"
	"github.com/outrider-run/outrider/runner/internal/run"
)

// follow ends ctx when Digdag was asked to kill the attempt, where it is known how to
// ask it. What goes wrong with that is told once and ends nothing.
func follow(ctx context.Context, e engine.Engine, d config.Digdag, warn func(format string, args ...any)) (context.Context, func()) {
	failed := func(err error) { warn("%v; a kill of the attempt will not stop this run", err) }
	api, err := apiOf(ctx, e, d)
	if err != nil {
		failed(err)
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	killed := e.Cancelled(ctx, api, failed)
	go func() {
		select {
		case why := <-killed:
			cancel(&run.Cause{State: run.Cancelled, Code: run.CodeCancelled, Reason: why.Error()})
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

// apiOf puts together what the caller and the config say. The config's password goes
// to its own endpoint alone, or where it names none.
func apiOf(ctx context.Context, e engine.Engine, d config.Digdag) (engine.API, error) {
	api := engine.API{Endpoint: cmp.Or(e.Endpoint, d.Endpoint)}
	if e.Name != engine.Digdag || d.Endpoint != "" && d.Endpoint != api.Endpoint {
		return api, nil
	}
	from := params.Lookup{Env: os.LookupEnv}
	api.User = d.User
	var err error
	if api.Password, err = from.Value(ctx, d.Password); err != nil {
		return api, fmt.Errorf("digdag.password in the config: %w", err)
	}
	api.Headers = map[string]string{}
	for name, value := range d.Headers {
		if api.Headers[name], err = from.Value(ctx, value); err != nil {
			return api, fmt.Errorf("digdag.headers.%s in the config: %w", name, err)
		}
	}
	return api, nil
}
