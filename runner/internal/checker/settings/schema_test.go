package settings

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/outrider-run/outrider/runner/internal/config"
	"github.com/outrider-run/outrider/sdk/manifest"
)

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	var s jsonschema.Schema
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	return &s
}

// validator holds documents against the schema.
func validator(t *testing.T) func(text string) error {
	t.Helper()
	r, err := schema(t).Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	return func(text string) error {
		var v any
		if err := manifest.DecodeYAML([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		return r.Validate(v)
	}
}

func example(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("testdata/outrider.yml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// properties are all that a schema describes, with where they stand: a list's items and
// a map's values under *.
func properties(s *jsonschema.Schema, at string, do func(at string, s *jsonschema.Schema)) {
	if s == nil {
		return
	}
	for name, one := range s.Properties {
		do(at+name, one)
		properties(one, at+name+".", do)
	}
	for _, one := range s.AnyOf {
		properties(one, at, do)
	}
	properties(s.Items, at, do)
	properties(s.AdditionalProperties, at+"*.", do)
}

// TestTheSchemaKnowsAllKeys: those that the host's decoder knows, and each with its text.
func TestTheSchemaKnowsAllKeys(t *testing.T) {
	file := filepath.Join(t.TempDir(), "outrider.yml")
	if err := os.WriteFile(file, []byte("nix: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := config.Load(file, os.Getenv)
	_, list, found := strings.Cut(err.Error(), "known here: ")
	if !found {
		t.Fatal(err)
	}
	known := strings.Split(list, ", ")
	var got []string
	s := schema(t)
	for name := range s.Properties {
		got = append(got, name)
	}
	slices.Sort(known)
	slices.Sort(got)
	if !slices.Equal(got, known) {
		t.Errorf("the schema has %v, the host knows %v", got, known)
	}
	properties(s, "", func(at string, one *jsonschema.Schema) {
		if one.Description == "" {
			t.Errorf("%s has no description", at)
		}
	})
}

// TestTheExampleHasAllKeys: it is read, its schema takes it, and no key is missing in it.
func TestTheExampleHasAllKeys(t *testing.T) {
	text := example(t)
	if err := validator(t)(text); err != nil {
		t.Errorf("the schema refuses the example: %v", err)
	}
	var v any
	if err := manifest.DecodeYAML([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	keys(v, "", there)
	properties(schema(t), "", func(at string, _ *jsonschema.Schema) {
		if !there[at] {
			t.Errorf("the example has no %s", at)
		}
	})
}

func keys(v any, at string, there map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for name, one := range v {
			for _, name := range []string{name, "*"} {
				there[at+name] = true
				keys(one, at+name+".", there)
			}
		}
	case []any:
		for _, one := range v {
			keys(one, at, there)
		}
	}
}

// TestTheSchemaRefuses what an editor can see.
func TestTheSchemaRefuses(t *testing.T) {
	validate := validator(t)
	for _, text := range []string{
		"nix: 1", "interval: 60", "interval: 5 minutes", "ping: example.com", "storm: many", "timezone: 5",
		"sources: {a: {watch: {}}}", "sources: {a: {engine: digdag, watch: {of: true}}}",
		"rules: [{name: a, kind: slow}]", "rules: [{kind: late}]", "rules: [{name: a, kind: late, nix: 1}]",
		"rules: [{name: a, kind: running, threshold: soon}]", "rules: [{name: a, kind: deadline, by: 7}]",
		"routes: [{match: rule=a}]", "receivers: {a b: {console: true}}", "receivers: {a: {template: html}}", "receivers: {a: {file: log}}",
		"actions: [{name: a, match: rule=a}]", "actions: [{name: a, match: rule=a, do: []}]", "actions: [{name: a, match: rule=a, do: {params: {}}}]",
		"silences: [{match: rule=a}]", "windows: [{name: w}]", "exit_codes: {4: nix}", "artifacts: {dir: here}", "prune: {nix: 1}", "ledger: here.db",
	} {
		if err := validate(text); err == nil {
			t.Errorf("the schema takes %s", text)
		}
	}
}
