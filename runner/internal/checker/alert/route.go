package alert

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/rule"
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

// Validate names what is wrong with routes, silences and windows, in a *rule.Problem each.
// receivers are those that there are, nil for any.
func (p Policy) Validate(receivers []string) error {
	var wrong []error
	put := func(list string, i int, p *rule.Problem) {
		if p != nil {
			p.At = fmt.Sprintf("/%s/%d%s", list, i, p.At)
			wrong = append(wrong, p)
		}
	}
	known := func(name string) bool { return name != "" && (receivers == nil || slices.Contains(receivers, name)) }
	for i, r := range p.Routes {
		bad := func(field, value, why string) {
			put("routes", i, &rule.Problem{At: "/" + field, Whose: fmt.Sprintf("routes[%d]", i), Field: field, Value: fmt.Sprintf("%q", value), Why: why})
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
		wrong = append(wrong, &rule.Problem{At: "/storm", Whose: "storm", Field: "storm", Value: fmt.Sprint(p.Storm), Why: "want a number of alerts above zero"})
	}
	for i, s := range p.Silences {
		put("silences", i, s.problem())
	}
	for i, w := range p.Windows {
		put("windows", i, w.problem())
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
		if n := len(p.Routes); n > 0 {
			last.Receiver, last.Match = p.Routes[n-1].Receiver, p.Routes[n-1].Match
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
	if to := r.channel(a); to != "" {
		parts = append(parts, "channel="+to)
	}
	return strings.Join(parts, ",")
}

// channel is where a workflow's owner wants an alert told, "" where the route decides: one
// with matchers is for whom it names.
func (r Route) channel(a *Alert) string {
	if len(r.Match) > 0 {
		return ""
	}
	return a.Channel
}
