package invoke

import (
	"context"
	"fmt"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/outrider-run/outrider/runner/internal/state"
)

// Say takes the host's own talk, as printf does.
type Say func(level hclog.Level, format string, args ...any)

// Place is where a run stands on the disk while it lives.
type Place struct {
	*state.RunDir
	State state.Dir
	say   Say

	swept    sync.WaitGroup
	sweepErr error
	clear    func()
	cleared  sync.WaitGroup
}

// PlaceSoon begins to make the folder of a run, under its lock, and sweeps what killed
// hosts left meanwhile. It is ready when the caller is: to make it takes as long as to
// read the run's parameters. Who takes it leaves it.
func PlaceSoon(ctx context.Context, open func() (state.Dir, error), id string) (take func(Say) (*Place, error)) {
	p, made := &Place{}, make(chan error, 1)
	go func() { made <- p.make(ctx, open, id) }()
	return func(say Say) (*Place, error) {
		if err := <-made; err != nil {
			return nil, fmt.Errorf("make the run's folder: %w", err)
		}
		p.say = say
		return p, nil
	}
}

func (p *Place) make(ctx context.Context, open func() (state.Dir, error), id string) (err error) {
	if p.State, err = open(); err != nil {
		return err
	}
	if p.RunDir, err = p.State.NewRun(id); err != nil {
		return err
	}
	p.clear = sync.OnceFunc(func() {
		p.cleared.Go(func() { _ = p.Clear() }) // Close tries again what did not go
	})
	p.swept.Go(func() { _, p.sweepErr = p.State.Sweep(ctx) })
	return nil
}

// ClearSoon begins to empty the folder, once.
func (p *Place) ClearSoon() { p.clear() }

// Leave removes the folder and gives the lock up.
func (p *Place) Leave() {
	p.cleared.Wait()
	p.swept.Wait()
	if p.sweepErr != nil {
		p.say(hclog.Debug, "sweep: %v", p.sweepErr)
	}
	if err := p.Close(); err != nil {
		p.say(hclog.Warn, "remove the run's folder: %v", err)
	}
}
