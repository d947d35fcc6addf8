package cli

import (
	"fmt"
	"strings"

	"github.com/outrider-run/outrider/runner/internal/cli/term"

	"github.com/urfave/cli/v2"
)

// further keeps a command off the first page of help.
func further(c *cli.Command) *cli.Command {
	c.Hidden = true
	return c
}

// internal reports whether a command is for scripts of ours alone.
func internal(c *cli.Command) bool { return strings.HasPrefix(c.Name, "__") }

// help is written out because urfave's own answers an unknown topic with exit 3.
func (a *app) help() *cli.Command {
	return &cli.Command{
		Name:      "help",
		Usage:     "show help; `help all` lists every command",
		ArgsUsage: "[all | COMMAND]",
		Action: func(c *cli.Context) error {
			root := c.Lineage()[len(c.Lineage())-2]
			switch topic := c.Args().First(); topic {
			case "":
				return cli.ShowAppHelp(root)
			case "all":
				return a.helpAll(root)
			default:
				if root.App.Command(topic) == nil {
					return unknownCommand(root, topic)
				}
				return root.App.RunContext(c.Context, append([]string{"outrider"}, append(c.Args().Slice(), "--help")...))
			}
		},
	}
}

func (a *app) helpAll(root *cli.Context) error {
	for _, c := range root.App.Commands {
		c.Hidden = internal(c)
	}
	if err := cli.ShowAppHelp(root); err != nil {
		return err
	}
	fmt.Fprint(a.Out, "\nWHICH WORD ACTS ON WHAT:\n")
	return term.Table(a.Out, []string{"   WORD", "ACTS ON"}, [][]string{
		{"   run, exec, sh", "one new run: of a component, of a command, of a shell's script"},
		{"   py, rb", "one new run of a component: a task of Digdag's py> or rb>"},
		{"   interp", "one new run of Digdag's own py> or rb>, on an interpreter that fits"},
		{"   status, start, wait, retry, kill, logs", "what an engine runs, by its address: a workflow, an attempt, a DAG run, a task"},
		{"   runs", "Outrider's own runs: all that the three above have called, whoever called them"},
		{"   once, locks, pools", "what runs claim: a success that is not to be repeated, a lock, slots"},
		{"   artifacts", "files that runs have kept"},
		{"   components, describe", "what can be run"},
		{"   plugins, new", "the programs that components come from"},
		{"   doctor", "this machine's Outrider: plugins, state folder, ledger, clock"},
	})
}
