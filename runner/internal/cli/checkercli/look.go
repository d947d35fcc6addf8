package checkercli

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/checker/history"
	"github.com/outrider-run/outrider/runner/internal/checker/source"
	"github.com/outrider-run/outrider/runner/internal/checker/store"
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
	if err := needSources(o); err != nil {
		return nil, err
	}
	asked, timeouts, askers := map[string]source.Asked{}, map[string]time.Duration{}, map[string]source.Asker{}
	for name, asker := range o.Askers {
		if !picked(names, name) {
			continue
		}
		s := o.Sources[name]
		askers[name], timeouts[name] = asker, s.Timeout
		asked[name] = source.Asked{Cursor: loaded.Cursors[name]}
		if len(loaded.Cursors[name]) == 0 {
			a.say("%s was never watched before: there is no history to compare with but what it tells now", name)
			asked[name] = source.Asked{HistoryFrom: time.Now().Add(-max(s.History, 30*24*time.Hour))}
		}
	}
	if len(askers) == 0 {
		return nil, term.Usage("there is no source %q; there are %s", names[0], term.Join(slices.Sorted(maps.Keys(o.Askers)), "and"))
	}
	var all []looked
	again := map[string]source.Asker{}
	for _, one := range source.All(c.Context, askers, asked, timeouts) {
		name := one.Report.Source
		if one.Report.Failure != "" {
			a.say("%s does not answer: %s", name, one.Report.Failure)
			continue
		}
		l := looked{name: name, snapshot: one.Report.Snapshot}
		l.source, _ = history.Fold(loaded.State.Sources[name], one.Report.Snapshot)
		if open := slices.Sorted(maps.Keys(l.source.Open)); len(open) > 0 {
			ask := asked[name]
			ask.Details = open[:min(len(open), maxLooked)]
			asked[name], again[name] = ask, askers[name]
		}
		all = append(all, l)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no source answered")
	}
	for _, more := range source.All(c.Context, again, asked, timeouts) {
		for i := range all {
			if all[i].name == more.Report.Source && more.Report.Failure == "" {
				all[i].snapshot = more.Report.Snapshot
			}
		}
	}
	return all, nil
}
