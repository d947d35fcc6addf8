package cli

import (
	"cmp"
	"context"
	"os"
	"sync/atomic"

	"github.com/outrider-run/outrider/runner/internal/cli/term"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/engine"
	"github.com/outrider-run/outrider/runner/internal/run"
)

// orphan is what a run does when its engine is gone.
type orphan struct {
	// policy is stop, finish, or empty for the engine's own: under Digdag a run
	// finishes while the copy that Digdag makes would join it, else it stops.
	policy string
	joins  *atomic.Bool
}

const (
	// orphanStop stops the run as a signal would.
	orphanStop = "stop"
	// orphanFinish lets it run to its end.
	orphanFinish = "finish"
)

func engineFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "engine", Usage: "take `NAME` (digdag, airflow, none) for the caller", DefaultText: "found out"},
		&cli.StringFlag{Name: "digdag-endpoint", Usage: "ask Digdag at `URL` whether the attempt is killed, and stop then", DefaultText: "$OUTRIDER_DIGDAG_ENDPOINT, or outrider.yml's"},
		&cli.StringFlag{Name: "on-orphan", Usage: "`stop` or finish when the engine is gone", DefaultText: "finish what Digdag's next copy joins, else stop"},
	}
}

// caller is what a command knows of who calls before it looks.
type caller struct {
	// engine is the one that it can only be, "" for any.
	engine engine.Name
	getenv func(string) string
}

func parseEngine(c *cli.Context, from caller) (engine.Engine, orphan, error) {
	name, err := engine.Parse(c.String("engine"))
	if err != nil {
		return engine.Engine{}, orphan{}, term.Usage("--%w", err)
	}
	from.engine = cmp.Or(name, from.engine)
	if url := c.String("digdag-endpoint"); url != "" {
		getenv := from.getenv
		from.getenv = func(name string) string {
			if name == engine.DigdagEndpoint {
				return url
			}
			return getenv(name)
		}
	}
	o := orphan{policy: c.String("on-orphan"), joins: new(atomic.Bool)}
	if o.policy != "" && o.policy != orphanStop && o.policy != orphanFinish {
		return engine.Engine{}, orphan{}, term.Usage("--on-orphan %q: want stop or finish", o.policy)
	}
	return detect(from), o, nil
}

func anyone() caller { return caller{getenv: os.Getenv} }

// detect looks for the engine, above this process only where something hints at one.
func detect(from caller) engine.Engine {
	exists := func(path string) bool {
		_, err := os.Stat(path)
		return err == nil
	}
	var above []engine.Process
	if engine.Hinted(from.engine, from.getenv, exists) {
		above = engine.Ancestors()
	}
	return engine.Detect(from.engine, from.getenv, above)
}

// begin prepares a run for what may come from outside: it leaves an engine's stdin
// alone, takes signals (see withSignals) and watches the engine. end gives all of
// it back.
func begin(ctx context.Context, e engine.Engine, o orphan) (_ context.Context, kill <-chan struct{}, end func(), err error) {
	if err := e.LeaveStdin(); err != nil {
		return ctx, nil, nil, host(err)
	}
	ctx, kill, stopSignals := withSignals(ctx)
	ctx, stopWatch, err := o.watch(ctx, e)
	if err != nil {
		stopSignals()
		return ctx, nil, nil, host(err)
	}
	return ctx, kill, func() {
		stopWatch()
		stopSignals()
	}, nil
}

// watch ends ctx when the engine is gone, unless the run is to finish.
func (o orphan) watch(ctx context.Context, e engine.Engine) (context.Context, func(), error) {
	if o.policy == orphanFinish || e.Name == engine.None {
		return ctx, func() {}, nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	gone, err := e.Gone(ctx)
	if err != nil {
		cancel(nil)
		return ctx, func() {}, err
	}
	go func() {
		select {
		case why := <-gone:
			if !o.finishes(e) {
				cancel(run.Orphaned(why))
			}
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }, nil
}

// finishes reports whether a run goes on that its engine has left.
func (o orphan) finishes(e engine.Engine) bool {
	if o.policy == "" {
		return e.Name == engine.Digdag && o.joins.Load()
	}
	return o.policy == orphanFinish
}
