package checkercli

import (
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/checker"
	"github.com/outrider-run/outrider/runner/internal/checker/message"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
	"github.com/outrider-run/outrider/runner/internal/cli/term"
)

func (a *app) explain() *cli.Command {
	return command(cli.Command{
		Name: "explain", Usage: "say which rules decide about a workflow, by which threshold and why", ArgsUsage: "ADDRESS",
		Description: "  outrider-checker explain prod:etl/daily\n  outrider-checker explain airflow:daily --format json\n\n" +
			"It says what was known after the last pass; nothing is asked.",
		Flags: append(settingsFlags(), term.FormatFlag("text", "json")),
		Action: func(c *cli.Context) error {
			format, got, err := formatAndWords(c, "text", 1, 1, "the address")
			if err != nil {
				return err
			}
			s, err := a.settings(c)
			if err != nil {
				return err
			}
			state, err := a.remembered(c)
			if err != nil {
				return err
			}
			e, err := checker.Explain(state.State, checker.Config{Rules: s.Rules, Policy: s.Policy}, got[0])
			if err != nil {
				return term.Usage("%w", err)
			}
			if format == "json" {
				return term.JSON(a.Out, e)
			}
			return a.printExplanation(e)
		},
	})
}

func (a *app) printExplanation(e checker.Explanation) error {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintln(&b, message.Plain(fmt.Sprintf(format, args...))) }
	line("%s", e.Address)
	if e.Gone {
		line("  it is gone: its schedule is not there any more")
	}
	if g := e.Good; g != nil {
		line("  last success  %s, ended %s", g.ID, term.Clock(g.Ended))
	}
	if s := e.Schedule; s != nil {
		line("  schedule      %s %s, next run %s", s.Expression, s.Zone, term.Clock(s.Next))
	}
	for _, r := range e.Runs {
		line("  open          %s, %s for %s, %s", r.Address, r.State, threshold.Short(time.Duration(r.Elapsed)), etaText(r))
	}
	for _, x := range e.Alerts {
		line("  alert         %s %s: %s", x.Severity, x.Rule, x.What)
	}
	line("")
	for _, r := range e.Rules {
		text := fmt.Sprintf("%-12s %-9s %s", r.Rule, r.Severity, r.Doc)
		if terms := r.Terms(); terms != "" {
			text += ": " + terms
		}
		if l := r.Limit; l != nil {
			text += ": " + l.String()
			if usually := l.Usually(); usually != "" {
				text += "; usually " + usually
			}
			text += "; set by " + r.From
		} else if !r.Threshold.IsZero() {
			text += ": " + r.Threshold.String() + ", set by " + r.From
		}
		line("%s", text)
	}
	_, err := fmt.Fprint(a.Out, b.String())
	return term.Undeliverable(err)
}
