package params

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
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
// good. Resolving costs more than all else together, and by the property: so it
// comes only now, which spares --help, and without parameters that are not there,
// unless a $ref might lead to them.
func (s *schema) valid(tree map[string]any) (bool, error) {
	root := *s.root
	if s.refs == nil {
		root.Properties = map[string]*jsonschema.Schema{}
		for name, sub := range s.root.Properties {
			if _, there := tree[name]; there {
				root.Properties[name] = sub
			}
		}
	}
	resolved, err := root.Resolve(nil)
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
	loop := ""
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
			loop = cmp.Or(loop, at.Ref)
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
			return fmt.Errorf("$ref %q leads back to itself", loop)
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
