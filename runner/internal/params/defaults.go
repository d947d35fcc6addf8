package params

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

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
