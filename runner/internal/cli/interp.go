package cli

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"

	"github.com/outrider-run/outrider/runner/internal/cli/term"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/bridge"
	"github.com/outrider-run/outrider/runner/internal/engine"
)

func (a *app) interp() *cli.Command {
	return &cli.Command{
		Name:      "interp",
		Usage:     "run Digdag's own py> or rb> on an interpreter that fits",
		ArgsUsage: "REQUIREMENT (what Digdag adds)",
		Description: "In a .dig file:\n\n" +
			"  +load:\n    py>: tasks.load\n    python: [outrider, interp, 'python>=3.11,<4']\n\n" +
			"It is looked for in .venv and venv of the project, on PATH (python3.12 too) and where pyenv,\n" +
			"rbenv and nvm keep theirs. The task is recorded, and stopped with all that it started, as\n" +
			"under outrider sh. Claims can be locks and pools: --once has no outputs to give again, so\n" +
			"that is for components (outrider py).",
		Flags:        append(execFlags(), pluginDirFlag()),
		OnUsageError: a.interpUsage,
		Action: func(c *cli.Context) error {
			call, known := a.ownCall()
			err := a.interpret(c, call, known)
			if known {
				return a.failed(call, err)
			}
			return err
		},
	}
}

// ownCall is the call of Digdag's own py> or rb> that this process stands in for.
func (a *app) ownCall() (call bridge.Call, known bool) {
	for _, l := range []bridge.Language{bridge.Python, bridge.Ruby} {
		if call, err := bridge.Parse(l, a.args); err == nil {
			return call, true
		}
	}
	return bridge.Call{}, false
}

func (a *app) interpUsage(c *cli.Context, err error, sub bool) error {
	err = term.OnUsage(c, err, sub)
	if call, known := a.ownCall(); known {
		return a.failed(call, err)
	}
	return err
}

// interpret runs what stands behind the requirement on what meets it.
func (a *app) interpret(c *cli.Context, call bridge.Call, known bool) error {
	if c.Args().Len() < 2 {
		return term.Usage("which interpreter, for what? in a .dig file: python: [outrider, interp, 'python>=3.11']")
	}
	from := anyone()
	if known {
		in, err := call.ReadInput()
		if err != nil {
			return host(err)
		}
		from = caller{engine.Digdag, in.Getenv(os.Getenv)}
	}
	r, err := parseExec(c, from)
	if err != nil {
		return err
	}
	if r.once || r.onceKey != "" {
		return term.Usage("--once: a task that is not run again has no outputs here; it is for components, under outrider py and rb")
	}
	r.noClaim = true // the same holds for a copy that joins the first
	path, err := a.interpreter(c, c.Args().First())
	if err != nil {
		return err
	}
	r.argv = append([]string{path}, c.Args().Tail()...)
	return a.doExec(c.Context, r)
}

// interpreter asks the plugin for scripts, which knows where interpreters are.
func (a *app) interpreter(c *cli.Context, want string) (string, error) {
	o, err := a.open(parseSetup(c))
	if err != nil {
		return "", err
	}
	plugin, err := o.catalog.ScriptPlugin()
	if err != nil {
		return "", broken(err)
	}
	return askInterpreter(c.Context, plugin, want)
}

func askInterpreter(ctx context.Context, plugin, want string) (string, error) {
	cmd := exec.CommandContext(ctx, plugin, "interpreter", want)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	var ended *exec.ExitError
	switch said := strings.TrimSpace(errs.String()); {
	case err == nil:
		return strings.TrimSuffix(string(out), "\n"), nil
	case errors.As(err, &ended) && ended.Exited() && said != "":
		return "", &term.Exit{Code: term.Misused, Err: errors.New(said)}
	default:
		return "", broken(err)
	}
}
