package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/outrider-run/outrider/runner/internal/cli/term"
	"github.com/outrider-run/outrider/sdk/observe"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// printOutputs prints any component's outputs: a line for each value, a table for each
// list of objects.
func (a *app) printOutputs(format string, outputs json.RawMessage) error {
	if format == "json" {
		return term.JSON(a.Out, outputs)
	}
	fields, err := members(outputs)
	if err != nil {
		return broken(fmt.Errorf("read the outputs: %w", err))
	}
	wide := 0
	for _, f := range fields {
		wide = max(wide, len(f.name))
	}
	for _, f := range fields {
		header, rows := tableOf(f.value)
		switch {
		case len(rows) > 0:
			fmt.Fprintf(a.Out, "\n%s\n", f.name)
			if err := term.Table(a.Out, header, rows); err != nil {
				return err
			}
		case isEmpty(f.value):
		default:
			if _, err := fmt.Fprintf(a.Out, "%-*s  %s\n", wide, f.name, plain(f.value)); err != nil {
				return term.Undeliverable(err)
			}
		}
	}
	return nil
}

// member is one value of an object, in the object's own order.
type member struct {
	name  string
	value json.RawMessage
}

func members(object json.RawMessage) (all []member, err error) {
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		m := member{name: fmt.Sprint(name)}
		if err := d.Decode(&m.value); err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

// tableOf is a list of objects as a table; no rows for anything else.
func tableOf(list json.RawMessage) (header []string, rows [][]string) {
	var items []json.RawMessage
	if json.Unmarshal(list, &items) != nil {
		return nil, nil
	}
	var all [][]member
	for _, item := range items {
		if len(item) == 0 || item[0] != '{' {
			return nil, nil
		}
		fields, err := members(item)
		if err != nil {
			return nil, nil
		}
		for _, f := range fields {
			if !slices.Contains(header, f.name) {
				header = append(header, f.name)
			}
		}
		all = append(all, fields)
	}
	for _, fields := range all {
		row := make([]string, len(header))
		for _, f := range fields {
			row[slices.Index(header, f.name)] = term.OneLine(plain(f.value), 80)
		}
		rows = append(rows, row)
	}
	for i := range header {
		header[i] = strings.ToUpper(header[i])
	}
	return header, rows
}

func isEmpty(v json.RawMessage) bool {
	return slices.Contains([]string{"null", `""`, "[]", "{}"}, string(v))
}

// plain is a value as people write it: a run by its address, state and id, a list of
// values with commas.
func plain(v json.RawMessage) string {
	var text string
	var list []json.RawMessage
	var run observe.Run
	switch {
	case len(v) > 0 && v[0] == '{' && json.Unmarshal(v, &run) == nil && run.Address != "" && run.State != "":
		return term.Printable(fmt.Sprintf("%s %s (%s)", run.Address, run.State, run.ID))
	case json.Unmarshal(v, &text) == nil:
		return term.Printable(text)
	case json.Unmarshal(v, &list) == nil:
		words := make([]string, len(list))
		for i, item := range list {
			words[i] = plain(item)
		}
		return strings.Join(words, ", ")
	}
	return term.Printable(string(v))
}

// printUnlessHeard prints outputs as JSON; the text was printed line by line.
func (a *app) printUnlessHeard(format string, outputs json.RawMessage) error {
	if format == "json" {
		return term.JSON(a.Out, outputs)
	}
	return nil
}

// printLines prints log lines of tasks as they come, with a headline where the task
// changes.
func (a *app) printLines() func(*taskv1.LogLine) {
	last, first := "", true
	return func(l *taskv1.LogLine) {
		var fields struct {
			Task string `json:"task"`
		}
		_ = json.Unmarshal(l.GetFields(), &fields)
		if fields.Task == "" {
			a.say("%s", l.GetMessage()) // of the component's own
			return
		}
		if fields.Task != last {
			if !first {
				_, _ = io.WriteString(a.Out, "\n")
			}
			fmt.Fprintf(a.Out, "==> %s <==\n", term.Printable(fields.Task))
		}
		last, first = fields.Task, false
		fmt.Fprintln(a.Out, term.Printable(l.GetMessage()))
	}
}
