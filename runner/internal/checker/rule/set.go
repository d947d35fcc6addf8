package rule

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"

	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
)

// Set is validated rules, with the built-in ones at the end.
type Set struct {
	by    map[Kind][]*Rule
	all   []*Rule
	facts map[Kind]Facts
	whens map[*Rule]*vm.Program
	// setBy says who set the threshold of a kind, where that is not its own.
	setBy map[Kind]string
}

// Builtin are the rules that hold without a config.
func Builtin() []Rule {
	var all []Rule
	for _, k := range kinds() {
		if k.Builtin {
			all = append(all, Rule{Name: string(k.Kind), Kind: k.Kind, Threshold: k.Threshold, Severity: k.Severity, For: k.For, Text: k.Doc, Builtin: true})
		}
	}
	return all
}

// NewSet validates the rules of a config. The error joins a *Problem for all that is wrong.
func NewSet(rules []Rule) (*Set, error) {
	s := &Set{by: map[Kind][]*Rule{}, whens: map[*Rule]*vm.Program{}, setBy: map[Kind]string{}}
	names := map[string]bool{}
	_, facts := Kinds()
	s.facts = facts
	var wrong []error
	bad := func(i int, r Rule, field, value, why string) {
		wrong = append(wrong, &Problem{fmt.Sprintf("/rules/%d/%s", i, field), "rule " + r.Name, field, fmt.Sprintf("%q", value), why})
	}
	for i, r := range slices.Concat(rules, Builtin()) {
		if !r.Builtin {
			if names[r.Name] {
				bad(i, r, "name", r.Name, "another rule has it")
			}
			names[r.Name] = true
			if problems := r.problems(); len(problems) > 0 {
				for _, p := range problems {
					p.At = fmt.Sprintf("/rules/%d%s", i, p.At)
					if r.Name == "" {
						p.Whose = fmt.Sprintf("rules[%d]: %s", i, p.Whose)
					}
					wrong = append(wrong, p)
				}
				continue
			}
		}
		one := r
		one.Severity = cmp.Or(r.Severity, facts[r.Kind].Severity)
		one.For = max(1, cmp.Or(r.For, facts[r.Kind].For))
		if r.Kind == Failed {
			one.Failures = cmp.Or(r.Failures, 1)
			one.Of = cmp.Or(r.Of, one.Failures)
		}
		if r.When != "" {
			program, err := compile(r.When)
			if err != nil {
				bad(i, r, "when", r.When, err.Error())
				continue
			}
			s.whens[&one] = program
		}
		s.by[one.Kind] = append(s.by[one.Kind], &one)
		s.all = append(s.all, &one)
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	return s, nil
}

// All are the rules in their order, with their defaults filled in.
func (s *Set) All() []*Rule { return s.all }

// About says what rules of a kind are about.
func (s *Set) About(kind Kind) About { return s.facts[kind].About }

// Has reports whether a rule of a name and kind is there.
func (s *Set) Has(name string, kind Kind) bool {
	return slices.ContainsFunc(s.by[kind], func(r *Rule) bool { return r.Name == name })
}

// With is the set with each rule changed by f, which leaves kind and name alone.
func (s *Set) With(f func(*Rule)) *Set {
	out := &Set{by: map[Kind][]*Rule{}, facts: s.facts, whens: map[*Rule]*vm.Program{}, setBy: s.setBy}
	for _, r := range s.all {
		one := *r
		f(&one)
		out.all = append(out.all, &one)
		out.by[one.Kind] = append(out.by[one.Kind], &one)
		if program := s.whens[r]; program != nil {
			out.whens[&one] = program
		}
	}
	return out
}

// WithDefault is the set with another threshold for rules of a kind, where neither a rule
// nor an owner sets one. by says who does.
func (s *Set) WithDefault(kind Kind, limit threshold.Spec, by string) *Set {
	out := s.With(func(r *Rule) {
		if r.Builtin && r.Kind == kind {
			r.Threshold = limit
		}
	})
	out.facts, out.setBy = maps.Clone(s.facts), maps.Clone(s.setBy)
	facts := out.facts[kind]
	facts.Threshold = limit
	out.facts[kind], out.setBy[kind] = facts, by
	return out
}

// Default is the threshold of a kind where nobody sets one.
func (s *Set) Default(kind Kind) threshold.Spec { return s.facts[kind].Threshold }

// Decision is a rule that applies to a subject, and with which threshold.
type Decision struct {
	*Rule
	// Limit is the rule's threshold, the owner's or the kind's.
	Limit threshold.Spec
	// From says whose the threshold is: config, owner, default, or who set the default.
	From string
}

// Decide says which rules of a kind apply to a subject.
func (s *Set) Decide(kind Kind, who Subject, owner Owner) []Decision {
	var all []Decision
	for _, r := range s.by[kind] {
		if !r.Match(who) {
			continue
		}
		if r.Off || r.Builtin && owner.off(kind) {
			break
		}
		all = append(all, s.decide(r, owner))
		if !r.Continue && r.Severity != None {
			break
		}
	}
	return all
}

func (s *Set) decide(r *Rule, owner Owner) Decision {
	d := Decision{Rule: r, Limit: s.facts[r.Kind].Threshold, From: cmp.Or(s.setBy[r.Kind], "default")}
	switch {
	case !r.Builtin && !r.Threshold.IsZero():
		d.Limit, d.From = r.Threshold, "config"
	case r.Kind == Running && !owner.Threshold.IsZero():
		d.Limit, d.From = owner.Threshold, "owner"
	}
	return d
}

// Condition is what an expression of `when` sees.
type Condition struct {
	Value    float64            `expr:"value"`
	Previous float64            `expr:"previous"`
	Name     string             `expr:"name"`
	Source   string             `expr:"source"`
	Labels   map[string]string  `expr:"labels"`
	Signals  map[string]float64 `expr:"signals"` // by name, of those without labels
}

func compile(text string) (*vm.Program, error) {
	// The time is not a matter of a condition.
	p, err := expr.Compile(text, expr.Env(Condition{}), expr.AsBool(), expr.DisableBuiltin("now"))
	if err != nil {
		return nil, fmt.Errorf("want a condition over value, previous, name, source, labels and signals: %w", err)
	}
	return p, nil
}

// When runs a rule's condition.
func (s *Set) When(r *Rule, c Condition) (bool, error) {
	program := s.whens[r]
	if program == nil {
		return false, nil
	}
	out, err := expr.Run(program, c)
	if err != nil {
		return false, fmt.Errorf("rule %s: when: %q: %w", r.Name, r.When, err)
	}
	is, _ := out.(bool)
	return is, nil
}
