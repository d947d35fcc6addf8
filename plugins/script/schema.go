package main

import (
	"encoding/json"
	"fmt"

	"github.com/google/jsonschema-go/jsonschema"
)

// outputCheck returns what checks outputs against the manifest's schema, which
// may be empty.
func outputCheck(schema json.RawMessage) (func(json.RawMessage) error, error) {
	if len(schema) == 0 {
		return func(json.RawMessage) error { return nil }, nil
	}
	var s jsonschema.Schema
	if err := json.Unmarshal(schema, &s); err != nil {
		return nil, fmt.Errorf("reading the manifest's output schema: %w", err)
	}
	resolved, err := s.Resolve(nil)
	if err != nil {
		return nil, fmt.Errorf("reading the manifest's output schema: %w", err)
	}
	return func(output json.RawMessage) error {
		var value any
		if err := json.Unmarshal(output, &value); err != nil {
			return fmt.Errorf("reading the output: %w", err)
		}
		if err := resolved.Validate(value); err != nil {
			return fmt.Errorf("the output is not as the manifest's output schema has it: %w", err)
		}
		return nil
	}, nil
}
