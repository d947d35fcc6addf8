package alert

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
)

// Route says who is told. The first that matches does, and the next one too where it
// says continue.
type Route struct {
	Match    Matchers `json:"match,omitempty"`
	Receiver string   `json:"receiver"`
	// GroupBy are names whose values make an incident; project, workflow and rule of a
	// source where none are given.
	GroupBy []string           `json:"group_by,omitempty"`
	Repeat  threshold.Duration `json:"repeat,omitzero"` // 4h where it is not given
	// After so long unacknowledged the Second receiver is told.
	After    threshold.Duration `json:"after,omitzero"`
	Second   string             `json:"second,omitempty"`
	Continue bool               `json:"continue,omitempty"`
}

// Policy is what the config says of telling.
type Policy struct {
	Routes   []Route   `json:"routes,omitempty"`
	Silences []Silence `json:"silences,omitempty"`
	Windows  []Window  `json:"windows,omitempty"`
	// Storm is from how many new alerts at once on a receiver gets one digest; 10 where it
	// is 0.
	Storm int `json:"storm,omitempty"`
}

// Validate names what is wrong with routes, silences and windows. receivers are those
// that there are, nil for any.
func (p Policy) Validate(receivers []string) error {
	var wrong []error
	known := func(name string) bool { return name != "" && (receivers == nil || slices.Contains(receivers, name)) }
	for i, r := range p.Routes {
		bad := func(field string, value any, why string) {
			wrong = append(wrong, fmt.Errorf("routes[%d]: %s: %q: %s", i, field, fmt.Sprint(value), why))
		}
		if !known(r.Receiver) {
			bad("receiver", r.Receiver, "want one of the receivers")
		}
		if r.Second != "" && !known(r.Second) {
			bad("second", r.Second, "want one of the receivers")
		}
		if (r.Second == "") != (r.After == 0) {
			bad("second", r.Second, "second and after belong together")
		}
		if r.Second != "" && r.Second == r.Receiver {
			bad("second", r.Second, "it is the first receiver too")
		}
		if slices.Contains(r.GroupBy, "") {
			bad("group_by", "", "want names such as project or a label's")
		}
	}
	if p.Storm < 0 {
		wrong = append(wrong, fmt.Errorf("storm: %d: want a number of alerts above zero", p.Storm))
	}
	for _, s := range p.Silences {
		if err := s.Validate(); err != nil {
			wrong = append(wrong, fmt.Errorf("silence %s: %w", s.ID, err))
		}
	}
	for _, w := range p.Windows {
		wrong = append(wrong, w.Validate())
	}
	return errors.Join(wrong...)
}

const (
	defaultRepeat = threshold.Duration(4 * time.Hour)
	defaultStorm  = 10
	// Console is the receiver where no route is given.
	Console = "console"
)

// routes for an alert. One that no route matches is told by the last route's receiver,
// so that nothing is lost.
func (p Policy) routes(a *Alert) (all []Route) {
	for _, r := range p.Routes {
		if !r.Match.Match(&a.Finding) {
			continue
		}
		all = append(all, r)
		if !r.Continue {
			return all
		}
	}
	if len(all) == 0 {
		last := Route{Receiver: Console}
		if len(p.Routes) > 0 {
			last.Receiver = p.Routes[len(p.Routes)-1].Receiver
		}
		all = append(all, last)
	}
	return all
}

func (r Route) repeat() threshold.Duration { return cmp.Or(r.Repeat, defaultRepeat) }

// group is what an alert is told together with.
func (r Route) group(a *Alert) string {
	by := r.GroupBy
	if len(by) == 0 {
		by = []string{"source", "project", "workflow", "rule"}
		if a.Workflow == "" {
			by = []string{"source", "rule", "part"}
		}
	}
	var parts []string
	for _, name := range by {
		parts = append(parts, name+"="+a.Get(name))
	}
	if a.Channel != "" {
		parts = append(parts, "channel="+a.Channel)
	}
	return strings.Join(parts, ",")
}
