package cli

import (
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/sdk/protocol"
)

func (a *app) version() *cli.Command {
	return &cli.Command{
		Name:        "version",
		Usage:       "print version, revision and protocol",
		Description: "  outrider version --format json",
		Flags:       []cli.Flag{formatFlag("text", "json")},
		Action: func(c *cli.Context) error {
			format, err := format(c, "text", "json")
			if err != nil {
				return err
			}
			if _, err := args(c, 0, 0, "version"); err != nil {
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
		return a.printJSON(v)
	}
	_, err := fmt.Fprintf(a.Out, "outrider %s (revision %s, built %s, %s, %s, protocol %d)\n",
		v.Version, orUnknown(v.Revision), orUnknown(v.Built), v.Go, v.Platform, v.Protocol)
	return undeliverable(err)
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// formatFlag is --format of a listing; the first of formats is the default.
func formatFlag(formats ...string) cli.Flag {
	return &cli.StringFlag{Name: "format", Usage: "print as `FORMAT`: " + join(formats, "or"), Value: formats[0]}
}

func format(c *cli.Context, formats ...string) (string, error) {
	got := c.String("format")
	for _, f := range formats {
		if got == f {
			return f, nil
		}
	}
	return "", usage("--format %q: want %s", got, join(formats, "or"))
}

// printJSON writes v as one JSON document.
func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.Out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return undeliverable(e.Encode(v))
}

// undeliverable is the failure to write what was asked for to stdout.
func undeliverable(err error) error {
	if err == nil {
		return nil
	}
	return host(fmt.Errorf("write to stdout: %w", err))
}
