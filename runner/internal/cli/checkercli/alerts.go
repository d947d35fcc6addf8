package checkercli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/message"
	"github.com/outrider-run/outrider/runner/internal/checker/store"
	"github.com/outrider-run/outrider/runner/internal/cli/term"
)

func (a *app) alerts() *cli.Command {
	return term.Group(program, "alerts", "look at alerts and answer them: list, show, ack, silence, unsilence, history",
		"  outrider-checker alerts list\n"+
			"  outrider-checker alerts silence --match project=etl,rule=late --for 2h --reason 'moving the database'",
		a.alertsList(), a.alertsShow(), a.alertsAck(), a.alertsSilence(), a.alertsUnsilence(), a.alertsHistory())
}

func (a *app) alertsList() *cli.Command {
	return command(cli.Command{
		Name: "list", Usage: "list the alerts that fire, and the silences",
		Description: "  outrider-checker alerts list\n  outrider-checker alerts list --match severity=critical --all --format json",
		Flags: append(storeFlags(), &cli.StringFlag{Name: "match", Usage: "only those that meet `MATCHERS`, such as project=etl,rule=~late|missing"},
			&cli.BoolFlag{Name: "all", Usage: "pending and resolved ones too", DisableDefaultText: true}, term.FormatFlag("table", "json")),
		Action: func(c *cli.Context) error {
			format, _, err := formatAndWords(c, "table", 0, 0, "list")
			if err != nil {
				return err
			}
			var match alert.Matchers
			if err := match.UnmarshalText([]byte(c.String("match"))); err != nil {
				return term.Usage("--match %q: %w", c.String("match"), err)
			}
			loaded, err := a.remembered(c)
			if err != nil {
				return err
			}
			now := time.Now()
			list := listing{Alerts: []alert.Alert{}, Silences: []alert.Silence{}}
			for _, key := range slices.Sorted(maps.Keys(loaded.State.Alerts.Alerts)) {
				x := loaded.State.Alerts.Alerts[key]
				if match.Match(&x.Finding) && (c.Bool("all") || x.State == alert.Firing) {
					list.Alerts = append(list.Alerts, x)
				}
			}
			slices.SortStableFunc(list.Alerts, func(x, y alert.Alert) int {
				return cmp.Or(cmp.Compare(y.Severity.Rank(), x.Severity.Rank()), x.Since.Compare(y.Since))
			})
			for _, s := range loaded.Silences {
				if s.Until.After(now) {
					list.Silences = append(list.Silences, s)
				}
			}
			if format == "json" {
				return term.JSON(a.Out, list)
			}
			return a.printListing(list, now)
		},
	})
}

// listing is what `alerts list` has.
type listing struct {
	Alerts   []alert.Alert   `json:"alerts"`
	Silences []alert.Silence `json:"silences"`
}

func (a *app) printListing(l listing, now time.Time) error {
	if len(l.Alerts) == 0 {
		a.say("no such alert")
	} else {
		var rows [][]string
		for _, x := range l.Alerts {
			note := cmp.Or(x.Muted, x.Reason)
			if x.Ack != nil {
				note = "acknowledged by " + x.Ack.By
			}
			rows = append(rows, []string{
				string(x.Severity), string(x.State), x.Rule, message.Plain(cmp.Or(x.Address, x.Source)), age(cmp.Or(x.Since, x.Seen), now),
				message.Plain(term.OneLine(x.What, 80)), message.Plain(term.OneLine(note, 60)), message.Plain(x.Key),
			})
		}
		if err := term.Table(a.Out, []string{"SEVERITY", "STATE", "RULE", "WHERE", "FOR", "WHAT", "NOTE", "KEY"}, rows); err != nil {
			return err
		}
	}
	if len(l.Silences) == 0 {
		return nil
	}
	var rows [][]string
	for _, s := range l.Silences {
		rows = append(rows, []string{s.ID, message.Plain(s.Match.String()), term.Clock(s.From), term.Clock(s.Until), message.Plain(s.By), message.Plain(term.OneLine(s.Reason, 60))})
	}
	if _, err := fmt.Fprintln(a.Out); err != nil {
		return term.Undeliverable(err)
	}
	return term.Table(a.Out, []string{"SILENCE", "MATCH", "FROM", "UNTIL", "BY", "REASON"}, rows)
}

func (a *app) alertsShow() *cli.Command {
	return command(cli.Command{
		Name: "show", Usage: "show all that is known of an alert, as it is told", ArgsUsage: "KEY",
		Description: "  outrider-checker alerts show 'prod|running|etl/daily|123'\n\nKEY is a key, or a part of one that no other has.",
		Flags:       append(storeFlags(), term.FormatFlag("text", "json")),
		Action: func(c *cli.Context) error {
			format, got, err := formatAndWords(c, "text", 1, 1, "the alert's key")
			if err != nil {
				return err
			}
			memory, err := memoryOf(c)
			if err != nil {
				return err
			}
			loaded, err := a.remembered(c)
			if err != nil {
				return err
			}
			x, err := findAlert(loaded.State.Alerts, got[0])
			if err != nil {
				return err
			}
			if format == "json" {
				return term.JSON(a.Out, x)
			}
			_, err = fmt.Fprintln(a.Out, strings.TrimRight(message.Text(message.Of(alert.Event{Kind: alert.New, Alerts: []alert.Alert{x}, Total: 1}, memory...), message.Plain), "\n")+"\nkey: "+message.Plain(x.Key))
			return term.Undeliverable(err)
		},
	})
}

// findAlert finds one by its key, or by a part of that.
func findAlert(b alert.Book, part string) (alert.Alert, error) {
	if x, ok := b.Alerts[part]; ok {
		return x, nil
	}
	var found []string
	for _, key := range slices.Sorted(maps.Keys(b.Alerts)) {
		if strings.Contains(key, part) {
			found = append(found, key)
		}
	}
	switch len(found) {
	case 1:
		return b.Alerts[found[0]], nil
	case 0:
		return alert.Alert{}, term.Usage("no alert has the key %q; see %s alerts list --all", part, program)
	}
	return alert.Alert{}, term.Usage("%q is in the keys of several alerts: %s", part, strings.Join(found[:min(3, len(found))], ", "))
}

func (a *app) alertsHistory() *cli.Command {
	return command(cli.Command{
		Name: "history", Usage: "list what happened: what fired, was told, acknowledged, acted on, resolved",
		Description: "  outrider-checker alerts history --since 1d\n  outrider-checker alerts history --since 02:00 --format json",
		Flags: append(storeFlags(), &cli.StringFlag{Name: "since", Usage: "since `T`: 02:00, 2026-01-02, RFC 3339, or ago such as 2h or 3d", Value: "7d"},
			&cli.IntFlag{Name: "limit", Usage: "at most `N` entries; 0: all", Value: 100}, term.FormatFlag("table", "json")),
		Action: func(c *cli.Context) error {
			format, _, err := formatAndWords(c, "table", 0, 0, "history")
			if err != nil {
				return err
			}
			since, err := term.Moment(c.String("since"), time.Now())
			if err != nil {
				return term.Usage("--since %q: %w", c.String("since"), err)
			}
			if c.Int("limit") < 0 {
				return term.Usage("--limit %d: want 0 or more", c.Int("limit"))
			}
			return a.onStore(c, func(ctx context.Context, s *store.Store) error {
				log, err := s.Log(ctx, since, c.Int("limit"))
				if err != nil {
					return err
				}
				if format == "json" {
					return term.JSON(a.Out, append([]store.LogEntry{}, log...))
				}
				return a.printLog(log)
			})
		},
	})
}

func (a *app) printLog(log []store.LogEntry) error {
	if len(log) == 0 {
		a.say("nothing happened")
		return nil
	}
	var rows [][]string
	for _, e := range log {
		rows = append(rows, []string{
			term.Clock(e.At), string(e.Kind), string(e.Severity), message.Plain(e.Alert), message.Plain(term.OneLine(e.What, 60)),
			cmp.Or(e.Receiver, e.By), message.Plain(term.OneLine(e.Note, 80)),
		})
	}
	return term.Table(a.Out, []string{"AT", "WHAT", "SEVERITY", "ALERT", "TEXT", "WHO", "NOTE"}, rows)
}
