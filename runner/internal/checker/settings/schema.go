package settings

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
)

// Schema is the JSON Schema (2020-12) of the whole of outrider.yml, the host's keys
// included, for editors. It is made of the types that decode the file; what only holds
// between its parts it does not say.
func Schema() (json.RawMessage, error) {
	s, err := jsonschema.ForType(reflect.TypeFor[file](), &jsonschema.ForOptions{TypeSchemas: typeSchemas()})
	if err != nil {
		return nil, fmt.Errorf("make the schema of outrider.yml: %w", err)
	}
	s.Schema, s.Title, s.Description = "https://json-schema.org/draft/2020-12/schema", "outrider.yml", "The config of Outrider."
	for key, host := range hostSchemas() {
		s.Properties[key] = host
	}
	s.Properties["sources"].AdditionalProperties.AdditionalProperties = &jsonschema.Schema{Description: "a parameter of the engine's components"}
	s.Properties["receivers"].PropertyNames = &jsonschema.Schema{Pattern: namePattern}
	do := s.Properties["actions"].Items.Properties["do"]
	one := do.Items
	do.Type, do.Types, do.Items, do.AnyOf = "", nil, nil, []*jsonschema.Schema{one, {Type: "array", Items: one.CloneSchemas(), MinItems: jsonschema.Ptr(1)}}
	for key, texts := range described() {
		for name, text := range texts {
			s.Properties[key].Items.Properties[name].Description = text
		}
	}
	plain(s)
	return json.MarshalIndent(s, "", "  ")
}

// plain takes off what Go's types say and YAML's writers do not: that a pointer or a list
// may be null.
func plain(s *jsonschema.Schema) {
	if s == nil {
		return
	}
	if len(s.Types) == 2 && s.Types[0] == "null" {
		s.Type, s.Types = s.Types[1], nil
	}
	for _, one := range s.Properties {
		plain(one)
	}
	for _, one := range s.AnyOf {
		plain(one)
	}
	plain(s.Items)
	plain(s.AdditionalProperties)
}

// typeSchemas are of types that are written as texts, or in more than one way.
func typeSchemas() map[reflect.Type]*jsonschema.Schema {
	text := func(example string) *jsonschema.Schema {
		return &jsonschema.Schema{Type: "string", Examples: []any{example}}
	}
	enum := func(values ...any) *jsonschema.Schema { return &jsonschema.Schema{Type: "string", Enum: values} }
	glob := text("etl-*")
	globs := &jsonschema.Schema{AnyOf: []*jsonschema.Schema{glob, {Type: "array", Items: glob.CloneSchemas()}}}
	var kinds []any
	names, _ := rule.Kinds()
	for _, k := range names {
		kinds = append(kinds, string(k))
	}
	duration := text("1d12h")
	duration.Pattern = `^([0-9]+d)?([0-9.]+(h|m|s|ms|us|µs|ns))*$`
	threshold1 := text("usual*1.5")
	threshold1.Pattern = `^([0-9].*|usual( *\* *[0-9.e+-]+)?)$`
	return map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[threshold.Duration](): duration,
		reflect.TypeFor[threshold.Spec]():     threshold1,
		reflect.TypeFor[rule.Kind]():          enum(kinds...),
		reflect.TypeFor[rule.Severity]():      enum(string(rule.None), string(rule.Info), string(rule.Warning), string(rule.Critical)),
		reflect.TypeFor[rule.Zone]():          text("Asia/Tokyo"),
		reflect.TypeFor[rule.Clock]():         {Type: "string", Pattern: `^[0-9]{2}:[0-9]{2}$`, Examples: []any{"07:00"}},
		reflect.TypeFor[rule.Days]():          text("mon-fri"),
		reflect.TypeFor[rule.Glob]():          glob,
		reflect.TypeFor[rule.Globs]():         globs,
		reflect.TypeFor[alert.Matchers]():     text("project=etl,rule=~late|missing"),
		reflect.TypeFor[alert.Cron]():         text("0 2 * * sun"),
		reflect.TypeFor[moment]():             {Type: "string", Format: "date-time"},
		reflect.TypeFor[pingURL]():            {Type: "string", Pattern: `^(https?://|env:|file:).+`},
		reflect.TypeFor[templateName]():       enum(string(slack), string(plainText), string(alertmanager), string(plainJSON), string(bare)),
		reflect.TypeFor[path]():               {Type: "string", Pattern: "^/"},
		reflect.TypeFor[object]():             {Type: "object"},
	}
}

// hostSchemas are of the keys of package config.
func hostSchemas() map[string]*jsonschema.Schema {
	texts := &jsonschema.Schema{Type: "string"}
	object := func(doc string, properties map[string]*jsonschema.Schema) *jsonschema.Schema {
		return &jsonschema.Schema{Type: "object", Description: doc, Properties: properties, AdditionalProperties: &jsonschema.Schema{Not: &jsonschema.Schema{}}}
	}
	return map[string]*jsonschema.Schema{
		"plugin_env":    {Type: "array", Items: texts, Description: "variables that plugins inherit besides the usual ones"},
		"start_timeout": {Type: "string", Description: "how long a plugin may take until it answers, such as 10s"},
		"exit_codes": {
			Type: "object", Description: "what exit codes of commands under exec and sh stand for",
			AdditionalProperties: &jsonschema.Schema{Enum: []any{"success", "skip", "fail", "retry", "permanent"}},
		},
		"ledger":   {Type: "string", Pattern: "^(sqlite:/|postgres(ql)?://)", Description: "where runs are recorded: sqlite:/ABSOLUTE/PATH or postgres://USER@HOST/DATABASE"},
		"instance": {Type: "string", Description: "tells this installation from others in the same ledger"},
		"artifacts": object("what runs leave behind", map[string]*jsonschema.Schema{
			"dir": {Type: "string", Pattern: "^/", Description: "a folder that all hosts of the ledger share"},
		}),
		"prune": object("what the ledger forgets", map[string]*jsonschema.Schema{
			"after": {Type: "string", Description: "how long ended runs are kept, such as 30d"},
			"above": {Type: "string", Description: "from how many bytes on the oldest go earlier, such as 10GB"},
		}),
	}
}

// described are the fields of types of other packages.
func described() map[string]map[string]string {
	rules := map[string]string{
		"name": "a name of its own", "kind": "what it looks for: " + kindsText(),
		"source": "the sources: a pattern, or a list of them", "project": "the projects", "workflow": "the workflows or DAGs", "task": "the tasks; here * goes over slashes too",
		"labels": "labels that have to be there, with a pattern for the value", "threshold": "how long is too long: 2h, usual, or usual*1.5",
		"floor": "what is usual is never below", "cap": "and never above", "for": "for so many checks in a row", "severity": "how bad it is; none tells nobody, for actions alone",
		"owner": "who cares for it", "runbook": "where it stands what to do", "text": "a line for whoever is told",
		"off": "leave alone whom it matches", "continue": "the next rule that matches applies too",
		"failures": "failed: so many failures", "of": "failed: of so many last sessions", "by": "deadline: success by this time of the day", "days": "deadline: on these days",
		"zone": "deadline: in this time zone", "part": "unhealthy, stale: the part of the engine", "signal": "signal: its name, or a pattern",
		"above": "signal: above this; saturated: above this share; overlap: more than so many runs", "below": "signal: below this", "absent": "signal: it is not there",
		"changed": "signal: it has another value", "when": "signal: a condition over value, previous, name, source, labels and signals",
	}
	return map[string]map[string]string{
		"rules": rules,
		"routes": {
			"match": "the alerts; all without it", "receiver": "who is told", "group_by": "what is told together: names such as project, or labels",
			"repeat": "how often it is told again while it fires; default 4h", "after": "unacknowledged for so long, the second receiver is told",
			"second": "the second receiver", "continue": "the next route that matches applies too",
		},
		"windows": {
			"name": "a name for people", "match": "the alerts; all without it", "cron": "when it begins: a crontab's five fields",
			"for": "how long it takes", "zone": "in this time zone",
		},
	}
}

func kindsText() string {
	var all []string
	names, facts := rule.Kinds()
	for _, k := range names {
		all = append(all, fmt.Sprintf("%s (%s)", k, facts[k].Doc))
	}
	return strings.Join(all, ", ")
}
