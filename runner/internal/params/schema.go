package params

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/outrider-run/outrider/sdk/manifest"
)

const draft = "https://json-schema.org/draft/2020-12/schema"

// rootURI names the schema, so that a part of it can be judged on its own by a
// reference into it.
const rootURI = "outrider://params"

// schema is a component's parameter schema, ready to judge.
type schema struct {
	root     *jsonschema.Schema
	refs     map[*jsonschema.Schema]*jsonschema.Schema // what each $ref leads to
	patterns map[string]*regexp.Regexp                 // of patternProperties
}

func compile(raw json.RawMessage) (*schema, error) {
	root, err := parseSchema(raw)
	if err != nil {
		return nil, fmt.Errorf("read the parameter schema: %w", err)
	}
	if root.Schema != "" && strings.TrimSuffix(root.Schema, "#") != draft {
		return nil, fmt.Errorf("read the parameter schema: $schema is %q, want %q", root.Schema, draft)
	}
	root.Schema, root.ID = draft, rootURI
	s := &schema{root: root}
	if err := s.link(); err != nil {
		return nil, fmt.Errorf("read the parameter schema: %w", err)
	}
	return s, nil
}

// valid is the schema library's verdict; an error means that the schema is no
// good. Resolving costs as much as all else together and --help does not need it,
// so it comes only now.
func (s *schema) valid(tree map[string]any) (bool, error) {
	resolved, err := s.root.Resolve(nil)
	if err != nil {
		return false, fmt.Errorf("read the parameter schema: %w", err)
	}
	return resolved.Validate(plain(tree)) == nil, nil
}

// link follows every $ref and refuses what the rest of this package could not
// see through: a secret behind it would be treated as plain text.
func (s *schema) link() error {
	var all []*jsonschema.Schema
	var visit func(at *jsonschema.Schema) error
	visit = func(at *jsonschema.Schema) error {
		if at == nil {
			return errors.New("a part of it is null")
		}
		all = append(all, at)
		if at != s.root && at.ID != "" {
			return fmt.Errorf("$id %q inside of it is not supported", at.ID)
		}
		if at.DynamicRef != "" {
			return fmt.Errorf("$dynamicRef %q is not supported", at.DynamicRef)
		}
		if at.Ref != "" {
			target, err := s.follow(at.Ref)
			if err != nil {
				return err
			}
			if s.refs == nil {
				s.refs = map[*jsonschema.Schema]*jsonschema.Schema{}
			}
			s.refs[at] = target
		}
		for pattern := range at.PatternProperties {
			re, err := regexp.Compile(pattern)
			if err != nil {
				return fmt.Errorf("patternProperties %q: %w", pattern, err)
			}
			if s.patterns == nil {
				s.patterns = map[string]*regexp.Regexp{}
			}
			s.patterns[pattern] = re
		}
		for _, c := range children(at) {
			if err := visit(c.schema); err != nil {
				return err
			}
		}
		return nil
	}
	if err := visit(s.root); err != nil {
		return err
	}
	if s.refs == nil {
		return nil
	}
	return s.refuseLoops(all)
}

// refuseLoops finds a schema that applies to the same value as itself: judging
// it would never end.
func (s *schema) refuseLoops(all []*jsonschema.Schema) error {
	const open, done = 1, 2
	state := make(map[*jsonschema.Schema]int, len(all))
	var visit func(at *jsonschema.Schema) bool
	visit = func(at *jsonschema.Schema) bool {
		switch state[at] {
		case open:
			return false
		case done:
			return true
		}
		state[at] = open
		if target := s.refs[at]; target != nil && !visit(target) {
			return false
		}
		for _, c := range children(at) {
			if c.inPlace && !visit(c.schema) {
				return false
			}
		}
		state[at] = done
		return true
	}
	for _, at := range all {
		if !visit(at) {
			return fmt.Errorf("$ref %q leads back to itself", at.Ref)
		}
	}
	return nil
}

// follow resolves a reference of the form #/$defs/name.
func (s *schema) follow(ref string) (*jsonschema.Schema, error) {
	pointer, local := strings.CutPrefix(ref, "#")
	if !local || pointer != "" && pointer[0] != '/' {
		return nil, fmt.Errorf("$ref %q is not supported, want #/…", ref)
	}
	at := s.root
	for pointer != "" {
		var next *jsonschema.Schema
		for _, c := range children(at) {
			if rest, ok := strings.CutPrefix(pointer, c.pointer()); ok && (rest == "" || rest[0] == '/') {
				next, pointer = c.schema, rest
				break
			}
		}
		if next == nil {
			return nil, fmt.Errorf("$ref %q leads nowhere", ref)
		}
		at = next
	}
	return at, nil
}

// child is a schema inside of another one.
type child struct {
	keyword string
	key     string // in a map or list of schemas
	inPlace bool   // applies to the same value
	schema  *jsonschema.Schema
}

func (c child) pointer() string {
	p := "/" + c.keyword
	if c.key != "" {
		p += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(c.key)
	}
	return p
}

func children(s *jsonschema.Schema) []child {
	var out []child
	one := func(keyword string, inPlace bool, c *jsonschema.Schema) {
		if c != nil {
			out = append(out, child{keyword: keyword, inPlace: inPlace, schema: c})
		}
	}
	list := func(keyword string, inPlace bool, cs []*jsonschema.Schema) {
		for i, c := range cs {
			out = append(out, child{keyword, strconv.Itoa(i), inPlace, c})
		}
	}
	mapped := func(keyword string, inPlace bool, cs map[string]*jsonschema.Schema) {
		for k, c := range cs {
			out = append(out, child{keyword, k, inPlace, c})
		}
	}
	mapped("properties", false, s.Properties)
	mapped("$defs", false, s.Defs)
	mapped("definitions", false, s.Definitions)
	mapped("patternProperties", false, s.PatternProperties)
	mapped("dependentSchemas", true, s.DependentSchemas)
	one("additionalProperties", false, s.AdditionalProperties)
	one("unevaluatedProperties", false, s.UnevaluatedProperties)
	one("propertyNames", false, s.PropertyNames)
	one("items", false, s.Items)
	one("unevaluatedItems", false, s.UnevaluatedItems)
	one("contains", false, s.Contains)
	list("prefixItems", false, s.PrefixItems)
	list("allOf", true, s.AllOf)
	list("anyOf", true, s.AnyOf)
	list("oneOf", true, s.OneOf)
	one("not", true, s.Not)
	one("if", true, s.If)
	one("then", true, s.Then)
	one("else", true, s.Else)
	return out
}

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
	if must {
		n.must = append(n.must, at)
	}
	n.may = append(n.may, at)
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
