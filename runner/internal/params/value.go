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
		return fmt.Sprintf("array of %d", len(v))
	case map[string]any:
		return fmt.Sprintf("object with %d keys", len(v))
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

// text is a scalar as it stands in JSON.
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
