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
	sweep sync.WaitGroup
}

// newPlace makes the folder of a run, under its lock, and sweeps what killed hosts
// left meanwhile.
func newPlace(ctx context.Context, id string, say func(level hclog.Level, format string, args ...any)) (*place, error) {
	d, err := state.Open(os.Getenv)
	if err != nil {
		return nil, host(err)
	}
	if d.Temporary != nil {
		say(hclog.Warn, "state is kept in %s: %v", d.Root(), d.Temporary)
	}
	p := &place{state: d, say: say}
	if p.RunDir, err = d.NewRun(id); err != nil {
		return nil, host(err)
	}
	p.sweep.Go(func() {
		if _, err := d.Sweep(ctx); err != nil {
			say(hclog.Debug, "sweep: %v", err)
		}
	})
	return p, nil
}

// leave removes the folder and gives the lock up.
func (p *place) leave() {
	p.sweep.Wait()
	if err := p.Close(); err != nil {
		p.say(hclog.Warn, "remove the run's folder: %v", err)
	}
}
