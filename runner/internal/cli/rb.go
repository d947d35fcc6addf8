package cli

import (
	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/bridge"
)

func (a *app) rb() *cli.Command {
	return &cli.Command{
		Name:      "rb",
		Usage:     "be the Ruby of Digdag's rb>, which then runs a component and hands on its outputs",
		ArgsUsage: "(what Digdag adds)",
		Description: "In a .dig file:\n\n" +
			"  +greet:\n    rb>: hello.greet\n    ruby: [outrider, rb]\n    with: {name: you}\n" +
			"  +say:\n    echo>: ${message}\n\n" + bridgeHelp +
			"Flags stand in the list: ruby: [outrider, rb, --once, --timeout, 5m].",
		// Digdag adds -I FOLDER, and -r FILE where the task has require:.
		Flags: append(componentFlags(),
			&cli.StringFlag{Name: "I", Hidden: true}, &cli.StringFlag{Name: "r", Hidden: true}),
		OnUsageError: a.bridgeUsage(bridge.Ruby),
		Action:       func(c *cli.Context) error { return a.bridge(c, bridge.Ruby) },
	}
}
