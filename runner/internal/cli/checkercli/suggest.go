package checkercli

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/checker"
	"github.com/outrider-run/outrider/runner/internal/checker/history"
	"github.com/outrider-run/outrider/runner/internal/checker/message"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/cli/term"
)

func (a *app) suggest() *cli.Command {
	return command(cli.Command{
		Name: "suggest", Usage: "make rules of what is usual, for outrider.yml", ArgsUsage: "[SOURCE:PATTERN …]",
		Description: "  outrider-checker suggest\n  outrider-checker suggest 'prod:etl/*' >> rules.yml\n\n" +
			"A pattern is one of PROJECT/WORKFLOW, or of a DAG. It goes by what passes have learned.",
		Flags: append(settingsFlags(), term.FormatFlag("yaml", "json")),
		Action: func(c *cli.Context) error {
			format, got, err := formatAndWords(c, "yaml", 0, c.Args().Len(), "the patterns")
			if err != nil {
				return err
			}
			match, err := patterns(got)
			if err != nil {
				return err
			}
			loaded, err := a.remembered(c)
			if err != nil {
				return err
			}
			all := []checker.Suggestion{}
			for _, name := range slices.Sorted(maps.Keys(loaded.State.Sources)) {
				all = append(all, checker.Suggest(name, loaded.State.Sources[name], func(w *history.Workflow) bool { return match(name, w.Key()) })...)
			}
			if format == "json" {
				return term.JSON(a.Out, all)
			}
			if len(all) == 0 {
				a.say("there is nothing to suggest: a workflow needs ten successes that a pass has seen")
			}
			return a.printSuggestions(all)
		},
	})
}

// patterns match the names of workflows with their source; none match all.
func patterns(texts []string) (func(source, key string) bool, error) {
	type pattern struct{ source, key rule.Glob }
	var all []pattern
	for _, t := range texts {
		source, key, found := strings.Cut(t, ":")
		var p pattern
		if !found || p.source.UnmarshalText([]byte(source)) != nil || p.key.UnmarshalText([]byte(key)) != nil {
			return nil, term.Usage("%q: want SOURCE:PATTERN, such as 'prod:etl/*'", t)
		}
		all = append(all, p)
	}
	return func(source, key string) bool {
		return len(all) == 0 || slices.ContainsFunc(all, func(p pattern) bool { return p.source.Match(source) && p.key.Match(key) })
	}, nil
}

func (a *app) printSuggestions(all []checker.Suggestion) error {
	var b strings.Builder
	b.WriteString("rules:\n")
	for _, s := range all {
		raw, err := json.Marshal(s.Rule)
		if err != nil {
			return err
		}
		text, err := yaml.JSONToYAML(raw)
		if err != nil {
			return fmt.Errorf("write rule %s: %w", s.Rule.Name, err)
		}
		lines := strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "\n    ")
		fmt.Fprintf(&b, "  # %s\n  - %s\n", message.Plain(s.Why), lines)
	}
	_, err := fmt.Fprint(a.Out, b.String())
	return term.Undeliverable(err)
}
