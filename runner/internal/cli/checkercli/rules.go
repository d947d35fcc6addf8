package checkercli

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
	"github.com/outrider-run/outrider/runner/internal/cli/term"
)

func (a *app) rules() *cli.Command {
	return command(cli.Command{
		Name: "rules", Usage: "print the rules that hold, in their order",
		Description: "  outrider-checker rules\n  outrider-checker rules --format json\n\n" +
			"The first rule of a kind that is about a run, a workflow or a source decides.",
		Flags: append(settingsFlags(), term.FormatFlag("table", "json")),
		Action: func(c *cli.Context) error {
			format, err := term.Format(c, "table", "json")
			if err != nil {
				return err
			}
			if _, err := term.Args(c, 0, 0, "rules"); err != nil {
				return err
			}
			s, err := a.settings(c)
			if err != nil {
				return err
			}
			if format == "json" {
				return term.JSON(a.Out, s.Rules.All())
			}
			_, facts := rule.Kinds()
			var rows [][]string
			for _, r := range s.Rules.All() {
				rows = append(rows, []string{r.Name, string(r.Kind), severityText(r), limitText(r, s.Rules.Default(r.Kind)), fmt.Sprint(r.For), aboutText(r), facts[r.Kind].Doc})
			}
			return term.Table(a.Out, []string{"RULE", "KIND", "SEVERITY", "THRESHOLD", "FOR", "ABOUT", "WHAT IT TELLS"}, rows)
		},
	})
}

func severityText(r *rule.Rule) string {
	if r.Off {
		return "off"
	}
	return string(r.Severity)
}

// limitText is what a rule is held against, where it has no threshold that of its kind.
func limitText(r *rule.Rule, kinds threshold.Spec) string {
	var parts []string
	switch {
	case !r.Threshold.IsZero():
		parts = append(parts, r.Threshold.String())
	case !kinds.IsZero():
		parts = append(parts, kinds.String())
	}
	if r.Floor > 0 {
		parts = append(parts, "floor "+threshold.Short(time.Duration(r.Floor)))
	}
	if r.Cap > 0 {
		parts = append(parts, "cap "+threshold.Short(time.Duration(r.Cap)))
	}
	if r.Of > 1 {
		parts = append(parts, fmt.Sprintf("%d of %d", r.Failures, r.Of))
	}
	if by := r.By.String(); by != "" {
		parts = append(parts, strings.TrimSpace("by "+by+" "+r.Days.String()+" "+string(r.Zone)))
	}
	for word, bound := range map[string]*float64{"above": r.Above, "below": r.Below} {
		if bound != nil {
			parts = append(parts, fmt.Sprintf("%s %g", word, *bound))
		}
	}
	if r.Absent {
		parts = append(parts, "absent")
	}
	if r.Changed {
		parts = append(parts, "changed")
	}
	if r.When != "" {
		parts = append(parts, term.OneLine(r.When, 40))
	}
	return strings.Join(parts, ", ")
}

// aboutText is whom a rule is about, in the words of the config.
func aboutText(r *rule.Rule) string {
	var parts []string
	add := func(name string, globs rule.Globs) {
		var all []string
		for _, g := range globs {
			all = append(all, string(g))
		}
		if len(all) > 0 {
			parts = append(parts, name+"="+strings.Join(all, "|"))
		}
	}
	add("source", r.Source)
	add("project", r.Project)
	add("workflow", r.Workflow)
	add("task", r.Task)
	add("part", r.Part)
	if r.Signal != "" {
		add("signal", rule.Globs{r.Signal})
	}
	for _, name := range slices.Sorted(maps.Keys(r.Labels)) {
		add(name, rule.Globs{r.Labels[name]})
	}
	if len(parts) == 0 {
		return "all"
	}
	return strings.Join(parts, " ")
}
