package config

import (
	"encoding/json"
	"errors"
	"regexp"
)

// Source is an engine that verbs act on and the checker watches.
type Source struct {
	// Engine names the plugin's components: digdag.status is that of a Digdag.
	Engine string
	// Params are for these components, a JSON object: endpoint, user and so on.
	Params json.RawMessage
	// Watch is what the checker reads of how it is watched; nil where nothing is said.
	Watch json.RawMessage
}

// UnmarshalJSON takes the engine and the watch out and leaves the rest to the components, whose
// schemas know it.
func (s *Source) UnmarshalJSON(raw []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return errors.New("want a mapping such as {engine: digdag, endpoint: http://HOST:65432}")
	}
	if json.Unmarshal(fields["engine"], &s.Engine) != nil || !isEngine(s.Engine) {
		return errors.New("want engine: digdag or airflow, or the first word of another plugin's components")
	}
	s.Watch = fields["watch"]
	delete(fields, "engine")
	delete(fields, "watch")
	var err error
	s.Params, err = json.Marshal(fields)
	return err
}

func isEngine(name string) bool {
	ok, err := regexp.MatchString(`^[a-z][a-z0-9_]*$`, name)
	return err == nil && ok
}

// sourceName is what stands before the colon of an address.
type sourceName string

func (n *sourceName) UnmarshalText(text []byte) error {
	ok, err := regexp.Match(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`, text)
	if err != nil || !ok {
		return errors.New("want a short name of letters, digits, _, - and dots, such as prod")
	}
	*n = sourceName(text)
	return nil
}
