// Package manifest describes what a plugin serves: its components, their
// parameters and outputs. It holds the types that `PLUGIN describe` prints, the
// *.component.yml of a script component, and the strict YAML dialect that both
// Outrider's files share. It starts nothing and validates no parameters.
package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"sync"
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

// name is compiled on first use: this package is linked into every plugin.
var name = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*(\.[a-z][a-z0-9]*(_[a-z0-9]+)*)+$`)
})

// CheckName reports why s is no component name.
func CheckName(s string) error {
	if len(s) > 100 {
		return fmt.Errorf("component name %.20q… is longer than 100 characters", s)
	}
	if !name().MatchString(s) {
		return fmt.Errorf("component name %q is not of the form noun.verb (lower-case letters, digits and single underscores)", s)
	}
	return nil
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
