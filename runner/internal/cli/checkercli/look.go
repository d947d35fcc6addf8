package checkercli

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/checker/history"
	"github.com/outrider-run/outrider/runner/internal/checker/source"
	"github.com/outrider-run/outrider/runner/internal/checker/store"
	"github.com/outrider-run/outrider/runner/internal/checker/watch"
	"github.com/outrider-run/outrider/runner/internal/cli/term"
	"github.com/outrider-run/outrider/sdk/observe"
)

// looked is a source as it is now, beside what is remembered of it.
type looked struct {
	name     string
	source   history.Source
	snapshot observe.Snapshot
}

// maxLooked is of how many open runs the tasks are asked for.
const maxLooked = 50

// look asks sources, none for all, with the tasks of what is open. Nothing is stored.
func (a *app) look(c *cli.Context, o *opened, loaded store.Loaded, names []string) ([]looked, error) {
	askers, err := o.pick(names)
	if err != nil {
		return nil, err
	}
	learned := func(one source.One) history.Source {
		s, _ := history.Fold(loaded.State.Sources[one.Report.Source], one.Report.Snapshot)
		return s
	}
	r := watch.Round{
		Askers: askers, Settings: o.Sources, From: loaded.Positions(), At: time.Now(), Self: self(), Above: above(),
		Say: a.say, Note: a.say, Lives: func() {},
	}
	answers := r.Closer(c.Context, r.Ask(c.Context), func(one source.One) []string {
		open := slices.Sorted(maps.Keys(learned(one).Open))
		return open[:min(len(open), maxLooked)]
	})
	var all []looked
	for _, one := range answers {
		if one.Report.Failure != "" {
			a.say("%s does not answer: %s", one.Report.Source, one.Report.Failure)
			continue
		}
		all = append(all, looked{one.Report.Source, learned(one), one.Report.Snapshot})
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no source answered")
	}
	return all, nil
}

// pick is how the sources of these names are asked, none for all.
func (o *opened) pick(names []string) (map[string]source.Asker, error) {
	if err := needSources(o); err != nil {
		return nil, err
	}
	askers := maps.Clone(o.Askers)
	maps.DeleteFunc(askers, func(name string, _ source.Asker) bool { return !picked(names, name) })
	if len(askers) == 0 {
		return nil, term.Usage("there is no source %q; there are %s", names[0], term.Join(slices.Sorted(maps.Keys(o.Askers)), "and"))
	}
	return askers, nil
}

// picked reports whether a source is one of those that are asked for; none ask for all.
func picked(names []string, name string) bool {
	return len(names) == 0 || slices.Contains(names, name)
}

// above are the ids of the ledger's runs that this program is part of.
func above() []string { return strings.Split(os.Getenv("OUTRIDER_RUN"), ",") }
