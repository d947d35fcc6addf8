package params

import (
	"encoding/json"
	"slices"
	"sync"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/outrider-run/outrider/sdk/manifest"
)

// node is where the walk through the schema stands for one value: the schemas
// that must hold there, and those that may (branches of anyOf and the like).
// Both include what they reach by $ref and allOf.
type node struct {
	must, may []*jsonschema.Schema
}

func (s *schema) top() node {
	var n node
	s.enter(&n, s.root, true)
	return n
}

// enter adds at and all that applies in its place.
func (s *schema) enter(n *node, at *jsonschema.Schema, must bool) {
	known := slices.Contains(n.may, at)
	if known && (!must || slices.Contains(n.must, at)) {
		return
	}
	if must {
		n.must = append(n.must, at)
	}
	if !known {
		n.may = append(n.may, at)
	}
	if target := s.refs[at]; target != nil {
		s.enter(n, target, must)
	}
	for _, sub := range at.AllOf {
		s.enter(n, sub, must)
	}
	for _, subs := range [][]*jsonschema.Schema{at.AnyOf, at.OneOf, {at.If, at.Then, at.Else}} {
		for _, sub := range subs {
			if sub != nil {
				s.enter(n, sub, false)
			}
		}
	}
	for _, sub := range at.DependentSchemas {
		s.enter(n, sub, false)
	}
}

// key is the node of an object's member.
func (s *schema) key(n node, key string) node {
	var out node
	for _, at := range n.may {
		must := slices.Contains(n.must, at)
		found := false
		if sub := at.Properties[key]; sub != nil {
			s.enter(&out, sub, must)
			found = true
		}
		for pattern, sub := range at.PatternProperties {
			if s.patterns[pattern].MatchString(key) {
				s.enter(&out, sub, must)
				found = true
			}
		}
		if !found && at.AdditionalProperties != nil {
			s.enter(&out, at.AdditionalProperties, must)
		}
		if at.UnevaluatedProperties != nil {
			s.enter(&out, at.UnevaluatedProperties, false)
		}
	}
	return out
}

// item is the node of an array's element.
func (s *schema) item(n node, i int) node {
	var out node
	for _, at := range n.may {
		must := slices.Contains(n.must, at)
		switch {
		case i < len(at.PrefixItems):
			s.enter(&out, at.PrefixItems[i], must)
		case at.Items != nil:
			s.enter(&out, at.Items, must)
		}
		for _, sub := range []*jsonschema.Schema{at.UnevaluatedItems, at.Contains} {
			if sub != nil {
				s.enter(&out, sub, false)
			}
		}
	}
	return out
}

// items is item for all elements of one array; behind the prefixItems they share
// a node, which is made once.
func (s *schema) items(n node) func(int) node {
	prefix := 0
	for _, at := range n.may {
		prefix = max(prefix, len(at.PrefixItems))
	}
	rest := sync.OnceValue(func() node { return s.item(n, prefix) })
	return func(i int) node {
		if i < prefix {
			return s.item(n, i)
		}
		return rest()
	}
}

// secret errs on the safe side: a branch that may make it one is enough.
func (n node) secret() bool {
	return slices.ContainsFunc(n.may, func(s *jsonschema.Schema) bool { return s.Format == manifest.FormatSecret })
}

func (n node) format() string {
	for _, at := range n.must {
		if at.Format != "" {
			return at.Format
		}
	}
	return ""
}

func (n node) defaultValue() json.RawMessage {
	for _, at := range n.must {
		if at.Default != nil {
			return at.Default
		}
	}
	return nil
}

func (n node) required() []string {
	var out []string
	for _, at := range n.must {
		out = append(out, at.Required...)
	}
	return out
}

func (n node) enum() []any {
	for _, at := range n.must {
		if at.Enum != nil {
			return at.Enum
		}
	}
	return nil
}

// types are the JSON types that the schema names for the value; none if it names
// none.
func (n node) types() []string {
	for _, at := range n.must {
		if t := typesOf(at); t != nil {
			return t
		}
	}
	var out []string
	for _, at := range n.may {
		for _, t := range typesOf(at) {
			if !slices.Contains(out, t) {
				out = append(out, t)
			}
		}
	}
	return out
}

// only reports whether t is the one type besides null.
func (n node) only(t string) bool {
	types := n.types()
	rest := slices.DeleteFunc(slices.Clone(types), func(s string) bool { return s == "null" })
	return len(rest) == 1 && rest[0] == t
}

func typesOf(s *jsonschema.Schema) []string {
	if s.Type != "" {
		return []string{s.Type}
	}
	if s.Types != nil {
		return s.Types
	}
	if s.Const != nil {
		return []string{typeOf(*s.Const)}
	}
	var out []string
	for _, v := range s.Enum {
		if t := typeOf(v); !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}
