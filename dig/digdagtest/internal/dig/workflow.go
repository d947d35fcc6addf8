// Package dig reads Digdag projects: the .dig files of an archive, the rules
// for what may stand in them, and the tasks that a workflow is made of.
//
// It computes nothing and runs nothing. What a real Digdag knows and the double
// does not is refused here, by name, when a project is pushed.
package dig

import (
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // zones of workflows, also where the machine has none

	"github.com/outrider-run/outrider/dig/digdagtest/internal/conf"
)

// Definition is a workflow as the server keeps it.
type Definition struct {
	Name     string
	Config   *conf.Object
	TimeZone string
}

// topLevel are the directives that may stand beside the tasks of a workflow, in
// the order in which the server gives them back.
func topLevel() []string {
	return []string{"schedule", "sla", "_error", "_check", "_retry", "_parallel"}
}

// checkWorkflow checks the name of a pushed workflow. One that call> reads may stand in a
// folder.
func checkWorkflow(name string) error {
	if strings.ContainsAny(name[:min(1, len(name))], `+^@/\:*?"<>|`) {
		return fmt.Errorf("name must not include special symbols (+ ^ @ / \\ / : * ? \" < > |): %q", name)
	}
	if err := checkName("+" + name); err != nil {
		return fmt.Errorf("name %w", err)
	}
	return nil
}

// Load reads a .dig file and checks that every task of it can be run.
func Load(name string, text []byte) (Definition, error) {
	file, err := Parse(text)
	if err != nil {
		return Definition{}, err
	}
	d, err := definition(name, file)
	if err != nil {
		return Definition{}, err
	}
	if _, err := time.LoadLocation(d.TimeZone); err != nil {
		return Definition{}, fmt.Errorf("timezone: %w", err)
	}
	_, err = Compile("", "+"+name, d.Config)
	return d, err
}

func definition(name string, file *conf.Object) (Definition, error) {
	d := Definition{Name: name, TimeZone: "UTC", Config: conf.New()}
	left := file.Clone()
	take := func(key string) (any, bool) {
		v, ok := left.Get(key), left.Has(key)
		left.Delete(key)
		return v, ok
	}
	if zone, ok := take("timezone"); ok {
		d.TimeZone = conf.String(zone)
	}
	if export, ok := take("_export"); ok && export != nil {
		if _, isObject := export.(*conf.Object); !isObject {
			return d, fmt.Errorf("_export must be an object, not %s", conf.Text(export))
		}
		if export.(*conf.Object).Len() > 0 {
			d.Config.Set("_export", export)
		}
	}
	for _, key := range topLevel() {
		if v, ok := take(key); ok {
			d.Config.Set(key, v)
		}
	}
	for _, key := range file.Keys() {
		if strings.HasPrefix(key, "+") {
			v, _ := take(key)
			d.Config.Set(key, v)
		}
	}
	if left.Len() > 0 {
		return d, say("Workflow '%s' includes unknown keys: [%s]", name, strings.Join(left.Keys(), ", "))
	}
	return d, nil
}

// said is an error in Digdag's own words, capital letters and all.
type said string

func (s said) Error() string { return string(s) }

func say(format string, args ...any) error { return said(fmt.Sprintf(format, args...)) }
