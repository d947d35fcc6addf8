// Package manifest describes what a plugin serves: its components, their
// parameters and outputs. It holds the types that `PLUGIN describe` prints, the
// *.component.yml of a script component, and the strict YAML dialect that both
// Outrider's files share. It starts nothing and validates no parameters.
package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Schema formats beyond JSON Schema's own that components may use. The value is
// a JSON string in every case; a byte size may be a whole number of bytes too.
const (
	FormatDuration = "go-duration" // 1h30m, as time.ParseDuration has it
	FormatBytes    = "byte-size"   // 64MiB, 10GB, 512
	FormatSecret   = "secret"      // env:NAME or file:PATH
	FormatTime     = "date-time"   // RFC 3339
)

// Manifest is what a plugin binary tells of itself.
type Manifest struct {
	// Protocols are the protocol versions served, rising.
	Protocols []int `json:"protocols"`
	// Version, Revision and Built are the plugin's own stamps, free text.
	Version    string      `json:"version,omitempty"`
	Revision   string      `json:"revision,omitempty"`
	Built      string      `json:"built,omitempty"`
	SDK        string      `json:"sdk,omitempty"`
	Components []Component `json:"components"`
}

// Component is one unit of work.
type Component struct {
	// Name is noun.verb.
	Name string `json:"name"`
	Doc  string `json:"doc,omitempty"`
	// Destructive components ask before they run.
	Destructive bool `json:"destructive,omitempty"`
	// Params and Output are JSON Schemas (2020-12) of type object.
	Params   json.RawMessage `json:"params"`
	Output   json.RawMessage `json:"output,omitempty"`
	Examples []Example       `json:"examples,omitempty"`
}

// Example is a set of parameters that works.
type Example struct {
	Doc    string          `json:"doc,omitempty"`
	Params json.RawMessage `json:"params"`
}

// CheckName reports why s is no component name. It runs at every plugin's start,
// where compiling a pattern would be felt.
func CheckName(s string) error {
	if len(s) > 100 {
		return fmt.Errorf("component name %.20q… is longer than 100 characters", s)
	}
	words := 0
	for word := range strings.SplitSeq(s, ".") {
		words++
		if !isWord(word) {
			words = 0
			break
		}
	}
	if words < 2 {
		return fmt.Errorf("component name %q is not of the form noun.verb (lower-case letters, digits and single underscores)", s)
	}
	return nil
}

// isWord reports whether s is a letter followed by letters, digits and single
// underscores, none of them last.
func isWord(s string) bool {
	last := byte('_')
	for i := range len(s) {
		c := s[i]
		letter, digit := 'a' <= c && c <= 'z', '0' <= c && c <= '9'
		switch {
		case letter, digit && i > 0:
		case c == '_' && last != '_':
		default:
			return false
		}
		last = c
	}
	return last != '_'
}

// Validate reports every bad or repeated name and every component without a
// parameter schema.
func (m Manifest) Validate() error {
	var errs []error
	seen := map[string]bool{}
	for _, c := range m.Components {
		if err := CheckName(c.Name); err != nil {
			errs = append(errs, err)
		}
		if seen[c.Name] {
			errs = append(errs, fmt.Errorf("component %q is defined twice", c.Name))
		}
		seen[c.Name] = true
		if !json.Valid(c.Params) {
			errs = append(errs, fmt.Errorf("component %q has no parameter schema", c.Name))
		}
	}
	return errors.Join(errs...)
}
