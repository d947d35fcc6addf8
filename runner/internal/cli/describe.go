package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/outrider-run/outrider/runner/internal/cli/term"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/catalog"
	"github.com/outrider-run/outrider/runner/internal/params"
)

func (a *app) components() *cli.Command {
	return &cli.Command{
		Name:        "components",
		Usage:       "list the components that are there",
		Description: "  outrider components\n  outrider components --format json",
		Flags:       append([]cli.Flag{term.FormatFlag("table", "json")}, setupFlags()...),
		Action: func(c *cli.Context) error {
			format, err := term.Format(c, "table", "json")
			if err != nil {
				return err
			}
			if _, err := term.Args(c, 0, 0, "components"); err != nil {
				return err
			}
			o, err := a.open(parseSetup(c))
			if err != nil {
				return err
			}
			entries, problems := o.catalog.List(c.Context)
			for _, p := range problems {
				fmt.Fprintln(a.Err, "outrider:", p)
			}
			if format == "json" {
				return term.JSON(a.Out, listed(entries))
			}
			if len(entries) == 0 {
				fmt.Fprintln(a.Err, "outrider: there is no component; `outrider doctor` shows where plugins are looked for")
				return nil
			}
			rows := make([][]string, len(entries))
			for i, e := range entries {
				rows[i] = []string{e.Component.Name, firstLine(e.Component.Doc), e.Source}
			}
			return term.Table(a.Out, []string{"COMPONENT", "WHAT IT DOES", "FROM"}, rows)
		},
	}
}

// listing is a component in JSON.
type listing struct {
	Name        string          `json:"name"`
	Doc         string          `json:"doc,omitempty"`
	Destructive bool            `json:"destructive,omitempty"`
	Source      string          `json:"source"`
	SHA256      string          `json:"sha256"`
	Version     string          `json:"version,omitempty"`
	Params      json.RawMessage `json:"params"`
	Output      json.RawMessage `json:"output,omitempty"`
	Examples    any             `json:"examples,omitempty"`
}

func listed(entries []catalog.Entry) []listing {
	out := make([]listing, len(entries))
	for i, e := range entries {
		out[i] = listing{
			e.Component.Name, e.Component.Doc, e.Component.Destructive, e.Source, e.SHA256, e.Version,
			e.Component.Params, e.Component.Output, nil,
		}
		if len(e.Component.Examples) > 0 {
			out[i].Examples = e.Component.Examples
		}
	}
	return out
}

func (a *app) describe() *cli.Command {
	return &cli.Command{
		Name:        "describe",
		Usage:       "show a component: what it does, its parameters, outputs and examples",
		ArgsUsage:   "COMPONENT",
		Description: "  outrider describe hello.greet\n  outrider describe --format markdown hello.greet >greet.md",
		Flags:       append([]cli.Flag{term.FormatFlag("text", "json", "markdown")}, setupFlags()...),
		Action: func(c *cli.Context) error {
			format, err := term.Format(c, "text", "json", "markdown")
			if err != nil {
				return err
			}
			got, err := term.Args(c, 1, 1, "the component's name")
			if err != nil {
				return err
			}
			o, err := a.open(parseSetup(c))
			if err != nil {
				return err
			}
			e, err := o.find(c.Context, got[0])
			if err != nil {
				return err
			}
			switch format {
			case "json":
				return term.JSON(a.Out, listed([]catalog.Entry{e})[0])
			case "markdown":
				return a.describePage(e)
			}
			return a.describeText(e)
		},
	}
}

func (a *app) describeText(e catalog.Entry) error {
	fmt.Fprintf(a.Out, "%s\n\n%s\n\n", e.Component.Name, strings.TrimSpace(e.Component.Doc))
	if e.Component.Destructive {
		fmt.Fprintf(a.Out, "It destroys something: it asks on a terminal, elsewhere it needs --yes.\n\n")
	}
	if err := a.schemaTable("PARAMETER", e.Component.Params, true); err != nil {
		return err
	}
	if len(e.Component.Output) > 0 {
		fmt.Fprintln(a.Out)
		if err := a.schemaTable("OUTPUT", e.Component.Output, false); err != nil {
			return err
		}
	}
	for _, x := range e.Component.Examples {
		var p bytes.Buffer
		if err := json.Compact(&p, x.Params); err != nil {
			return broken(fmt.Errorf("%s: example %q: %w", e.Component.Name, x.Doc, err))
		}
		fmt.Fprintf(a.Out, "\nExample: %s\n  echo '%s' | outrider run --params - %s\n",
			x.Doc, strings.ReplaceAll(p.String(), "'", `'\''`), e.Component.Name)
	}
	_, err := fmt.Fprintf(a.Out, "\nFrom %s\n", e.Source)
	return term.Undeliverable(err)
}

// schemaTable prints an object schema's properties as rows.
func (a *app) schemaTable(title string, schema json.RawMessage, asParams bool) error {
	specs, err := params.FlagsOf(schema)
	if err != nil {
		return broken(err)
	}
	if len(specs) == 0 {
		fmt.Fprintf(a.Out, "No %ss.\n", strings.ToLower(title))
		return nil
	}
	header, rows := []string{title, "TYPE"}, make([][]string, len(specs))
	if asParams {
		header = append(header, "DEFAULT")
	}
	header = append(header, "WHAT IT IS")
	for i, s := range specs {
		rows[i] = []string{s.Name, s.Type}
		if asParams {
			def := s.Default
			if s.Required {
				def = "(required)"
			}
			rows[i] = append(rows[i], def)
		}
		rows[i] = append(rows[i], what(s))
	}
	return term.Table(a.Out, header, rows)
}

// what is a property's help with what its values may be.
func what(s params.FlagSpec) string {
	text := firstLine(s.Help)
	if len(s.Enum) > 0 {
		text = strings.TrimSpace(text + " One of: " + strings.Join(s.Enum, ", ") + ".")
	}
	return text
}

// firstLine is the first line or sentence of a doc text.
func firstLine(doc string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(doc), "\n")
	return line
}
