package main

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/outrider-run/outrider/plugins/digdag/client"
	"github.com/outrider-run/outrider/sdk/observe"
)

const (
	// mostPushed is how many projects' workflows are asked for one by one; more come
	// with those of all projects, 1,000 in a request.
	mostPushed = 10
	// mostRevisions is how many of a project's revisions are known.
	mostRevisions = 2
	// mostLabel is the longest label that is reported, in bytes.
	mostLabel = 500
)

// pushed is what is known of a project's newest push. Each push gives all workflows of
// the project new ids, higher than any before: one above Newest tells of another push.
type pushed struct {
	Newest int64 `json:"newest"`
	// Revisions, the newest first.
	Revisions []revision `json:"revisions,omitempty"`
	// Labels that the owners of its workflows have set in them, by workflow.
	Labels map[string]map[string]string `json:"labels,omitempty"`
}

// revision is that of the workflows whose ids begin with First.
type revision struct {
	First int64  `json:"first"`
	Name  string `json:"name"`
}

// revisionOf is the revision that a workflow's id is of; "" where it is not known.
func (p pushed) revisionOf(id client.ID) string {
	n := number(id)
	for _, r := range p.Revisions {
		if n >= r.First {
			return r.Name
		}
	}
	return ""
}

// labelsOf are those of a workflow of the newest revision: empty where its owner set
// nothing, nil where the revision is not known.
func (p pushed) labelsOf(workflow string) map[string]string {
	if labels := p.Labels[workflow]; labels != nil || len(p.Revisions) == 0 {
		return labels
	}
	return map[string]string{}
}

// with takes in the workflows of the project's newest revision.
func (p pushed) with(workflows []client.Workflow) pushed {
	next := pushed{Newest: p.Newest, Revisions: p.Revisions}
	if len(workflows) == 0 {
		return next
	}
	now := revision{number(workflows[0].ID), workflows[0].Revision}
	for _, w := range workflows {
		n := number(w.ID)
		now.First, next.Newest = min(now.First, n), max(next.Newest, n)
		if labels := labelsOf(w.Config); labels != nil {
			if next.Labels == nil {
				next.Labels = map[string]map[string]string{}
			}
			next.Labels[w.Name] = labels
		}
	}
	if len(p.Revisions) == 0 || p.Revisions[0].First != now.First {
		next.Revisions = append([]revision{now}, p.Revisions...)
		next.Revisions = next.Revisions[:min(len(next.Revisions), mostRevisions)]
	}
	return next
}

// number is an id's; 0 for none.
func number(id client.ID) int64 {
	n, err := strconv.ParseInt(string(id), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// news are the projects of which a workflow is seen whose push is not known, with the
// highest id of one.
func news(known map[client.ID]pushed, rows []row, schedules []client.Schedule) map[client.ID]int64 {
	found := map[client.ID]int64{}
	see := func(project, workflow client.ID) {
		n := number(workflow)
		if p, ok := known[project]; project != "" && n > 0 && (!ok || n > p.Newest) {
			found[project] = max(found[project], n)
		}
	}
	for _, s := range schedules {
		see(s.Project.ID, s.Workflow.ID)
	}
	for _, r := range rows {
		see(r.Project.ID, r.Workflow.ID)
	}
	return found
}

// pushes gets the workflows of what was pushed since the pass before, of all projects
// at the first one. What the server does not give is left as it was, and asked for again
// at the next pass.
func (o *observer) pushes(ctx context.Context, known map[client.ID]pushed, rows []row, schedules []client.Schedule) (map[client.ID]pushed, error) {
	fresh := news(known, rows, schedules)
	if known != nil && len(fresh) == 0 {
		return known, nil
	}
	next := maps.Clone(known)
	by, err := o.workflows(ctx, fresh, known == nil)
	var e *client.Error
	if errors.As(err, &e) {
		o.cannotSee("settings of the owners of workflows: %v", err)
		return known, nil
	}
	if err != nil {
		return nil, told("look at Digdag's workflows", err)
	}
	if next == nil {
		next = map[client.ID]pushed{}
	}
	for project, workflows := range by {
		next[project] = next[project].with(workflows)
	}
	for project, n := range fresh { // a deleted project has attempts, and no workflows
		p := next[project]
		p.Newest = max(p.Newest, n)
		next[project] = p
	}
	return next, nil
}

// workflows gets those of some projects, or of all, by project.
func (o *observer) workflows(ctx context.Context, of map[client.ID]int64, all bool) (map[client.ID][]client.Workflow, error) {
	by := map[client.ID][]client.Workflow{}
	if all || len(of) > mostPushed {
		for w, err := range o.AllWorkflows(ctx) {
			if err != nil {
				return nil, err
			}
			by[w.Project.ID] = append(by[w.Project.ID], w)
		}
		return by, nil
	}
	for _, project := range slices.Sorted(maps.Keys(of)) {
		list, err := o.Workflows(ctx, project, "")
		if isMissing(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		by[project] = list
	}
	return by, nil
}

// labelsOf are what the owner of a workflow set under outrider: in its _export; nil
// without. What is set wrongly is reported all the same, for those who read labels to
// say so; but a text that is to be evaluated is none.
func labelsOf(config json.RawMessage) map[string]string {
	var workflow struct {
		Export struct {
			Outrider map[string]json.RawMessage `json:"outrider"`
		} `json:"_export"`
	}
	if json.Unmarshal(config, &workflow) != nil {
		return nil
	}
	var labels map[string]string
	for _, label := range []string{observe.LabelThreshold, observe.LabelChannel, observe.LabelRunbook, observe.LabelOff} {
		_, key, _ := strings.Cut(label, ".")
		text := textOf(workflow.Export.Outrider[key])
		if text == "" || len(text) > mostLabel || strings.Contains(text, "${") {
			continue
		}
		if labels == nil {
			labels = map[string]string{}
		}
		labels[label] = text
	}
	return labels
}

// textOf is a text, a number or a truth as it was written, or a list of texts with
// commas between them; "" for anything else.
func textOf(raw json.RawMessage) string {
	var value any
	if len(raw) == 0 || json.Unmarshal(raw, &value) != nil {
		return ""
	}
	switch v := value.(type) {
	case string:
		return v
	case bool, float64:
		return string(raw)
	case []any:
		var all []string
		for _, one := range v {
			if text, ok := one.(string); ok {
				all = append(all, text)
			}
		}
		return strings.Join(all, ",")
	}
	return ""
}
