package params

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// typeOf names the JSON type of a tree's value; as in JSON Schema 2.0 is an
// integer.
func typeOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case float64:
		if v != math.Trunc(v) {
			return "number"
		}
		return "integer"
	case int64, uint64, json.Number:
		return "integer"
	case []any:
		return "array"
	default:
		return "object"
	}
}

// describe says what a value is, for a problem: its type, and the value where
// that is short and no secret. What stands inside an array or object is never
// shown.
func describe(v any, secret bool) string {
	t := typeOf(v)
	switch v := v.(type) {
	case nil:
		return t
	case []any:
		return "array of " + plural(len(v), "item")
	case map[string]any:
		return "object with " + plural(len(v), "key")
	case string:
		if secret {
			return "string (hidden)"
		}
		return "string " + quote(v)
	}
	if secret {
		return t + " (hidden)"
	}
	return t + " " + text(v)
}

func plural(n int, unit string) string {
	if n != 1 {
		unit += "s"
	}
	return strconv.Itoa(n) + " " + unit
}

// text is a value as it stands in JSON.
func text(v any) string {
	b, err := appendJSON(nil, v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// quote shortens what is too long for a message.
func quote(s string) string {
	const most = 80
	if len(s) <= most {
		return strconv.Quote(s)
	}
	cut := most
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return strconv.Quote(s[:cut]) + "…"
}

// plain makes a tree fit for the schema library, which takes a json.Number for a
// string: a whole number beyond 64 bits becomes a float there, and there only.
func plain(v any) any {
	if !huge(v) {
		return v
	}
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = plain(item)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, item := range v {
			out[k] = plain(item)
		}
		return out
	default:
		f, _ := v.(json.Number).Float64()
		return f
	}
}

func huge(v any) bool {
	switch v := v.(type) {
	case json.Number:
		return true
	case []any:
		return slices.ContainsFunc(v, huge)
	case map[string]any:
		for _, item := range v {
			if huge(item) {
				return true
			}
		}
	}
	return false
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
