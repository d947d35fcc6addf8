package settings

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/outrider-run/outrider/sdk/manifest"
)

// at is the JSON pointer of keys and indexes.
func at(steps ...any) string {
	var p jsontext.Pointer
	for _, s := range steps {
		p = p.AppendToken(fmt.Sprint(s))
	}
	return string(p)
}

// tree is the document as plain values.
func (c *checking) tree() (v any) {
	c.internal(manifest.DecodeYAML(c.data, &v))
	return v
}

// has reports whether the file says something there, be it nothing.
func (c *checking) has(steps ...any) bool {
	_, ok := find(c.tree(), at(steps...))
	return ok
}

func (c *checking) isList(pointer string) bool {
	v, _ := find(c.tree(), pointer)
	_, is := v.([]any)
	return is
}

func find(v any, pointer string) (any, bool) {
	for step := range jsontext.Pointer(pointer).Tokens() {
		switch in := v.(type) {
		case map[string]any:
			one, ok := in[step]
			if !ok {
				return nil, false
			}
			v = one
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(in) {
				return nil, false
			}
			v = in[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// texts are the templates among params, with the JSON pointer to each.
func texts(params object) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		var v any
		if json.Unmarshal(params, &v) == nil {
			each("", v, yield)
		}
	}
}

func each(at string, v any, yield func(string, string) bool) bool {
	switch v := v.(type) {
	case string:
		return !strings.Contains(v, "{{") || yield(at, v)
	case []any:
		for i, one := range v {
			if !each(at+"/"+strconv.Itoa(i), one, yield) {
				return false
			}
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if !each(string(jsontext.Pointer(at).AppendToken(key)), v[key], yield) {
				return false
			}
		}
	}
	return true
}
