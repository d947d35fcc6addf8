package checkercli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/message"
	"github.com/outrider-run/outrider/runner/internal/checker/store"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
	"github.com/outrider-run/outrider/runner/internal/cli/term"
)

func byFlag() cli.Flag {
	return &cli.StringFlag{Name: "by", Usage: "who does it (default: the user)"}
}

// by is who does something.
func by(c *cli.Context) string {
	for _, name := range []string{c.String("by"), os.Getenv("SUDO_USER")} {
		if name != "" {
			return name
		}
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return fmt.Sprint(os.Getuid())
}

func (a *app) alertsAck() *cli.Command {
	return command(cli.Command{
		Name: "ack", Usage: "say that somebody cares: it is not repeated, and nobody else is called", ArgsUsage: "KEY",
		Description: "  outrider-checker alerts ack 'prod|running|etl/daily|123' --note 'I am looking'\n\n" +
			"KEY is that of an alert, or a part of one that no other has, or an incident.",
		Flags: append(storeFlags(), byFlag(), &cli.StringFlag{Name: "note", Usage: "what the others should know"}),
		Action: func(c *cli.Context) error {
			got, err := keyAndFlags(c, "the alert's key")
			if err != nil {
				return err
			}
			return a.onStore(c, func(ctx context.Context, s *store.Store) error {
				var misused error
				err := s.Change(ctx, func(b alert.Book) (alert.Book, []alert.Event, error) {
					id := got
					if _, incident := b.Incidents[id]; !incident {
						x, err := findAlert(b, id)
						if misused = err; err != nil {
							return b, nil, err
						}
						id = x.Key
					}
					now := time.Now()
					after, events, err := alert.Acknowledge(b, id, by(c), c.String("note"), now)
					if misused = err; err != nil {
						return b, nil, err
					}
					after.At = now
					return after, events, nil
				})
				if misused != nil {
					return term.Usage("%w", misused)
				}
				if err == nil {
					a.say("acknowledged; the next pass tells so")
				}
				return err
			})
		},
	})
}

// keyAndFlags is the one argument; flags may stand behind it, where people put them.
func keyAndFlags(c *cli.Context, want string) (string, error) {
	words := c.Args().Slice()
	if len(words) == 0 {
		return "", term.Usage("%s is missing; see %s --help", want, term.HelpName(c))
	}
	for i := 1; i < len(words); i++ {
		name, value, given := strings.Cut(strings.TrimLeft(words[i], "-"), "=")
		if !strings.HasPrefix(words[i], "-") {
			return "", term.Usage("unexpected argument %q after %s", words[i], want)
		}
		if !given {
			if i++; i == len(words) {
				return "", term.Usage("--%s: its value is missing", name)
			}
			value = words[i]
		}
		if err := c.Set(name, value); err != nil {
			return "", term.Usage("there is no flag --%s; see %s --help", name, term.HelpName(c))
		}
	}
	return words[0], nil
}

func (a *app) alertsSilence() *cli.Command {
	return command(cli.Command{
		Name: "silence", Usage: "tell nobody of what matches, for a time",
		Description: "  outrider-checker alerts silence --match project=etl,rule=late --for 2h --reason 'moving the database'\n\n" +
			"What still fires when it ends is told then.",
		Flags: append(storeFlags(), &cli.StringFlag{Name: "match", Usage: "what is silenced, as `MATCHERS`: project=etl,rule=~late|missing"},
			&cli.StringFlag{Name: "for", Usage: "for how long, as `TIME`", Value: "2h"},
			&cli.StringFlag{Name: "reason", Usage: "why"},
			byFlag(), term.FormatFlag("text", "json")),
		Action: func(c *cli.Context) error {
			format, _, err := formatAndWords(c, "text", 0, 0, "silence")
			if err != nil {
				return err
			}
			length, err := threshold.ParseDuration(c.String("for"))
			if err != nil || length == 0 {
				return term.Usage("--for %q: want a time such as 2h", c.String("for"))
			}
			match, err := alert.ParseMatchers(c.String("match"))
			if err != nil {
				return term.Usage("--match %q: %w", c.String("match"), err)
			}
			now := time.Now()
			one := alert.Silence{ID: ulid.Make().String(), Match: match, From: now, Until: now.Add(time.Duration(length)), By: by(c), Reason: c.String("reason")}
			if err := one.Validate(); err != nil {
				return term.Usage("--match %q: %w", c.String("match"), err)
			}
			memory, err := memoryOf(c)
			if err != nil {
				return err
			}
			end := message.Line(slices.Concat([]string{program, "alerts", "unsilence"}, memory, []string{one.ID})...)
			return a.onStore(c, func(ctx context.Context, s *store.Store) error {
				if err := s.Silence(ctx, one); err != nil {
					return err
				}
				if format == "json" {
					return term.JSON(a.Out, one)
				}
				_, err := fmt.Fprintf(a.Out, "silenced until %s; to end it: %s\n", term.Clock(one.Until), end)
				return term.Undeliverable(err)
			})
		},
	})
}

func (a *app) alertsUnsilence() *cli.Command {
	return command(cli.Command{
		Name: "unsilence", Usage: "end a silence", ArgsUsage: "ID",
		Description: "  outrider-checker alerts unsilence 01KAMM2VZ9\n\nID is as `alerts list` has it. A silence of the config ends there.",
		Flags:       storeFlags(),
		Action: func(c *cli.Context) error {
			got, err := term.Args(c, 1, 1, "the silence's id")
			if err != nil {
				return err
			}
			return a.onStore(c, func(ctx context.Context, s *store.Store) error {
				err := s.Unsilence(ctx, got[0], time.Now())
				if errors.Is(err, store.ErrNoSilence) {
					return term.Usage("%q: %w; see %s alerts list", got[0], err, program)
				}
				return err
			})
		},
	})
}
