package cli

import (
	"fmt"
	"runtime"

	"github.com/outrider-run/outrider/runner/internal/cli/term"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/sdk/protocol"
)

func (a *app) version() *cli.Command {
	return &cli.Command{
		Name:        "version",
		Usage:       "print version, revision and protocol",
		Description: "  outrider version --format json",
		Flags:       []cli.Flag{term.FormatFlag("text", "json")},
		Action: func(c *cli.Context) error {
			format, err := term.Format(c, "text", "json")
			if err != nil {
				return err
			}
			if _, err := term.Args(c, 0, 0, "version"); err != nil {
				return err
			}
			return a.printVersion(format)
		},
	}
}

func (a *app) printVersion(format string) error {
	v := struct {
		Build
		Go       string `json:"go"`
		Platform string `json:"platform"`
		Protocol int    `json:"protocol"`
	}{a.build, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH, protocol.Version}
	if format == "json" {
		return term.JSON(a.Out, v)
	}
	_, err := fmt.Fprintf(a.Out, "outrider %s (revision %s, built %s, %s, %s, protocol %d)\n",
		v.Version, orUnknown(v.Revision), orUnknown(v.Built), v.Go, v.Platform, v.Protocol)
	return term.Undeliverable(err)
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}
