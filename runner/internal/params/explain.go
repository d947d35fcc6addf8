package params

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// explain adds a problem for everything in v that s refuses and returns how many
// there are. It goes down along the schema and lets the library judge each part;
// where it cannot tell what is wrong below, it says so for v as a whole.
func (c *checker) explain(s *jsonschema.Schema, n node, v any, at path) int {
	if c.problems.full() {
		return 1
	}
	found := 0
	if target := c.schema.refs[s]; target != nil {
		found += c.explain(target, n, v, at)
	}
	if s.Type != "" || s.Types != nil {
		if !hasType(typesOf(s), v) {
			return found + c.wrongType(n, v, at)
		}
	}
	found += c.fixed(s, n, v, at)
	for _, l := range leaves() {
		if sub := l.part(s); sub != nil && !c.leafOK(s, l.keyword, sub, v) {
			found += c.add(at, "got "+l.got(v, c.hidden(n))+", want "+l.want(s))
		}
	}
	for _, sub := range s.AllOf {
		found += c.explain(sub, n, v, at)
	}
	found += c.branches(s, n, v, at)
	switch v := v.(type) {
	case []any:
		found += c.array(s, n, v, at)
	case map[string]any:
		found += c.object(s, n, v, at)
	}
	if keywords := intricate(s); found == 0 && keywords != nil && c.judge(s, v) != nil {
		found += c.generic(n, v, at, keywords)
	}
	return found
}

func hasType(types []string, v any) bool {
	t := typeOf(v)
	return slices.Contains(types, t) || t == "integer" && slices.Contains(types, "number")
}

// wrongType says what would be right, and the usual slip: a number or boolean in
// quotes, a lone item where a list is wanted.
func (c *checker) wrongType(n node, v any, at path) int {
	hint := ""
	if s, ok := v.(string); ok && !c.hidden(n) {
		if inner, err := decodeJSON([]byte(s)); err == nil && hasType(n.types(), inner) && !commandLine(c.origins.of(at)) {
			hint = "; leave out the quotes"
		}
	}
	if v == nil {
		hint = "; leave it out to have none"
	}
	if _, isArray := v.([]any); !isArray && n.only("array") && v != nil {
		hint = "; even a single item stands in [ ]"
	}
	return c.add(at, "got "+describe(v, c.hidden(n))+", want "+n.words()+hint)
}

// fixed judges enum and const.
func (c *checker) fixed(s *jsonschema.Schema, n node, v any, at path) int {
	found := 0
	if s.Enum != nil && !c.leafOK(s, "enum", &jsonschema.Schema{Enum: s.Enum}, v) {
		text := "got " + describe(v, c.hidden(n)) + ", want " + oneOf(s.Enum)
		if word, ok := v.(string); ok && !c.hidden(n) {
			var names []string
			for _, e := range s.Enum {
				if name, ok := e.(string); ok {
					names = append(names, name)
				}
			}
			text += didYouMean(word, names)
		}
		found += c.add(at, text)
	}
	if s.Const != nil && !c.leafOK(s, "const", &jsonschema.Schema{Const: s.Const}, v) {
		found += c.add(at, "got "+describe(v, c.hidden(n))+", want "+describe(*s.Const, false))
	}
	return found
}

func (c *checker) array(s *jsonschema.Schema, n node, v []any, at path) int {
	found := 0
	items := c.schema.items(n)
	for i, item := range v {
		switch {
		case i < len(s.PrefixItems):
			found += c.explain(s.PrefixItems[i], items(i), item, at.withIndex(i))
		case s.Items != nil:
			found += c.explain(s.Items, items(i), item, at.withIndex(i))
		default:
			return found
		}
	}
	return found
}

func (c *checker) object(s *jsonschema.Schema, n node, v map[string]any, at path) int {
	found := 0
	for _, key := range slices.Sorted(maps.Keys(v)) {
		item, n, at := v[key], c.schema.key(n, key), at.withKey(key)
		known := false
		if sub := s.Properties[key]; sub != nil {
			known = true
			found += c.explain(sub, n, item, at)
		}
		for _, pattern := range slices.Sorted(maps.Keys(s.PatternProperties)) {
			if c.schema.patterns[pattern].MatchString(key) {
				known = true
				found += c.explain(s.PatternProperties[pattern], n, item, at)
			}
		}
		switch {
		case known || s.AdditionalProperties == nil:
		case nothing(s.AdditionalProperties):
			found += c.unknown(s, v, key, at)
		default:
			found += c.explain(s.AdditionalProperties, n, item, at)
		}
		if s.PropertyNames != nil && c.judge(s.PropertyNames, key) != nil {
			found += c.add(at, "is no key that is allowed here")
		}
	}
	for _, key := range s.Required {
		found += c.demand(n, v, key, at, "")
	}
	for _, key := range slices.Sorted(maps.Keys(s.DependentRequired)) {
		if _, there := v[key]; there {
			for _, other := range s.DependentRequired[key] {
				found += c.demand(n, v, other, at, " since "+key+" is given")
			}
		}
	}
	return found
}

func (c *checker) demand(n node, v map[string]any, key string, at path, why string) int {
	if _, there := v[key]; there {
		return 0
	}
	return c.report(at.withKey(key), "missing"+why+", want "+c.schema.key(n, key).words(), "")
}

// unknown never shows the value: it may be a secret under a misspelt name.
func (c *checker) unknown(s *jsonschema.Schema, v map[string]any, key string, at path) int {
	var free []string
	for name := range s.Properties {
		if _, used := v[name]; !used || c.origins.of(at[:len(at)-1].clone().withKey(name)) == "default" {
			free = append(free, name)
		}
	}
	text := "unknown key"
	if len(at) == 1 {
		text = "unknown parameter"
	}
	if hint := didYouMean(key, free); hint != "" {
		return c.add(at, text+hint)
	}
	if len(s.Properties) == 0 {
		return c.add(at, text+", there are none")
	}
	return c.add(at, text+", want one of "+strings.Join(slices.Sorted(maps.Keys(s.Properties)), ", "))
}

// nothing reports the schema false, as the library reads it.
func nothing(s *jsonschema.Schema) bool {
	return s.Not != nil && empty(s.Not)
}

// branches judges anyOf, oneOf, not and if.
func (c *checker) branches(s *jsonschema.Schema, n node, v any, at path) int {
	found := 0
	if s.AnyOf != nil && !slices.ContainsFunc(s.AnyOf, func(sub *jsonschema.Schema) bool { return c.judge(sub, v) == nil }) {
		found += c.noBranch(s.AnyOf, n, v, at)
	}
	if s.OneOf != nil {
		var fits []string
		for i, sub := range s.OneOf {
			if c.judge(sub, v) == nil {
				fits = append(fits, strconv.Itoa(i+1))
			}
		}
		switch {
		case len(fits) == 0:
			found += c.noBranch(s.OneOf, n, v, at)
		case len(fits) > 1:
			found += c.add(at, fmt.Sprintf("got %s, which fits %d of the alternatives (%s), want exactly one",
				describe(v, c.hidden(n)), len(fits), strings.Join(fits, ", ")))
		}
	}
	if s.Not != nil && c.judge(s.Not, v) == nil {
		found += c.add(at, "got "+describe(v, c.hidden(n))+", which is excluded")
	}
	if s.If != nil {
		then := s.Then
		if c.judge(s.If, v) != nil {
			then = s.Else
		}
		if then != nil {
			found += c.explain(then, n, v, at)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s.DependentSchemas)) {
		if object, ok := v.(map[string]any); ok {
			if _, there := object[key]; there {
				found += c.explain(s.DependentSchemas[key], n, v, at)
			}
		}
	}
	return found
}

// noBranch explains the one alternative that was meant, as far as the type tells.
func (c *checker) noBranch(branches []*jsonschema.Schema, n node, v any, at path) int {
	var meant []*jsonschema.Schema
	var words []string
	for _, sub := range branches {
		var one node
		c.schema.enter(&one, sub, true)
		if types := one.types(); len(types) == 0 || hasType(types, v) {
			meant = append(meant, sub)
		}
		if w := one.words(); !slices.Contains(words, w) {
			words = append(words, w)
		}
	}
	if len(meant) == 1 {
		if found := c.explain(meant[0], n, v, at); found > 0 {
			return found
		}
	}
	return c.add(at, "got "+describe(v, c.hidden(n))+", which fits none of the alternatives: "+strings.Join(words, "; "))
}
