package modes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/outrider-run/outrider/sdk/manifest"
)

// resolve checks params against the component's schema and replaces the
// references in its secrets, env:NAME and file:PATH, by what they stand for.
// A literal stays. It returns every secret too.
func resolve(schemaJSON json.RawMessage, params []byte) ([]byte, []string, error) {
	var schema jsonschema.Schema
	if err := json.Unmarshal(schemaJSON, &schema); err != nil {
		return nil, nil, fmt.Errorf("reading the component's schema: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(params))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		return nil, nil, fmt.Errorf("the parameters are no valid JSON: %w", err)
	}
	var r resolver
	out := r.walk(&schema, value)
	if r.errs != nil {
		return nil, nil, errors.Join(r.errs...)
	}
	if len(r.found) == 0 {
		return params, nil, nil // as written: a repeated key is still to be refused
	}
	raw, err := json.Marshal(out)
	if err != nil {
		return nil, nil, fmt.Errorf("encoding the parameters: %w", err)
	}
	return raw, r.found, nil
}

type resolver struct {
	found []string
	errs  []error
}

func (r *resolver) walk(s *jsonschema.Schema, v any) any {
	if s == nil {
		return v
	}
	switch v := v.(type) {
	case string:
		if s.Format != manifest.FormatSecret {
			return v
		}
		secret, err := lookup(v)
		if err != nil {
			r.errs = append(r.errs, err)
		}
		r.found = append(r.found, secret)
		return secret
	case map[string]any:
		for k, member := range v {
			sub := s.Properties[k]
			if sub == nil {
				sub = s.AdditionalProperties
			}
			v[k] = r.walk(sub, member)
		}
	case []any:
		for i, member := range v {
			v[i] = r.walk(s.Items, member)
		}
	}
	return v
}

func lookup(reference string) (string, error) {
	if name, ok := strings.CutPrefix(reference, "env:"); ok {
		v, ok := os.LookupEnv(name)
		if !ok {
			return "", fmt.Errorf("the secret env:%s: the variable is not set", name)
		}
		return v, nil
	}
	if path, ok := strings.CutPrefix(reference, "file:"); ok {
		raw, err := os.ReadFile(path)
		if err != nil {
			return "", fmt.Errorf("reading a secret: %w", err)
		}
		return strings.TrimRight(string(raw), "\r\n"), nil
	}
	return reference, nil
}

// redactor hides secrets of six characters and more as they stand; the host
// knows their encodings too.
func redactor(secrets []string) func(string) string {
	sort.Slice(secrets, func(i, j int) bool { return len(secrets[i]) > len(secrets[j]) })
	var pairs []string
	for _, s := range secrets {
		if len(s) >= 6 {
			pairs = append(pairs, s, "[secret]")
		}
	}
	if pairs == nil {
		return func(s string) string { return s }
	}
	return strings.NewReplacer(pairs...).Replace
}
