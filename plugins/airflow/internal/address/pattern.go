package address

import (
	"fmt"
	"path"
	"strings"
)

// Pattern names DAGs: SOURCE:DAG with *, ? and [a-z] as in a shell.
type Pattern struct {
	Source string
	DAG    string
}

// IsPattern reports whether an address names many. What stands in brackets behind a
// task is a map index.
func IsPattern(text string) bool {
	dag, _, _ := strings.Cut(text, "@")
	dag, _, _ = strings.Cut(dag, "/")
	return strings.ContainsAny(dag, "*?[")
}

// ParsePattern reads a pattern. The source may be left out.
func ParsePattern(text string) (Pattern, error) {
	p := Pattern{DAG: text}
	if before, after, ok := strings.Cut(text, ":"); ok {
		p.Source, p.DAG = before, after
	}
	switch {
	case p.Source != "" && !sourceName.MatchString(p.Source):
		return Pattern{}, fmt.Errorf("pattern %.200q: %q is no name of a source", text, p.Source)
	case p.DAG == "":
		return Pattern{}, fmt.Errorf("pattern %.200q: want SOURCE:DAG, such as airflow:etl_*", text)
	case strings.ContainsAny(p.DAG, "@/"):
		return Pattern{}, fmt.Errorf("pattern %.200q: a run or task cannot stand in it", text)
	}
	if _, err := path.Match(p.DAG, ""); err != nil {
		return Pattern{}, fmt.Errorf("pattern %.200q: a [ is not closed, or a \\ ends it", text)
	}
	return p, nil
}

// Match reports whether a DAG is meant.
func (p Pattern) Match(dag string) bool {
	ok, err := path.Match(p.DAG, dag)
	return ok && err == nil
}
