package settings

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/deliver"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/config"
	"github.com/outrider-run/outrider/sdk/manifest"
)

// checking collects what is wrong with a file that could be decoded.
type checking struct {
	file  file
	name  string
	data  []byte
	wrong []error
}

func (c *checking) err() error { return errors.Join(c.wrong...) }

// bad notes what is wrong with what a JSON pointer leads to.
func (c *checking) bad(at, format string, args ...any) {
	c.wrong = append(c.wrong, config.In(c.name, manifest.YAMLErrorAt(c.data, at, fmt.Sprintf(format, args...))))
}

// internal notes an error that no file should be able to cause.
func (c *checking) internal(err error) {
	if err != nil {
		c.wrong = append(c.wrong, config.In(c.name, err))
	}
}

// problems notes those of rules and routes.
func (c *checking) problems(err error) {
	switch e := err.(type) { //nolint:errorlint // each of the joined ones is looked at
	case nil:
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			c.problems(one)
		}
	case *rule.Problem:
		why, _, _ := strings.Cut(e.Why, "\n") // a condition's error draws it too
		c.bad(e.At, "%s", why)
	default:
		c.internal(err)
	}
}

// check holds the parts against each other.
func (c *checking) check(s Settings) {
	names := slices.Sorted(maps.Keys(s.Receivers))
	c.problems(s.Policy.Validate(names))
	if c.file.Interval == 0 && c.has("interval") {
		c.bad("/interval", "want a duration above zero, such as 60s")
	}
	if c.file.Storm == 0 && c.has("storm") {
		c.bad("/storm", "want a number of alerts above zero")
	}
	for _, name := range slices.Sorted(maps.Keys(c.file.Sources)) {
		w := c.file.Sources[name].Watch
		if w.Limit < 0 {
			c.bad(at("sources", name, "watch", "limit"), "want a number of runs above zero")
		}
		if w.Requests < 0 || w.Requests == 0 && c.has("sources", name, "watch", "requests") {
			c.bad(at("sources", name, "watch", "requests"), "want a number of requests above zero")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.file.Receivers)) {
		before := len(c.wrong)
		c.receiver(string(name), c.file.Receivers[name], names)
		r := deliver.Receiver(s.Receivers[string(name)])
		if err := r.Validate(); err != nil && len(c.wrong) == before { // nothing but its template is left
			c.bad(at("receivers", name, "template"), "%s", strings.TrimPrefix(err.Error(), fmt.Sprintf("template: %q is ", r.Template)))
		}
	}
	seen := map[string]bool{}
	for i, a := range c.file.Actions {
		c.action(i, a, s, names)
		if a.Name != "" && seen[a.Name] {
			c.bad(at("actions", i, "name"), "another action has it")
		}
		seen[a.Name] = true
	}
}

func (c *checking) receiver(name string, r receiver, names []string) {
	here := func(field string) string { return at("receivers", name, field) }
	ways := 0
	for _, is := range []bool{r.Component != "", r.Console, r.File != ""} {
		if is {
			ways++
		}
	}
	switch {
	case name == alert.Console:
		c.bad(at("receivers", name), "console is always there; give it another name")
	case ways != 1:
		c.bad(at("receivers", name), "want one of component, console and file")
	case r.Component == "" && r.Params != nil:
		c.bad(here("params"), "they are a component's")
	case r.Component == "" && r.Template != "":
		c.bad(here("template"), "it is for a component")
	}
	if r.Component != "" {
		c.component(here("component"), r.Component)
		c.templates(here("params"), r.Params)
	}
	if r.Fallback == "" {
		return
	}
	if !slices.Contains(names, r.Fallback) {
		c.bad(here("fallback"), "want one of the receivers: %s", strings.Join(names, ", "))
		return
	}
	way := []string{name}
	for next := r.Fallback; next != ""; next = c.file.Receivers[receiverName(next)].Fallback {
		if i := slices.Index(way, next); i >= 0 {
			if i == 0 { // else it is told at the one where the circle begins
				c.bad(here("fallback"), "it leads back to itself: %s", strings.Join(append(way, next), " → "))
			}
			return
		}
		way = append(way, next)
	}
}

func (c *checking) component(at, name string) {
	if err := manifest.CheckName(name); err != nil {
		c.bad(at, "want the name of a component, such as slack.post")
	}
}

// templates checks texts that are templates.
func (c *checking) templates(at string, params object) {
	for here, text := range texts(params) {
		if err := deliver.CheckTemplate("template", text); err != nil {
			c.bad(at+here, "want a template: %s", strings.TrimPrefix(err.Error(), "template: template:"))
		}
	}
}

func (c *checking) action(i int, a act, s Settings, names []string) {
	bad := func(field, format string, args ...any) { c.bad(at("actions", i, field), format, args...) }
	if !isName(a.Name) {
		bad("name", "%s", strings.Replace(wantName, "team", "restart-scheduler", 1))
	}
	if len(a.Match) == 0 {
		bad("match", "want the alerts that it is done for, such as rule=stale,part=scheduler; source=~.* are all")
	}
	if len(a.Do) == 0 {
		bad("do", "want the component to run, such as {component: digdag.retry, params: {…}}, or several")
	}
	for n, step := range s.Actions[i].Do {
		here := at("actions", i, "do")
		if len(a.Do) > 1 || c.isList(here) {
			here = at("actions", i, "do", n)
		}
		c.component(here+"/component", step.Component)
		if below, err := step.Check(); err != nil {
			c.bad(here+below, "%s", strings.TrimPrefix(err.Error(), "template: template:"))
		}
	}
	if a.AtMost < 0 || a.AtMost == 0 && c.has("actions", i, "at_most") {
		bad("at_most", "want a number above zero")
	}
	if a.Window > 0 && a.AtMost == 0 {
		bad("window", "it is that of at_most, which is missing")
	}
	if a.Escalate != "" && !slices.Contains(names, a.Escalate) {
		bad("escalate", "want one of the receivers: %s", strings.Join(names, ", "))
	}
}
