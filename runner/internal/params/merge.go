package params

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
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
	name := "stdin"
	if from.name() != name {
		name = "file " + from.name()
	}
	m.origins.put(nil, name)
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
	var put func(old any, n node, rest []string) (any, error)
	put = func(old any, n node, rest []string) (any, error) {
		if len(rest) == 0 {
			return value(n)
		}
		key := rest[0]
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
				return nil, fmt.Errorf("has %d items, so the next index is %d, not %d", len(old), len(old), i)
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
	m.origins.put(at, from)
}

// splitSet parses a.b=value; a backslash takes the meaning from a dot, an equals
// sign or a backslash.
func splitSet(set string) (keys []string, value string, err error) {
	var key strings.Builder
	for i := 0; i < len(set); i++ {
		switch c := set[i]; {
		case c == '\\' && i+1 < len(set):
			i++
			key.WriteByte(set[i])
		case c == '.' || c == '=':
			if key.Len() == 0 {
				return nil, "", fmt.Errorf("a key is empty in %s, want KEY=VALUE", quote(hideValue(set)))
			}
			keys = append(keys, key.String())
			key.Reset()
			if c == '=' {
				return keys, set[i+1:], checkKeys(keys)
			}
		default:
			key.WriteByte(c)
		}
	}
	return nil, "", fmt.Errorf("there is no = in %s, want KEY=VALUE", quote(set))
}

// hideValue leaves out what may be a secret.
func hideValue(set string) string {
	key, _, ok := strings.Cut(set, "=")
	if !ok {
		return set
	}
	return key + "=…"
}

func checkKeys(keys []string) error {
	for _, k := range keys {
		if !utf8.ValidString(k) {
			return fmt.Errorf("the key %q is not valid UTF-8", k)
		}
	}
	if len(keys) > maxDepth {
		return fmt.Errorf("nests deeper than %d levels", maxDepth)
	}
	return nil
}

// convert reads a value from the command line: as text where the schema allows
// a string, else as JSON, so that 5 and true and {"a":1} are what they look like.
// What is no JSON stays text, and the check says what was wanted.
func convert(n node, value string) (any, error) {
	if !utf8.ValidString(value) {
		return nil, errors.New("is not valid UTF-8")
	}
	if strings.IndexByte(value, 0) >= 0 {
		return nil, errors.New("a NUL character is not allowed")
	}
	types := n.types()
	if n.secret() || slices.Contains(types, "string") {
		return value, nil
	}
	v, err := decodeJSON([]byte(value))
	if err == nil {
		return v, nil
	}
	opens := strings.HasPrefix(strings.TrimSpace(value), "{") && slices.Contains(types, "object") ||
		strings.HasPrefix(strings.TrimSpace(value), "[") && slices.Contains(types, "array")
	if opens {
		return nil, err
	}
	return value, nil
}

// defaults fills in what is absent.
func (m *merger) defaults(n node, v any, at path) error {
	switch v := v.(type) {
	case []any:
		items := m.schema.items(n)
		for i, item := range v {
			if err := m.defaults(items(i), item, at.withIndex(i)); err != nil {
				return err
			}
		}
	case map[string]any:
		if len(at) > maxDepth {
			return errors.New("the schema's defaults never end")
		}
		for _, s := range n.must {
			for key := range s.Properties {
				if _, there := v[key]; there {
					continue
				}
				value, ok, err := m.absent(n, key, at)
				if err != nil {
					return err
				}
				if ok {
					v[key] = value
					m.origins[at.withKey(key).String()] = "default"
				}
			}
		}
		for key, item := range v {
			if err := m.defaults(m.schema.key(n, key), item, at.withKey(key)); err != nil {
				return err
			}
		}
	}
	return nil
}

// absent is what stands for a missing key: its default or, for a required object
// that is complete by its own defaults, that object.
func (m *merger) absent(parent node, key string, at path) (any, bool, error) {
	n := m.schema.key(parent, key)
	if raw := n.defaultValue(); raw != nil {
		v, err := decodeJSON(bytes.TrimSpace(raw))
		if err != nil {
			return nil, false, fmt.Errorf("the schema's default of %s: %w", at.withKey(key), err)
		}
		return v, true, nil
	}
	if !n.only("object") || !slices.Contains(parent.required(), key) || !m.complete(n, 0) {
		return nil, false, nil
	}
	return map[string]any{}, true, nil
}

// complete reports whether an empty object becomes valid by defaults.
func (m *merger) complete(n node, depth int) bool {
	if depth > maxDepth {
		return false
	}
	for _, key := range n.required() {
		sub := m.schema.key(n, key)
		if sub.defaultValue() == nil && !(sub.only("object") && m.complete(sub, depth+1)) {
			return false
		}
	}
	return true
}

// clone copies a tree.
func clone(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = clone(item)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, item := range v {
			out[k] = clone(item)
		}
		return out
	}
	return v
}

// get returns the value at p, which is there.
func get(v any, p path) any {
	for _, s := range p {
		if s.isKey {
			v = v.(map[string]any)[s.key]
		} else {
			v = v.([]any)[s.index]
		}
	}
	return v
}

// replace puts a new value where one is.
func replace(tree map[string]any, p path, with any) {
	parent, last := get(tree, p[:len(p)-1]), p[len(p)-1]
	if last.isKey {
		parent.(map[string]any)[last.key] = with
	} else {
		parent.([]any)[last.index] = with
	}
}
