package cli

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/outrider-run/outrider/runner/internal/catalog"
	"github.com/outrider-run/outrider/runner/internal/cli/term"
	"github.com/outrider-run/outrider/runner/internal/params"
	"github.com/outrider-run/outrider/sdk/manifest"
)

// describePage prints a component as a part of a page in Markdown: its parameters, its
// outputs, and each example for a shell, a .dig file and a DAG.
func (a *app) describePage(e catalog.Entry) error {
	c := e.Component
	var page strings.Builder
	fmt.Fprintf(&page, "## %s\n\n%s\n", c.Name, strings.TrimSpace(c.Doc))
	if c.Destructive {
		page.WriteString("\nIt destroys something: it asks on a terminal, elsewhere it needs `--yes`.\n")
	}
	inputs, err := params.FlagsOf(c.Params)
	if err != nil {
		return broken(fmt.Errorf("%s: %w", c.Name, err))
	}
	page.WriteString(markdownTable("Parameter", inputs, true))
	if len(c.Output) > 0 {
		outputs, err := params.FlagsOf(c.Output)
		if err != nil {
			return broken(fmt.Errorf("%s: %w", c.Name, err))
		}
		page.WriteString(markdownTable("Output", outputs, false))
	}
	for _, x := range c.Examples {
		call, err := exampleCall(c, inputs, x)
		if err != nil {
			return broken(fmt.Errorf("%s: example %q: %w", c.Name, x.Doc, err))
		}
		_, verb, _ := strings.Cut(c.Name, ".")
		fmt.Fprintf(&page, "\n%s\n\n```sh\n%s\n```\n\n```yaml\n+%s:\n  sh>: |\n    %s\n```\n\n```python\nBashOperator(task_id=%q, bash_command=%s)\n```\n",
			strings.TrimSpace(x.Doc), call, verb, call, verb, strconv.Quote(call))
	}
	_, err = fmt.Fprint(a.Out, page.String())
	return term.Undeliverable(err)
}

// markdownTable is a table of properties; "" when there are none.
func markdownTable(title string, specs []params.FlagSpec, asParams bool) string {
	if len(specs) == 0 {
		return ""
	}
	var b strings.Builder
	cell := strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;")
	if asParams {
		fmt.Fprintf(&b, "\n| %s | Type | Default | What it is |\n|---|---|---|---|\n", title)
	} else {
		fmt.Fprintf(&b, "\n| %s | Type | What it is |\n|---|---|---|\n", title)
	}
	for _, s := range specs {
		fmt.Fprintf(&b, "| `%s` | %s |", s.Name, cell.Replace(s.Type))
		if asParams {
			def := s.Default
			if s.Required {
				def = "required"
			} else if def != "" {
				def = "`" + def + "`"
			}
			fmt.Fprintf(&b, " %s |", cell.Replace(def))
		}
		fmt.Fprintf(&b, " %s |\n", cell.Replace(what(s)))
	}
	return strings.ReplaceAll(b.String(), "|  |", "| |")
}

// exampleCall is the command line that runs a component with an example's params.
func exampleCall(c manifest.Component, specs []params.FlagSpec, x manifest.Example) (string, error) {
	var given map[string]json.RawMessage
	if err := json.Unmarshal(x.Params, &given); err != nil {
		return "", fmt.Errorf("its parameters are no JSON object: %w", err)
	}
	words := []string{"outrider", "run", c.Name}
	if c.Destructive {
		words = []string{"outrider", "run", "--yes", c.Name} // nobody is there to ask
	}
	for _, s := range specs {
		raw, there := given[s.Name]
		if !there {
			continue
		}
		values := []json.RawMessage{raw}
		if s.Repeat {
			if err := json.Unmarshal(raw, &values); err != nil {
				return "", fmt.Errorf("%s: %w", s.Name, err)
			}
		}
		for _, v := range values {
			text := string(v)
			if len(v) > 0 && v[0] == '"' {
				if err := json.Unmarshal(v, &text); err != nil {
					return "", fmt.Errorf("%s: %w", s.Name, err)
				}
			}
			switch {
			case s.Bool && text == "true":
				words = append(words, "--"+s.Flag)
			case s.Bool:
				words = append(words, "--no-"+s.Flag)
			default:
				words = append(words, "--"+s.Flag, quote(text))
			}
		}
	}
	return strings.Join(words, " "), nil
}
