package invoke

import (
	"context"
	"encoding/json"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/oklog/ulid/v2"

	"github.com/outrider-run/outrider/runner/internal/catalog"
	"github.com/outrider-run/outrider/runner/internal/config"
	"github.com/outrider-run/outrider/runner/internal/launch"
	"github.com/outrider-run/outrider/runner/internal/run"
	"github.com/outrider-run/outrider/runner/internal/state"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// Call is one call of a component that was found, without a record.
type Call struct {
	Entry  catalog.Entry
	Config config.Config
	State  state.Dir
	// Params are for the plugin's eyes: secrets stand in them.
	Params json.RawMessage
	// Env is the host's environment, of which the plugin gets its part.
	Env []string
	// Caller is what the component may know of who called; nil for nothing.
	Caller *taskv1.Caller
	Stop   launch.StopBudget
	// Kill, once closed, ends the call at once.
	Kill <-chan struct{}
	// Ends are waited for before the program ends: the plugin dies, and its folder goes,
	// while others make use of the outcome. nil: they are gone when it is there.
	Ends *sync.WaitGroup
	Say  Say
}

// Do makes the call. The error is that of the host, which could not even begin.
func (c Call) Do(ctx context.Context, l run.Listener) (run.Outcome, error) {
	id := ulid.Make().String()
	at, err := PlaceSoon(ctx, func() (state.Dir, error) { return c.State, nil }, id)(c.Say)
	if err != nil {
		return run.Outcome{}, err
	}
	end := at.Leave
	x := &run.Plugin{
		Options: LaunchOptions(c.Entry, at, c.Env, c.Config, c.Stop),
		Start: &taskv1.Start{
			RunId: id, Component: c.Entry.Component.Name, Params: c.Params, Attempt: 1,
			Caller: c.Caller, TempDir: at.Path, ArtifactDir: at.Path,
			LogLevel: strings.ToLower(hclog.Info.String()),
		},
		Kill: c.Kill,
	}
	if c.Ends == nil {
		defer at.Leave()
	} else {
		x.Ended = func(kill func()) {
			end = func() {
				kill()
				at.Leave()
			}
		}
		defer func() { c.Ends.Go(end) }() // one attempt is made
	}
	return run.Do(ctx, run.Spec{}, x, l, nil), nil
}

// LaunchOptions are how every component's plugin is started and stopped.
func LaunchOptions(e catalog.Entry, at *Place, env []string, cfg config.Config, stop launch.StopBudget) launch.Options {
	return launch.Options{
		Command: launch.Command{Path: e.Plugin, Args: e.Args},
		Dir:     at.Path, Live: at.Live,
		Env:          launch.Environ(env, cfg.PluginEnv),
		StartTimeout: cfg.StartTimeout,
		Stop:         stop,
		Log:          hclog.NewNullLogger(),
	}
}
