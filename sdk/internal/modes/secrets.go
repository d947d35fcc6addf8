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

	"github.com/outrider-run/outrider/sdk/internal/schema"
)

// resolve checks params against the component's schema and replaces the
// references in its secrets, env:NAME and file:PATH, by what they stand for.
// A literal stays. It returns every secret too.
func resolve(schemaJSON json.RawMessage, params []byte) ([]byte, []string, error) {
	var parsed jsonschema.Schema
	if err := json.Unmarshal(schemaJSON, &parsed); err != nil {
		return nil, nil, fmt.Errorf("reading the component's schema: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(params))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		return nil, nil, fmt.Errorf("the parameters are no valid JSON: %w", err)
	}
	var found []string
	var errs []error
	out := schema.ReplaceSecrets(&parsed, value, func(reference string) string {
		secret, err := lookup(reference)
		if err != nil {
			errs = append(errs, err)
		}
		found = append(found, secret)
		return secret
	})
	if errs != nil {
		return nil, nil, errors.Join(errs...)
	}
	if len(found) == 0 {
		return params, nil, nil // as written: a repeated key is still to be refused
	}
	raw, err := json.Marshal(out)
	if err != nil {
		return nil, nil, fmt.Errorf("encoding the parameters: %w", err)
	}
	return raw, found, nil
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
