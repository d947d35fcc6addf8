// Package cli is the command line: one file a command, each parses into a
// request, calls a package that does the work, and renders what came back. No
// rule of what a run does lives here. It is the only package with urfave/cli.
package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/outrider-run/outrider/runner/internal/cli/term"

	"github.com/urfave/cli/v2"
)

// Streams are the process's own.
type Streams = term.Streams

// Build is what the linker stamped.
type Build = term.Build

// app is what every command gets.
type app struct {
	Streams
	build Build
	// args are those of the process, behind its name.
	args []string
}

// Main runs the command line args (args[0] is the program) and returns the exit
// code. Every error becomes one clear last line on stderr.
func Main(args []string, s Streams, b Build) int {
	a := &app{Streams: s, build: b, args: args[1:]}
	err := a.root().RunContext(context.Background(), args)
	var e *term.Exit
	if errors.As(err, &e) {
		if e.Err != nil {
			fmt.Fprintln(s.Err, "outrider:", e.Err)
		}
		if e.Code == term.Misused {
			return exitUsage
		}
		return e.Code
	}
	if err != nil {
		fmt.Fprintln(s.Err, "outrider:", err)
		return exitHost
	}
	return 0
}

func (a *app) root() *cli.App {
	return &cli.App{
		Name:  "outrider",
		Usage: "run typed task components beside Digdag, Airflow and cron",
		Description: "Say hello:      outrider run hello.greet --name you\n" +
			"See what is there: outrider components\n" +
			"All commands:   outrider help all",
		HideHelpCommand:           true,
		HideVersion:               true,
		DisableSliceFlagSeparator: true, // values keep their commas
		Writer:                    a.Out,
		ErrWriter:                 a.Err,
		ExitErrHandler:            func(*cli.Context, error) {}, // Main decides
		OnUsageError:              term.OnUsage,
		Flags:                     []cli.Flag{helpVersion(), cli.HelpFlag},
		Commands:                  a.commands(),
		Action: func(c *cli.Context) error {
			if c.Bool("version") {
				return a.printVersion("text")
			}
			if c.Args().Len() > 0 {
				return unknownCommand(c, c.Args().First())
			}
			return cli.ShowAppHelp(c)
		},
	}
}

// commands makes the one that is asked for by name, since making all of them
// costs a run as much as reading its parameters; else all of them.
func (a *app) commands() []*cli.Command {
	hot := map[string]func() *cli.Command{"run": a.run, "exec": a.exec, "sh": a.sh, "py": a.py, "rb": a.rb, "interp": a.interp}
	if len(a.args) > 0 && hot[a.args[0]] != nil {
		return []*cli.Command{withNames(hot[a.args[0]]())}
	}
	all := append([]*cli.Command{a.run(), a.exec(), a.sh()}, a.verbs()...)
	all = append(all, a.runs(), a.components(), a.help())
	for _, c := range []*cli.Command{
		a.describe(), a.newPlugin(), a.once(), a.locks(), a.pools(), a.doctor(),
		a.py(), a.rb(), a.interp(), a.artifacts(), a.plugins(), a.version(), a.completion(), a.complete(),
	} {
		all = append(all, further(c)) // only `help all` has these
	}
	return all
}

func helpVersion() cli.Flag {
	return &cli.BoolFlag{Name: "version", Usage: "print the version", DisableDefaultText: true}
}

func unknownCommand(c *cli.Context, name string) error {
	var names []string
	for _, cmd := range c.App.Commands {
		if !internal(cmd) {
			names = append(names, cmd.Name)
		}
	}
	hint := "see outrider --help"
	if n := term.Near(name, names); n != "" {
		hint = "did you mean `outrider " + n + "`?"
	} else if strings.Contains(name, ".") {
		hint = "to run a component: outrider run " + name
	}
	return term.Usage("there is no command %q; %s", name, hint)
}
