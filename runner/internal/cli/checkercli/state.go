package checkercli

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/checker/source"
	"github.com/outrider-run/outrider/runner/internal/checker/store"
	"github.com/outrider-run/outrider/runner/internal/config"
	"github.com/outrider-run/outrider/runner/internal/ledger"
	"github.com/outrider-run/outrider/runner/internal/state"
	"github.com/outrider-run/outrider/sdk/observe"
)

// folder is the state folder. A temporary one forgets, which its user has to know.
func (a *app) folder() (string, error) {
	d, err := state.Open(os.Getenv)
	if err != nil {
		return "", err
	}
	if d.Temporary != nil {
		a.say("state is kept in %s: %v", d.Root(), d.Temporary)
	}
	return d.Root(), nil
}

// onStore does something with the database of a checker; the error is errNothing where
// there is none.
func (a *app) onStore(c *cli.Context, do func(ctx context.Context, s *store.Store) error) error {
	g, err := parse(c)
	if err != nil {
		return err
	}
	p, err := a.lookAt(c.Context, g)
	if err != nil {
		return err
	}
	s, err := p.open(c.Context)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	return do(c.Context, s)
}

// remembered is what passes have learned, nothing where there was none.
func (a *app) remembered(c *cli.Context) (loaded store.Loaded, err error) {
	err = a.onStore(c, func(ctx context.Context, s *store.Store) error {
		loaded, err = s.Load(ctx)
		return err
	})
	if errors.Is(err, errNothing) {
		a.say("%v", err)
		return store.Loaded{}, nil
	}
	return loaded, err
}

// book is the ledger as a source.
func (a *app) book(cfg config.Config, limit int) source.Asker { return ownRuns{a, cfg, limit} }

// ownRuns opens the ledger when it is asked, so that one that cannot be had is a source
// that does not answer.
type ownRuns struct {
	app   *app
	cfg   config.Config
	limit int
}

func (l ownRuns) Ask(ctx context.Context, asked source.Asked) (observe.Snapshot, error) {
	dir, err := l.app.folder()
	if err != nil {
		return observe.Snapshot{}, err
	}
	url := os.Getenv("OUTRIDER_LEDGER")
	switch {
	case url != "":
	case l.cfg.Ledger != "":
		url = l.cfg.Ledger
	default:
		url = "sqlite:" + filepath.Join(dir, "ledger.db")
	}
	if err := config.CheckLedger(url); err != nil {
		return observe.Snapshot{}, err
	}
	book, err := ledger.Open(ctx, url, false)
	if err != nil {
		return observe.Snapshot{}, err
	}
	defer func() { _ = book.Close() }()
	return source.Ledger(book, l.limit).Ask(ctx, asked)
}
