package params

import (
	"fmt"
	"strconv"
	"strings"
)

// merger builds the tree, the weakest source first.
type merger struct {
	schema   *schema
	tree     map[string]any
	origins  origins
	problems *Problems
}

func (m *merger) read(from Sources) {
	m.tree = map[string]any{}
	if from.File == nil {
		return
	}
	tree, err := decodeSource(from.File, from.name())
	if err != nil {
		m.problems.add(Problem{Text: err.Error()})
		return
	}
	m.tree = tree
	name := from.name()
	switch {
	case from.Templated:
		m.spelt(m.schema.top(), tree)
	case name != "stdin":
		name = "file " + name
	}
	m.origins.put(nil, name)
}

// spelt returns v with texts read as those of the command line are, but where the
// schema does not say what it wants.
func (m *merger) spelt(n node, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, one := range v {
			v[key] = m.spelt(m.schema.key(n, key), one)
		}
	case []any:
		items := m.schema.items(n)
		for i, one := range v {
			v[i] = m.spelt(items(i), one)
		}
	case string:
		if len(n.types()) == 0 {
			return v
		}
		if read, err := convert(n, v); err == nil {
			return read // else the check says what was wanted
		}
	}
	return v
}

func (m *merger) set(sets []string) {
	for _, one := range sets {
		keys, value, err := splitSet(one)
		if err != nil {
			m.problems.add(Problem{Text: err.Error(), From: "--set"})
			continue
		}
		m.assign(keys, func(n node) (any, error) { return convert(n, value) }, "--set")
	}
}

// flags sets each property once: an array takes all values of its flag, anything
// else the last.
func (m *merger) flags(flags []Flag) {
	values := map[string][]string{}
	var names []string
	for _, f := range flags {
		if _, seen := values[f.Name]; !seen {
			names = append(names, f.Name)
		}
		values[f.Name] = append(values[f.Name], f.Value)
	}
	for _, name := range names {
		given := values[name]
		m.assign([]string{name}, func(n node) (any, error) {
			if !n.only("array") {
				return convert(n, given[len(given)-1])
			}
			items, array := m.schema.items(n), make([]any, len(given))
			for i, value := range given {
				v, err := convert(items(i), value)
				if err != nil {
					return nil, err
				}
				array[i] = v
			}
			return array, nil
		}, "--"+kebab(name))
	}
}

// assign puts a value at the place that keys lead to.
func (m *merger) assign(keys []string, value func(node) (any, error), from string) {
	var at path
	made := -1 // how much of the path leads to the outermost thing that is new
	var put func(old any, n node, rest []string) (any, error)
	put = func(old any, n node, rest []string) (any, error) {
		if len(rest) == 0 {
			return value(n)
		}
		key := rest[0]
		if old == nil && made < 0 {
			made = len(at)
		}
		if old == nil && n.only("array") {
			old = []any{}
		}
		switch old := old.(type) {
		case nil:
			at = at.withKey(key)
			v, err := put(nil, m.schema.key(n, key), rest[1:])
			return map[string]any{key: v}, err
		case map[string]any:
			at = at.withKey(key)
			v, err := put(old[key], m.schema.key(n, key), rest[1:])
			if err == nil {
				old[key] = v
			}
			return old, err
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 {
				return nil, fmt.Errorf("is an array, want an index instead of %q", key)
			}
			if i > len(old) {
				return nil, fmt.Errorf("has %s, so the next index is %d, not %d", plural(len(old), "item"), len(old), i)
			}
			at = at.withIndex(i)
			if i == len(old) {
				old = append(old, nil)
			}
			old[i], err = put(old[i], m.schema.item(n, i), rest[1:])
			return old, err
		default:
			return nil, fmt.Errorf("is of type %s, so there is no %s to set in it", typeOf(old), quote(strings.Join(rest, ".")))
		}
	}
	if _, err := put(m.tree, m.schema.top(), keys); err != nil {
		m.problems.add(Problem{Path: at.String(), Text: err.Error(), From: from})
		return
	}
	if made >= 0 {
		at = at[:made]
	}
	m.origins.put(at, from)
}
