package cli

import (
	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/bridge"
)

func (a *app) py() *cli.Command {
	return &cli.Command{
		Name:      "py",
		Usage:     "be the Python of Digdag's py>, which then runs a component and hands on its outputs",
		ArgsUsage: "(what Digdag adds)",
		Description: "In a .dig file:\n\n" +
			"  +greet:\n    py>: hello.greet\n    python: [outrider, py]\n    with: {name: you}\n" +
			"  +say:\n    echo>: ${message}\n\n" + bridgeHelp +
			"Flags stand in the list: python: [outrider, py, --once, --timeout, 5m].",
		Flags:        componentFlags(),
		OnUsageError: a.bridgeUsage(bridge.Python),
		Action:       func(c *cli.Context) error { return a.bridge(c, bridge.Python) },
	}
}
