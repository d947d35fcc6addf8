package params

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

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
				return nil, "", fmt.Errorf("a key is empty in %s, want KEY=VALUE", hideValue(set))
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
	return nil, "", fmt.Errorf("there is no = in %s, want KEY=VALUE", hideValue(set))
}

// hideValue shows the key alone: what stands behind it may be a secret.
func hideValue(set string) string {
	end := strings.IndexFunc(set, func(r rune) bool { return r != '.' && !plainKey(string(r)) })
	if end < 0 {
		return quote(set)
	}
	return quote(set[:end] + "…")
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
