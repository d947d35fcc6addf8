package sdktest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/outrider-run/outrider/sdk/internal/schema"
	"github.com/outrider-run/outrider/sdk/manifest"
)

// unknownKey is one that no component has.
const unknownKey = "outrider_conform_unknown"

func checkSchema(t testing.TB, about *manifest.Component, accepts func(json.RawMessage) error, cases []Case) {
	t.Helper()
	params, err := compile(about.Params)
	if err != nil {
		t.Errorf("schema: the schema of the parameters: %v", err)
		return
	}
	if len(about.Output) > 0 {
		if _, err := compile(about.Output); err != nil {
			t.Errorf("schema: the schema of the output: %v", err)
		}
	}
	given := make([]json.RawMessage, 0, len(about.Examples)+len(cases))
	for _, e := range about.Examples {
		given = append(given, e.Params)
	}
	for _, c := range cases {
		given = append(given, json.RawMessage(c.Params))
	}
	for _, raw := range given {
		if err := validate(params, raw); err != nil {
			t.Errorf("examples: the schema refuses %s: %v", raw, err)
			continue
		}
		if accepts != nil {
			if err := accepts(raw); err != nil {
				t.Errorf("examples: the component refuses %s: %v", raw, err)
			}
		}
		if validate(params, withUnknownKey(raw)) == nil {
			t.Errorf("unknown keys: the schema accepts %s", withUnknownKey(raw))
		}
	}
	if len(given) == 0 && validate(params, json.RawMessage(`{"`+unknownKey+`":1}`)) == nil {
		t.Errorf("unknown keys: the schema accepts any")
	}
}

func compile(raw json.RawMessage) (*jsonschema.Resolved, error) {
	var s jsonschema.Schema
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	return s.Resolve(nil)
}

func validate(s *jsonschema.Resolved, raw json.RawMessage) error {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	return s.Validate(v)
}

func withUnknownKey(raw json.RawMessage) json.RawMessage {
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) != nil || object == nil {
		return raw
	}
	object[unknownKey] = json.RawMessage(`1`)
	out, err := json.Marshal(object)
	if err != nil {
		return raw
	}
	return out
}

func checkOutcome(t testing.TB, about *manifest.Component, o Outcome, secrets []string) {
	t.Helper()
	if o.State == Success && len(about.Output) > 0 {
		if s, err := compile(about.Output); err == nil {
			if err := validate(s, o.Output); err != nil {
				t.Errorf("output: %s is not what the component describes: %v", o.Output, err)
			}
		}
	}
	if o.Stdout != "" {
		t.Errorf("stdout: the component prints %.200q; use run.Log()", o.Stdout)
	}
	texts := []string{o.Error, o.Stack, o.Stderr, o.Stdout, string(o.Output)}
	for _, l := range o.Logs {
		if l.Source == "stdout" {
			t.Errorf("stdout: the component prints %.200q; use run.Log()", l.Message)
		}
		texts = append(texts, l.Message, fmt.Sprint(l.Fields))
	}
	for _, p := range o.Progress {
		texts = append(texts, p.Note)
	}
	for _, secret := range secrets {
		for _, form := range encodings(secret) {
			for _, text := range texts {
				if strings.Contains(text, form) {
					t.Errorf("secrets: one stands in %.200q", text)
				}
			}
		}
	}
}

// secretsOf returns the values of the secrets among params.
func secretsOf(t testing.TB, about *manifest.Component, params string) []string {
	t.Helper()
	var s jsonschema.Schema
	var v any
	if json.Unmarshal(about.Params, &s) != nil || json.Unmarshal([]byte(params), &v) != nil {
		return nil // told already
	}
	var found []string
	schema.ReplaceSecrets(&s, v, func(secret string) string {
		if len(secret) < 6 {
			t.Errorf("secrets: a case has one of %d characters, which cannot be looked for", len(secret))
		} else {
			found = append(found, secret)
		}
		return secret
	})
	return found
}

// encodings are the forms in which a secret would be one still.
func encodings(secret string) []string {
	quoted, _ := json.Marshal(secret)
	forms := []string{secret, string(quoted[1 : len(quoted)-1]), url.QueryEscape(secret), url.PathEscape(secret)}
	// In base64 a text looks in one of three ways, by where it begins.
	for shift := range 3 {
		padded := strings.Repeat("\x00", shift) + secret
		from, to := (shift*8+5)/6, len(padded)*8/6
		forms = append(
			forms,
			base64.RawStdEncoding.EncodeToString([]byte(padded))[from:to],
			base64.RawURLEncoding.EncodeToString([]byte(padded))[from:to],
		)
	}
	return forms
}
