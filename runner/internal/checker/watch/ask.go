package watch

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/outrider-run/outrider/runner/internal/checker"
	"github.com/outrider-run/outrider/runner/internal/checker/source"
	"github.com/outrider-run/outrider/runner/internal/checker/store"
	"github.com/outrider-run/outrider/sdk/observe"
)

// ask asks every source, and what was posted, and loads what is remembered meanwhile; a
// closer look is at the runs that a rule found.
func (p *pass) ask(ctx context.Context) (store.Loaded, checker.Config, []source.One, error) {
	none := func(err error) (store.Loaded, checker.Config, []source.One, error) {
		return store.Loaded{}, checker.Config{}, nil, fmt.Errorf("load what is remembered: %w", err)
	}
	from, err := p.store.Positions(ctx)
	if err != nil {
		return none(err)
	}
	r := p.round(from)
	asking, cancel := context.WithCancel(ctx)
	defer cancel()
	first := make(chan []source.One, 1)
	go func() { first <- r.Ask(asking) }()
	loaded, err := p.store.Load(ctx)
	if err != nil {
		cancel()
		<-first
		return none(err)
	}
	config := p.config(loaded)
	answers := p.again(ctx, <-first, from, loaded)
	answers = r.Closer(ctx, answers, func(a source.One) []string { return checker.Wants(loaded.State, a.Report, config, p.at) })
	return loaded, config, answers, nil
}

// round asks the sources from there.
func (p *pass) round(from map[string]store.Position) Round {
	askers := maps.Clone(p.Askers)
	if p.Inbox != nil {
		askers[p.Inbox.Name] = posts{p.Inbox}
	}
	return Round{
		Askers: askers, Settings: p.Settings.Sources, From: from, At: p.at, Self: p.Self, Above: p.Above,
		Say: p.Say, Note: p.note, Lives: p.pulse.lives,
	}
}

// again asks those sources anew of which something was remembered that cannot be read: what
// they told goes on from there.
func (p *pass) again(ctx context.Context, answers []source.One, from map[string]store.Position, loaded store.Loaded) []source.One {
	r := p.round(loaded.Positions())
	maps.DeleteFunc(r.Askers, func(name string, _ source.Asker) bool {
		return bytes.Equal(from[name].Cursor, loaded.Cursors[name])
	})
	for _, one := range r.Ask(ctx) {
		at := slices.IndexFunc(answers, func(a source.One) bool { return a.Report.Source == one.Report.Source })
		answers[at] = one
	}
	return answers
}

// posts asks for posted signals.
type posts struct{ *Inbox }

func (i posts) Ask(ctx context.Context, _ source.Asked) (observe.Snapshot, error) {
	return i.Snapshot(ctx)
}
