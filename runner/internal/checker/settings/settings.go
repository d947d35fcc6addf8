// Package settings is the checker's part of outrider.yml: the sources with how they are
// watched, rules, routes, receivers, actions, silences and windows. It decodes the same
// file as package config, as strictly, and checks what holds between its parts; errors
// name file, line, column, field and value. Secrets stay references.
//
// Nothing is asked, told or done here.
package settings

import (
	"encoding/json"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/action"
	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
)

// Settings are what the checker goes by.
type Settings struct {
	// File is the file that was read; "" if there is none.
	File string
	// Zone of rules and windows that name none.
	Zone     *time.Location
	Interval time.Duration
	// Ping is the URL that is called after each complete pass, or a reference to it; ""
	// for none.
	Ping string
	// Sources are all that are configured, those that are off too.
	Sources map[string]Source
	// Rules are those of the file and the built-in ones, Own those of the file as they are
	// written.
	Rules *rule.Set
	Own   []rule.Rule
	// Policy has routes, storm, and the silences and windows of the file.
	Policy alert.Policy
	// Receivers by name; alert.Console is always there.
	Receivers map[string]Receiver
	Actions   []action.Action
}

// Source is how an engine is watched.
type Source struct {
	Engine string
	// Params of ENGINE.observe: those of the source with those under watch.
	Params json.RawMessage
	Off    bool
	// Timeout of one look, 0 where it is not said, and how far back the first one looks.
	Timeout, History time.Duration
	// Limit of runs in one look; 0 leaves it to the component.
	Limit int
	// Requests of one look, 0 where it is not said: beyond it nothing more is asked.
	Requests int
}

// Receiver is who is told, by a component, on the console or in a file. It has the fields
// of deliver.Receiver in their order.
type Receiver struct {
	Name      string
	Component string
	// Params as they are written: secrets are references, texts with {{ are templates
	// over message.Message.
	Params json.RawMessage
	// Template as it is written; "" is the component's own.
	Template string
	Console  bool
	// File is an absolute path.
	File     string
	Fallback string
	// Recovered: it is told of recoveries too.
	Recovered bool
}
