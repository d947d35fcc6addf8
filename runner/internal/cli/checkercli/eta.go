package checkercli

import (
	"time"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/checker"
	"github.com/outrider-run/outrider/runner/internal/checker/message"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
	"github.com/outrider-run/outrider/runner/internal/cli/term"
)

func (a *app) eta() *cli.Command {
	return command(cli.Command{
		Name: "eta", Usage: "say of every open run when it will end, and which task holds it", ArgsUsage: "[SOURCE]",
		Description: "  outrider-checker eta\n  outrider-checker eta prod --format json\n\n" +
			"It asks the sources now, and compares with what passes have learned; it stores nothing.",
		Flags: append(sourceFlags(), term.FormatFlag("table", "json")),
		Action: func(c *cli.Context) error {
			format, got, err := formatAndWords(c, "table", 0, 1, "the source")
			if err != nil {
				return err
			}
			o, err := a.open(c)
			if err != nil {
				return err
			}
			loaded, err := a.remembered(c)
			if err != nil {
				return err
			}
			looks, err := a.look(c, o, loaded, got)
			if err != nil {
				return err
			}
			all := []checker.RunETA{}
			for _, l := range looks {
				all = append(all, checker.ETAs(l.name, l.source, l.snapshot)...)
			}
			if format == "json" {
				return term.JSON(a.Out, all)
			}
			if len(all) == 0 {
				a.say("no run is open")
				return nil
			}
			var rows [][]string
			for _, r := range all {
				rows = append(rows, []string{
					message.Plain(r.Address), string(r.State), threshold.Short(time.Duration(r.Elapsed)), etaText(r),
					threshold.Short(time.Duration(r.Limit.At)), message.Plain(r.Task),
				})
			}
			return term.Table(a.Out, []string{"RUN", "STATE", "FOR", "ENDS", "THRESHOLD", "TASK"}, rows)
		},
	})
}

func etaText(r checker.RunETA) string {
	if r.ETA == nil {
		return "not known: " + r.Why
	}
	return r.ETA.At.Local().Format("15:04") + " (" + r.ETA.Early.Local().Format("15:04") + " to " + r.ETA.Late.Local().Format("15:04") + ")"
}

func short(d time.Duration) string { return threshold.Short(max(d, 0)) }
