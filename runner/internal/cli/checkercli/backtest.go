package checkercli

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/checker"
	"github.com/outrider-run/outrider/runner/internal/checker/message"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/cli/term"
)

// learning is how much of the past before a backtest is history alone.
const learning = 30 * 24 * time.Hour

func (a *app) backtest() *cli.Command {
	return command(cli.Command{
		Name: "backtest", Usage: "say what the rules would have told of the past", ArgsUsage: "[SOURCE]",
		Description: "  outrider-checker backtest --days 90\n" +
			"  outrider-checker backtest --days 30 --threshold 'usual*1.2'\n\n" +
			"Alerts are new that the built-in rules would not have told. The 30 days before are history.",
		Flags: append(sourceFlags(),
			&cli.IntFlag{Name: "days", Usage: "look at the last `N` days", Value: 90}, term.FormatFlag("table", "json")),
		Action: func(c *cli.Context) error {
			format, got, err := formatAndWords(c, "table", 0, 1, "the source")
			if err != nil {
				return err
			}
			days := c.Int("days")
			if days < 1 || days > 3650 {
				return term.Usage("--days %d: want 1 to 3650", days)
			}
			o, err := a.open(c)
			if err != nil {
				return err
			}
			all, err := a.replay(c, o, got, days)
			if err != nil {
				return err
			}
			if format == "json" {
				return term.JSON(a.Out, all)
			}
			return a.printReplayed(all)
		},
	})
}

// replay asks for the past and plays it.
func (a *app) replay(c *cli.Context, o *opened, names []string, days int) (map[string]checker.Replayed, error) {
	askers, err := o.pick(names)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	from := now.AddDate(0, 0, -days)
	before, err := rule.NewSet(nil)
	if err != nil {
		return nil, err
	}
	all := map[string]checker.Replayed{}
	for name, runs := range a.past(c.Context, o, askers, from.Add(-learning)) {
		all[name] = checker.Backtest(checker.Past{Source: name, Runs: runs, From: from, To: now}, o.Rules, before)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no source answered")
	}
	return all, nil
}

func (a *app) printReplayed(all map[string]checker.Replayed) error {
	var rows [][]string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		r := all[name]
		a.say("%s: %d runs, %d alerts, of which the built-in rules would not have told %d", name, r.Runs, len(r.Fired), r.New)
		if len(r.Blind) > 0 {
			var kinds []string
			for _, k := range r.Blind {
				kinds = append(kinds, string(k))
			}
			a.say("%s: the past does not show %s", name, strings.Join(kinds, ", "))
		}
		for _, f := range r.Fired {
			mark, ended := "", "still"
			if f.New {
				mark = "new"
			}
			if !f.Resolved.IsZero() {
				ended = short(f.Resolved.Sub(f.At))
			}
			rows = append(rows, []string{term.Clock(f.At), ended, string(f.Severity), f.Rule, message.Plain(cmp.Or(f.Address, name)), mark, message.Plain(term.OneLine(f.What, 100))})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	return term.Table(a.Out, []string{"AT", "FOR", "SEVERITY", "RULE", "WHERE", "", "WHAT"}, rows)
}
