package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/outrider-run/outrider/sdk"
)

// values takes what the pointers lead to out of a JSON text.
func values(raw []byte, pointers map[string]string) (map[string]json.RawMessage, error) {
	tree, err := parseJSON(raw)
	if err != nil {
		return nil, sdk.Permanent(sdk.Code("not_json", fmt.Errorf("values: the answer, of %d bytes, is not JSON: %w", len(raw), err)))
	}
	all := make(map[string]json.RawMessage, len(pointers))
	for _, name := range slices.Sorted(maps.Keys(pointers)) {
		v, err := lookUp(tree, jsontext.Pointer(pointers[name]))
		if err != nil {
			return nil, sdk.Permanent(sdk.Code("value_missing", fmt.Errorf("values: %s: %w", name, err)))
		}
		if all[name], err = json.Marshal(v); err != nil {
			return nil, sdk.Permanent(fmt.Errorf("values: %s: %w", name, err))
		}
	}
	return all, nil
}

// lookUp follows a valid pointer (RFC 6901, 4). Its error tells how far it got.
func lookUp(tree any, pointer jsontext.Pointer) (any, error) {
	at := jsontext.Pointer("")
	for token := range pointer.Tokens() {
		next, ok := any(nil), false
		what := "a plain value"
		switch v := tree.(type) {
		case map[string]any:
			next, ok = v[token]
			what = "an object without that name"
		case []any:
			what = fmt.Sprintf("a list of %d", len(v))
			if i, err := strconv.ParseUint(token, 10, 31); err == nil && strconv.FormatUint(i, 10) == token && int(i) < len(v) {
				next, ok = v[i], true
			}
		}
		if !ok {
			return nil, fmt.Errorf("%s leads nowhere: at %q there is %s", at.AppendToken(token), string(at), what)
		}
		tree, at = next, at.AppendToken(token)
	}
	return tree, nil
}
