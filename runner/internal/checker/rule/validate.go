package rule

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// MaxOf is of how many sessions it is known how they ended.
const MaxOf = 10

// maxFor is more checks than anybody waits for.
const maxFor = 10_000

// Problem is what is wrong with a setting. At is the JSON pointer to it, from the rule on,
// or from the top of the config where that is known.
type Problem struct{ At, Whose, Field, Value, Why string }

func (p *Problem) Error() string {
	return strings.Join([]string{p.Whose, p.Field, p.Value, p.Why}, ": ")
}

// Validate checks what the fields alone cannot. Each error is a *Problem.
func (r *Rule) Validate() error {
	var wrong []error
	for _, p := range r.problems() {
		wrong = append(wrong, p)
	}
	return errors.Join(wrong...)
}

func (r *Rule) problems() (wrong []*Problem) {
	bad := func(field string, value any, format string, args ...any) {
		text := fmt.Sprint(value)
		if s, ok := value.(string); ok {
			text = fmt.Sprintf("%q", s)
		}
		name := r.Name
		if name == "" {
			name = "(without a name)"
		}
		wrong = append(wrong, &Problem{"/" + field, "rule " + name, field, text, fmt.Sprintf(format, args...)})
	}
	_, all := Kinds()
	facts, known := all[r.Kind]
	if !known {
		bad("kind", string(r.Kind), "%v", new(Kind).UnmarshalText([]byte(r.Kind)))
		return wrong
	}
	switch other, clash := all[Kind(r.Name)]; {
	case r.Name == "" || len(r.Name) > 100 || strings.ContainsFunc(r.Name, func(c rune) bool { return c < '!' || c == '|' || c == 0x7f }):
		bad("name", r.Name, "want a short name without blanks and |, such as etl-long")
	case clash && Kind(r.Name) != r.Kind && other.Builtin:
		bad("name", r.Name, "it is that of a built-in rule of another kind")
	}
	given := r.given()
	for _, field := range ownFields() {
		if value, ok := given[field]; ok && !slices.Contains(facts.Fields, field) {
			bad(field, value, "a rule of kind %s has no such field", r.Kind)
		}
	}
	if _, ok := given[facts.Needs]; facts.Needs != "" && !ok && !r.Off && (facts.Needs != "threshold" || r.Threshold.IsZero()) {
		bad(facts.Needs, "", "a rule of kind %s needs it", r.Kind)
	}
	if !r.Threshold.IsZero() {
		switch {
		case facts.Threshold.IsZero() && facts.Needs != "threshold":
			bad("threshold", r.Threshold.String(), "a rule of kind %s has none", r.Kind)
		case r.Threshold.Fixed == 0 && !facts.Usual:
			bad("threshold", r.Threshold.String(), "want a time such as 2h; a rule of kind %s knows nothing usual", r.Kind)
		}
	}
	if r.Floor > 0 && !facts.Usual {
		bad("floor", r.Floor, "it bounds what is usual, which a rule of kind %s does not know", r.Kind)
	}
	if r.Cap > 0 && !facts.Usual {
		bad("cap", r.Cap, "it bounds what is usual, which a rule of kind %s does not know", r.Kind)
	}
	if r.Cap > 0 && r.Floor > r.Cap {
		bad("cap", r.Cap, "it is below the floor, %s", r.Floor)
	}
	if r.For < 0 || r.For > maxFor {
		bad("for", r.For, "want a number of checks from 1 to %d", maxFor)
	}
	if facts.About == AboutSource {
		for field, globs := range map[string]Globs{"project": r.Project, "workflow": r.Workflow, "task": r.Task} {
			if len(globs) > 0 && (r.Kind != Saturated || field == "task") {
				bad(field, string(globs[0]), "a rule of kind %s is about a source", r.Kind)
			}
		}
	}
	if len(r.Task) > 0 && r.Kind != Task && facts.About != AboutSource {
		bad("task", string(r.Task[0]), "a rule of kind %s is about a %s; want kind: task", r.Kind, facts.About)
	}
	r.validateOwn(bad)
	return wrong
}

// validateOwn checks the fields of single kinds.
func (r *Rule) validateOwn(bad func(string, any, string, ...any)) {
	switch {
	case r.Kind == Failed && (r.Failures < 0 || r.Failures > MaxOf):
		bad("failures", r.Failures, "want a number from 1 to %d", MaxOf)
	case r.Kind == Failed && (r.Of < 0 || r.Of > MaxOf || r.Of > 0 && r.Of < max(1, r.Failures)):
		bad("of", r.Of, "want a number from failures (%d) to %d", max(1, r.Failures), MaxOf)
	case r.Kind == Saturated && r.Above != nil && !(*r.Above > 0 && *r.Above <= 1):
		bad("above", *r.Above, "want a share above 0 and up to 1, such as 0.8")
	case r.Kind == Overlap && r.Above != nil && !(*r.Above >= 1):
		bad("above", *r.Above, "want a number of runs from 1 on")
	case r.Kind == Signal && !r.Off:
		n := 0
		for _, is := range []bool{r.Above != nil, r.Below != nil, r.Absent, r.Changed, r.When != ""} {
			if is {
				n++
			}
		}
		both := r.Above != nil && r.Below != nil
		if n == 0 || n > 1 && !(both && n == 2) {
			bad("signal", string(r.Signal), "want one of above, below, absent, changed and when (above and below may stand together)")
		} else if both && *r.Above < *r.Below {
			bad("above", *r.Above, "every number is above it or below %v", *r.Below)
		}
	}
}

// given are the fields of single kinds that a rule has, with their values.
func (r *Rule) given() map[string]any {
	all := map[string]any{}
	put := func(field string, is bool, value any) {
		if is {
			all[field] = value
		}
	}
	put("failures", r.Failures != 0, r.Failures)
	put("of", r.Of != 0, r.Of)
	put("by", r.By != Clock{}, r.By.String())
	put("days", r.Days != 0, r.Days.String())
	put("zone", r.Zone != "", string(r.Zone))
	put("part", len(r.Part) > 0, fmt.Sprint(r.Part))
	put("signal", r.Signal != "", string(r.Signal))
	put("absent", r.Absent, true)
	put("changed", r.Changed, true)
	put("when", r.When != "", r.When)
	if r.Above != nil {
		all["above"] = *r.Above
	}
	if r.Below != nil {
		all["below"] = *r.Below
	}
	return all
}
