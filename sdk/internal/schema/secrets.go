package schema

import (
	"github.com/google/jsonschema-go/jsonschema"

	"github.com/outrider-run/outrider/sdk/manifest"
)

// ReplaceSecrets calls replace for every string of v, decoded JSON, that stands
// where s has a secret, and puts what it returns in its place.
func ReplaceSecrets(s *jsonschema.Schema, v any, replace func(string) string) any {
	if s == nil {
		return v
	}
	switch v := v.(type) {
	case string:
		if s.Format == manifest.FormatSecret {
			return replace(v)
		}
	case map[string]any:
		for k, member := range v {
			sub := s.Properties[k]
			if sub == nil {
				sub = s.AdditionalProperties
			}
			v[k] = ReplaceSecrets(sub, member, replace)
		}
	case []any:
		for i, member := range v {
			v[i] = ReplaceSecrets(s.Items, member, replace)
		}
	}
	return v
}
