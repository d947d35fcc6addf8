package cli

import (
	"context"
	"os"

	"github.com/hashicorp/go-hclog"

	"github.com/outrider-run/outrider/runner/internal/invoke"
	"github.com/outrider-run/outrider/runner/internal/state"
)

// newPlace makes the folder of a run in this user's state folder.
func newPlace(ctx context.Context, id string, say invoke.Say) (*invoke.Place, error) {
	return placeSoon(ctx, id)(say)
}

// placeSoon begins to make it.
func placeSoon(ctx context.Context, id string) func(invoke.Say) (*invoke.Place, error) {
	take := invoke.PlaceSoon(ctx, func() (state.Dir, error) { return state.Open(os.Getenv) }, id)
	return func(say invoke.Say) (*invoke.Place, error) {
		at, err := take(say)
		if err != nil {
			return nil, host(err)
		}
		warnTemporary(at.State, say)
		return at, nil
	}
}

func warnTemporary(d state.Dir, say invoke.Say) {
	if d.Temporary != nil {
		say(hclog.Warn, "state is kept in %s: %v", d.Root(), d.Temporary)
	}
}
