package term

import (
	"strings"

	"github.com/urfave/cli/v2"
)

// Group is a command of a program that only has others below it.
func Group(program, name, what, description string, subs ...*cli.Command) *cli.Command {
	var names []string
	for _, s := range subs {
		s.OnUsageError = OnUsage
		names = append(names, s.Name)
	}
	return &cli.Command{
		Name: name, Usage: what, Description: description, Subcommands: subs,
		HideHelpCommand: true, OnUsageError: OnUsage,
		Action: func(c *cli.Context) error {
			if c.Args().Len() == 0 {
				return Usage("say what to do: %s %s %s", program, name, strings.Join(names, "|"))
			}
			got := c.Args().First()
			if n := Near(got, names); n != "" {
				return Usage("there is no `%s %s %s`; did you mean `%s %s %s`?", program, name, got, program, name, n)
			}
			return Usage("there is no `%s %s %s`: want %s", program, name, got, Join(names, "or"))
		},
	}
}
