// Package checkercli is the command line of outrider-checker: one file a command, each
// parses, calls a package that does the work, and renders what came back. What a pass
// does lives in checker/watch, what is wrong in checker.
package checkercli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/checker/watch"
	"github.com/outrider-run/outrider/runner/internal/cli/term"
)

// program is its name.
const program = "outrider-checker"

// app is what every command gets.
type app struct {
	term.Streams
	build term.Build
	// ends are what calls of components have left to be waited for.
	ends sync.WaitGroup
}

// Main runs the command line args (args[0] is the program) and returns the exit code:
// 0, 1 for a warning, 2 for what is critical, and 3 where that is not known, which is so
// after a mistake of the caller's too.
func Main(args []string, s term.Streams, b term.Build) (code int) {
	a := &app{Streams: s, build: b}
	ctx, stop := term.Stop(context.Background())
	defer stop()
	defer func() {
		// The convention has 3 for a crash; Go's own is 2, which is critical.
		if r := recover(); r != nil {
			code = a.failed(args, fmt.Errorf("it crashed, which is a mistake of ours: %v", r))
		}
	}()
	defer a.ends.Wait()
	err := a.root().RunContext(ctx, args)
	var e *term.Exit
	switch {
	case errors.As(err, &e):
		if e.Code == term.Misused {
			return a.failed(args, err)
		}
		if e.Err != nil {
			a.say("%v", e.Err)
		}
		return e.Code
	case err != nil:
		return a.failed(args, err)
	}
	return watch.ExitOK
}

// failed says why nothing came of it. Who runs monitoring plugins reads stdout alone.
func (a *app) failed(args []string, err error) int {
	a.say("%v", err)
	if wantsNagios(args) {
		// Where stdout cannot be written, the exit code says the same.
		_, _ = fmt.Fprint(a.Out, watch.Nagios(watch.Summary{Exit: watch.ExitUnknown, Notes: []string{err.Error()}}))
	}
	return watch.ExitUnknown
}

// wantsNagios reports whether args ask for a plugin's output. They are looked at as they
// are, since it may be the flags that are wrong.
func wantsNagios(args []string) bool {
	for i, word := range args {
		name, value, given := strings.Cut(strings.TrimLeft(word, "-"), "=")
		if !given && i+1 < len(args) {
			value = args[i+1]
		}
		if strings.HasPrefix(word, "-") && name == "format" && value == "nagios" {
			return true
		}
	}
	return false
}

func (a *app) say(format string, args ...any) {
	fmt.Fprintf(a.Err, program+": "+format+"\n", args...)
}

func (a *app) root() *cli.App {
	check := a.check()
	return &cli.App{
		Name:  program,
		Usage: "tell what is long, stuck, late, missing, failed or dead in Digdag, Airflow and cron",
		Description: "Look once:    outrider-checker --digdag http://HOST:65432\n" +
			"Go on:        outrider-checker watch --every 60s\n" +
			"Write a file: outrider-checker init\n\n" +
			"Without a command it is `check`. Exit codes: 0 all is well, 1 warning, 2 critical, 3 unknown.",
		HideHelpCommand:           true,
		HideVersion:               true,
		DisableSliceFlagSeparator: true, // values keep their commas
		Writer:                    a.Out,
		ErrWriter:                 a.Err,
		ExitErrHandler:            func(*cli.Context, error) {}, // Main decides
		OnUsageError:              term.OnUsage,
		Flags:                     append(check.Flags, &cli.BoolFlag{Name: "version", Usage: "print the version", DisableDefaultText: true}, cli.HelpFlag),
		Commands: []*cli.Command{
			check, a.watch(), a.rules(), a.init(), a.config(), a.explain(), a.eta(), a.backtest(), a.suggest(),
			a.alerts(), a.testNotify(), a.lastPass(),
		},
		Action: func(c *cli.Context) error {
			if c.Bool("version") {
				_, err := fmt.Fprintln(a.Out, program, a.build.Version)
				return term.Undeliverable(err)
			}
			if name := c.Args().First(); name != "" {
				return unknown(c, name)
			}
			return check.Action(c)
		},
	}
}

func unknown(c *cli.Context, name string) error {
	var names []string
	for _, cmd := range c.App.Commands {
		names = append(names, cmd.Name)
	}
	if n := term.Near(name, names); n != "" {
		return term.Usage("there is no command %q; did you mean `%s %s`?", name, program, n)
	}
	return term.Usage("there is no command %q; see %s --help", name, program)
}

// command is one with what all have.
func command(c cli.Command) *cli.Command {
	c.OnUsageError = term.OnUsage
	return &c
}

// formatAndWords are what most commands are given: --format, of which people have another
// than programs, and from least to most words.
func formatAndWords(c *cli.Context, people string, least, most int, want string) (format string, words []string, err error) {
	if format, err = term.Format(c, people, "json"); err != nil {
		return "", nil, err
	}
	words, err = term.Args(c, least, most, want)
	return format, words, err
}

// where is the context in which a flag is given: before the command it counts too.
func where(c *cli.Context, name string) *cli.Context {
	for _, at := range c.Lineage() {
		for _, local := range at.LocalFlagNames() {
			if local == name {
				return at
			}
		}
	}
	return c
}

func text(c *cli.Context, name string) string { return where(c, name).String(name) }

func texts(c *cli.Context, name string) []string { return where(c, name).StringSlice(name) }

func flag(c *cli.Context, name string) bool { return where(c, name).Bool(name) }

// age is a time for people: how long ago.
func age(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return short(now.Sub(t))
}
