package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/outrider-run/outrider/runner/internal/cli/term"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/scaffold"
)

func (a *app) newPlugin() *cli.Command {
	return &cli.Command{
		Name:  "new",
		Usage: "write a new plugin to start from",
		Subcommands: []*cli.Command{{
			Name: "plugin", Usage: "write a plugin with one component and its Conform test", ArgsUsage: "NAME",
			Description: "  outrider new plugin weather\n\n" +
				"In Outrider's checkout it goes to plugins/NAME, where `make build` finds it; elsewhere to\n" +
				"outrider-plugin-NAME below the current folder, as a module of its own unless it is in one.",
			OnUsageError: term.OnUsage,
			Flags: []cli.Flag{
				&cli.StringFlag{Name: "sdk", Usage: "build against the checkout of Outrider in `DIR`"},
			},
			Action: func(c *cli.Context) error {
				got, err := term.Args(c, 1, 1, "the plugin's NAME")
				if err != nil {
					return err
				}
				return a.writePlugin(got[0], c.String("sdk"))
			},
		}},
		Action: func(c *cli.Context) error {
			return term.Usage("say what to make: outrider new plugin NAME")
		},
	}
}

func (a *app) writePlugin(name, sdk string) error {
	wd, err := os.Getwd()
	if err != nil {
		return host(err)
	}
	if sdk != "" {
		if sdk, err = filepath.Abs(sdk); err != nil {
			return host(err)
		}
		if scaffold.Checkout(sdk) != sdk {
			return term.Usage("--sdk %s is no checkout of Outrider (its go.mod names another module or is not there)", sdk)
		}
	} else if exe, err := os.Executable(); err == nil {
		sdk = scaffold.Checkout(filepath.Dir(exe))
	}
	w, err := scaffold.New(scaffold.Plugin{Name: name, Dir: wd, SDK: sdk, Version: a.build.Version})
	if err != nil {
		return term.Usage("%w", err)
	}
	fmt.Fprintf(a.Err, "outrider: wrote %s (%s)\n", w.Dir, strings.Join(w.Files, ", "))
	rel, err := filepath.Rel(wd, w.Dir)
	if err != nil {
		rel = w.Dir
	}
	if w.InOutrider {
		fmt.Fprintf(a.Err, "next: go test ./%s && make build && bin/outrider run %s.report --city Oslo\n", rel, name)
		return nil
	}
	fmt.Fprintf(a.Err, "next: cd %s && go test . && go build . && outrider run --plugin-dir . %s.report --city Oslo\n", rel, name)
	return nil
}
