package address

import (
	"fmt"
	"path"
	"strings"
)

// Pattern names workflows of many projects: SOURCE:PROJECT[/WORKFLOW], each with *, ?
// and [a-z] as in a shell.
type Pattern struct {
	Source            string
	Project, Workflow string // Workflow is * where it was left out
}

// ParsePattern reads a pattern. The source may be left out.
func ParsePattern(text string) (Pattern, error) {
	p := Pattern{Workflow: "*"}
	rest := text
	if before, after, ok := strings.Cut(text, ":"); ok {
		p.Source, rest = before, after
	}
	p.Project = rest
	if slash := strings.LastIndexByte(rest, '/'); slash >= 0 {
		p.Project, p.Workflow = rest[:slash], rest[slash+1:]
	}
	switch {
	case p.Source != "" && !sourceName.MatchString(p.Source):
		return Pattern{}, fmt.Errorf("pattern %.200q: %q is no name of a source", text, p.Source)
	case p.Project == "" || p.Workflow == "":
		return Pattern{}, fmt.Errorf("pattern %.200q: want SOURCE:PROJECT or SOURCE:PROJECT/WORKFLOW, such as digdag:etl_*", text)
	case strings.ContainsAny(p.Workflow, "@+"):
		return Pattern{}, fmt.Errorf("pattern %.200q: a session or task cannot stand in it", text)
	}
	for _, part := range []string{p.Project, p.Workflow} {
		if _, err := path.Match(part, ""); err != nil {
			return Pattern{}, fmt.Errorf("pattern %.200q: a [ in %q is not closed, or a \\ ends it", text, part)
		}
	}
	return p, nil
}

// Match reports whether a workflow is meant.
func (p Pattern) Match(project, workflow string) bool {
	a, errA := path.Match(p.Project, project)
	b, errB := path.Match(p.Workflow, workflow)
	return a && b && errA == nil && errB == nil
}
