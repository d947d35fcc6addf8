package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/outrider-run/outrider/plugins/airflow/client"
	"github.com/outrider-run/outrider/plugins/airflow/internal/address"
	"github.com/outrider-run/outrider/sdk"
)

// all clears all runs that a pattern and the filters name.
func (d *clearer) all(ctx context.Context) (clearOutput, error) {
	pattern, err := address.ParsePattern(d.p.Address)
	if err != nil {
		return clearOutput{}, sdk.Permanent(sdk.Code("bad_address", err))
	}
	since, err := parseSince(d.p.Since)
	if err != nil {
		return clearOutput{}, err
	}
	from := since.in(time.Local, time.Now())
	doing := fmt.Sprintf("clearing %s since %s", d.p.Address, from.Format(time.RFC3339))
	list, err := d.matching(ctx, pattern, from)
	if err != nil {
		return clearOutput{}, told(doing, err)
	}
	picked, left := pick(list, d.p.AtMost)
	if left > 0 && !d.p.DryRun {
		return clearOutput{}, sdk.Permanent(sdk.Code("too_many", fmt.Errorf(
			"%s: %d runs match, more than at_most %d: nothing was done; look at them with dry_run, then narrow the address or since, or raise at_most", doing, len(picked)+left, d.p.AtMost)))
	}
	out := clearOutput{Attempts: []cleared{}, Left: left, DryRun: d.p.DryRun}
	d.run.Log().Info("runs to clear", "found", len(picked)+left, "at_most", d.p.AtMost, "since", from.Format(time.RFC3339))
	first := ""
	for i, r := range picked {
		d.run.Progress(float64(i), float64(len(picked)), runAddress(r))
		one, err := d.one(ctx, r)
		if ctx.Err() != nil {
			return out, fmt.Errorf("%s, after %d of %d: %w", doing, i, len(picked), context.Cause(ctx))
		}
		switch {
		case err != nil:
			one.Code, one.Error = codeOf(err), err.Error()
			out.Failed++
			first = cmp.Or(first, one.Old.Address+": "+one.Error)
			d.run.Log().Error("not cleared", "run", runAddress(r), "error", err)
		case len(one.Tasks) > 0:
			out.Retried++
		}
		out.Attempts = append(out.Attempts, one)
	}
	switch {
	case out.Failed > 0 && !d.p.Partial:
		return out, sdk.Code("partly_failed", fmt.Errorf("%s: %d of %d could not be cleared, the first %s", doing, out.Failed, len(picked), first))
	case out.Retried+out.Failed == 0:
		return out, sdk.Unchanged()
	}
	return out, nil
}

// matching are the runs of DAGs that a pattern names, in the states that are asked
// for, that ended since a time; and those that an earlier try of this run began with,
// which may be open again.
func (d *clearer) matching(ctx context.Context, pattern address.Pattern, from time.Time) ([]client.DAGRun, error) {
	states := []string{d.p.State}
	if d.p.State == "any" {
		states = []string{"failed", "success"}
	}
	var list []client.DAGRun
	n := 0
	for r, err := range d.c.Runs(ctx, client.RunFilter{States: states, EndedSince: from}) {
		if err != nil {
			return nil, err
		}
		if n++; n%1000 == 0 {
			d.run.Progress(float64(n), 0, fmt.Sprintf("%d runs looked at", n))
		}
		// A proxy may drop what it does not know of a query.
		if pattern.Match(r.DAG) && slices.Contains(states, r.State) && !r.End.Before(from) {
			list = append(list, r)
		}
	}
	for name := range d.begun.Runs {
		a, err := address.Parse(name)
		if err != nil || slices.ContainsFunc(list, func(r client.DAGRun) bool { return runAddress(r) == name }) {
			continue
		}
		r, err := d.c.Run(ctx, a.DAG, a.Run.ID)
		switch {
		case isMissing(err): // it was deleted
		case err != nil:
			return nil, err
		default:
			list = append(list, r)
		}
	}
	return list, nil
}

// pick are the runs of a bulk clear, the oldest first and at most so many. left is how
// many there are beyond.
func pick(list []client.DAGRun, most int) (picked []client.DAGRun, left int) {
	picked = slices.Clone(list)
	slices.SortFunc(picked, func(a, b client.DAGRun) int {
		return cmp.Or(address.TimeOf(a).Compare(address.TimeOf(b)), strings.Compare(a.DAG, b.DAG), strings.Compare(a.ID, b.ID))
	})
	if left = len(picked) - most; left > 0 {
		return picked[:most], left
	}
	return picked, 0
}
