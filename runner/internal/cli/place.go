package cli

import (
	"context"
	"os"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/outrider-run/outrider/runner/internal/state"
)

// place is where a run stands on the disk while it lives.
type place struct {
	*state.RunDir
	state state.Dir
	say   func(level hclog.Level, format string, args ...any)

	swept    sync.WaitGroup
	sweepErr error
	clear    func()
	cleared  sync.WaitGroup
}

// newPlace makes the folder of a run, under its lock, and sweeps what killed hosts
// left meanwhile.
func newPlace(ctx context.Context, id string, say func(level hclog.Level, format string, args ...any)) (*place, error) {
	return placeSoon(ctx, id)(say)
}

// placeSoon begins to make the folder of a run, which is ready when the caller is: to
// make it takes as long as to read the run's parameters. Who takes it leaves it.
func placeSoon(ctx context.Context, id string) (take func(say func(level hclog.Level, format string, args ...any)) (*place, error)) {
	p, made := &place{}, make(chan error, 1)
	go func() { made <- p.make(ctx, id) }()
	return func(say func(level hclog.Level, format string, args ...any)) (*place, error) {
		if err := <-made; err != nil {
			return nil, host(err)
		}
		p.say = say
		if p.state.Temporary != nil {
			say(hclog.Warn, "state is kept in %s: %v", p.state.Root(), p.state.Temporary)
		}
		return p, nil
	}
}

func (p *place) make(ctx context.Context, id string) (err error) {
	if p.state, err = state.Open(os.Getenv); err != nil {
		return err
	}
	if p.RunDir, err = p.state.NewRun(id); err != nil {
		return err
	}
	p.clear = sync.OnceFunc(func() {
		p.cleared.Go(func() { _ = p.Clear() }) // Close tries again what did not go
	})
	p.swept.Go(func() { _, p.sweepErr = p.state.Sweep(ctx) })
	return nil
}

// leave removes the folder and gives the lock up.
func (p *place) leave() {
	p.cleared.Wait()
	p.swept.Wait()
	if p.sweepErr != nil {
		p.say(hclog.Debug, "sweep: %v", p.sweepErr)
	}
	if err := p.Close(); err != nil {
		p.say(hclog.Warn, "remove the run's folder: %v", err)
	}
}
