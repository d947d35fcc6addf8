package rule

import (
	"encoding/json"
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
)

// Rule is one rule as it is written.
type Rule struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
	// Whom it is about: globs, of which one has to match; none match all.
	Source   Globs           `json:"source,omitempty"`
	Project  Globs           `json:"project,omitempty"`
	Workflow Globs           `json:"workflow,omitempty"`
	Task     Globs           `json:"task,omitempty"`
	Labels   map[string]Glob `json:"labels,omitempty"`

	Threshold threshold.Spec `json:"threshold,omitzero"`
	threshold.Bounds
	// For so many checks in a row it has to hold.
	For      int      `json:"for,omitempty"`
	Severity Severity `json:"severity,omitempty"`
	Owner    string   `json:"owner,omitempty"`
	Runbook  string   `json:"runbook,omitempty"`
	Text     string   `json:"text,omitempty"`
	// Off: whom it matches is left alone. Continue: the next rule applies too.
	Off      bool `json:"off,omitempty"`
	Continue bool `json:"continue,omitempty"`

	// Failures of the last Of sessions, for failed; 1 of 1 where they are not given.
	Failures int `json:"failures,omitempty"`
	Of       int `json:"of,omitempty"`
	// By when there has to be a success, on which days, in which zone, for deadline.
	By   Clock `json:"by,omitzero"`
	Days Days  `json:"days,omitzero"`
	Zone Zone  `json:"zone,omitempty"`
	// Part of the engine, for unhealthy and stale.
	Part Globs `json:"part,omitempty"`
	// Signal is a glob on its name; one of the others is its condition. Above is the
	// share for saturated (0.8) and the number of runs for overlap (1) too.
	Signal  Glob     `json:"signal,omitempty"`
	Above   *float64 `json:"above,omitempty"`
	Below   *float64 `json:"below,omitempty"`
	Absent  bool     `json:"absent,omitempty"`
	Changed bool     `json:"changed,omitempty"`
	When    string   `json:"when,omitempty"`

	// Builtin: it does not come from a config.
	Builtin bool `json:"-"`
}

// Glob is a pattern with *, ? and [a-z] as in a shell; * stops at a slash, but in a task's
// name.
type Glob string

// UnmarshalText refuses what is no pattern.
func (g *Glob) UnmarshalText(text []byte) error {
	if _, err := path.Match(string(text), ""); err != nil || len(text) == 0 {
		return errors.New("want a name, or a pattern with *, ? and [a-z]; a [ has to be closed")
	}
	*g = Glob(text)
	return nil
}

// Match reports whether a name is meant.
func (g Glob) Match(name string) bool {
	if g == "*" {
		return true
	}
	ok, err := path.Match(string(g), name)
	return ok && err == nil
}

// Globs are patterns of which one has to match; none match all. One alone needs no
// list.
type Globs []Glob

// UnmarshalJSON takes a text or a list.
func (g *Globs) UnmarshalJSON(raw []byte) error {
	var one Glob
	if len(raw) > 0 && raw[0] == '"' {
		if err := json.Unmarshal(raw, &one); err != nil {
			return (*Glob)(nil).wrong()
		}
		*g = Globs{one}
		return nil
	}
	var all []Glob
	if err := json.Unmarshal(raw, &all); err != nil {
		return (*Glob)(nil).wrong()
	}
	*g = all
	return nil
}

func (*Glob) wrong() error {
	return errors.New("want a name, a pattern with *, ? and [a-z], or a list of them")
}

// Match reports whether one of the patterns matches.
func (g Globs) Match(name string) bool {
	if len(g) == 0 {
		return true
	}
	for _, one := range g {
		if one.Match(name) {
			return true
		}
	}
	return false
}

// MatchTask is Match for the name of a task, in which a slash parts nothing: for_each puts
// the values there that it goes through.
func (g Globs) MatchTask(name string) bool {
	whole := func(text string) string { return strings.ReplaceAll(text, "/", "\x00") }
	return len(g) == 0 || slices.ContainsFunc(g, func(one Glob) bool { return Glob(whole(string(one))).Match(whole(name)) })
}

// Subject is whom a rule may be about. What does not apply is "".
type Subject struct {
	Source, Project, Workflow, Task, Part string
	Labels                                map[string]string
}

// Match reports whether a rule is about a subject. One that names workflows, if only as *,
// is not about what is no workflow's.
func (r *Rule) Match(s Subject) bool {
	if s.Workflow == "" && len(r.Project)+len(r.Workflow) > 0 {
		return false
	}
	if !r.Source.Match(s.Source) || !r.Project.Match(s.Project) || !r.Workflow.Match(s.Workflow) ||
		!r.Task.MatchTask(s.Task) || !r.Part.Match(s.Part) {
		return false
	}
	for key, glob := range r.Labels {
		value, ok := s.Labels[key]
		if !ok || !glob.Match(value) {
			return false
		}
	}
	return true
}
