package cli

import (
	"os"
	"os/exec"
	"slices"
	"syscall"

	"github.com/outrider-run/outrider/runner/internal/cli/term"

	"github.com/urfave/cli/v2"
)

func (a *app) sh() *cli.Command {
	return &cli.Command{
		Name:      "sh",
		Usage:     "be the shell of Digdag's sh>, so that a killed task leaves nothing behind",
		ArgsUsage: "[-- SHELL [ARGS]] SCRIPT",
		Description: "In a .dig file, for all of its sh> tasks:\n\n" +
			"  _export:\n    sh:\n      shell: [outrider, sh]\n\n" +
			"Another shell: shell: [outrider, sh, --, /bin/bash, -eu]. OUTRIDER_OFF=1 in the environment\n" +
			"runs the shell alone, as if outrider were not there." + claimExamples,
		Flags:        execFlags(),
		OnUsageError: term.OnUsage,
		Action: func(c *cli.Context) error {
			argv := c.Args().Slice()
			// The library drops the --, which tells SHELL from SCRIPT.
			if n := len(a.args) - len(argv) - 1; n < 0 || a.args[n] != "--" {
				argv = slices.Concat([]string{"/bin/sh"}, argv)
			}
			if len(argv) < 1 {
				return term.Usage("which shell? outrider sh -- SHELL [ARGS] SCRIPT")
			}
			if os.Getenv("OUTRIDER_OFF") == "1" {
				return replace(argv)
			}
			r, err := parseExec(c, anyone())
			if err != nil {
				return err
			}
			r.argv = argv
			return a.doExec(c.Context, r)
		},
	}
}

// replace becomes the command.
func replace(argv []string) error {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return &term.Exit{Code: 127, Err: err}
	}
	return &term.Exit{Code: 126, Err: syscall.Exec(path, argv, os.Environ())}
}
