package params

import (
	"maps"
	"slices"
)

// Origin tells where one value came from.
type Origin struct {
	// Path is the value's place, such as tags[2].name.
	Path string
	// Value is its JSON; of a secret the reference, or (literal) and its source.
	Value string
	// From is default, file NAME, stdin, --set or the component flag.
	From string
}

// Origins lists every value of the parameters, the component's own order first.
func (r Resolved) Origins() []Origin {
	var out []Origin
	var visit func(v any, at path)
	add := func(v any, at path) {
		o := Origin{Path: at.String(), Value: text(v), From: r.origins.of(at)}
		if slices.ContainsFunc(r.secrets, at.equal) {
			if s, _ := v.(string); isReference(s) {
				o.Value = s
			} else {
				o.Value = "(literal from " + o.From + ")"
			}
		}
		out = append(out, o)
	}
	visit = func(v any, at path) {
		switch v := v.(type) {
		case []any:
			for i, item := range v {
				visit(item, at.withIndex(i))
			}
			if len(v) > 0 {
				return
			}
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(v)) {
				visit(v[key], at.withKey(key))
			}
			if len(v) > 0 {
				return
			}
		}
		if len(at) > 0 {
			add(v, at)
		}
	}
	seen := map[string]bool{}
	for _, key := range r.schema.order() {
		if v, there := r.tree[key]; there {
			seen[key] = true
			visit(v, path{}.withKey(key))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(r.tree)) {
		if !seen[key] {
			visit(r.tree[key], path{}.withKey(key))
		}
	}
	return out
}
