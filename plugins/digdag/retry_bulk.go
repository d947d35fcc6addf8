package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/outrider-run/outrider/plugins/digdag/client"
	"github.com/outrider-run/outrider/plugins/digdag/internal/address"
	"github.com/outrider-run/outrider/sdk"
)

// openFor is how long before since an attempt may have been asked for that ended after
// it.
const openFor = 24 * time.Hour

// isPattern reports whether an address names many.
func isPattern(text string) bool {
	name, _, _ := strings.Cut(text, "@")
	return strings.ContainsAny(name, "*?[")
}

// retryAllOf retries all attempts that a pattern and the filters name.
func retryAllOf(ctx context.Context, run *sdk.Run, c *client.Client, p retryParams) (retryOutput, error) {
	pattern, err := address.ParsePattern(p.Address)
	if err != nil {
		return retryOutput{}, sdk.Permanent(sdk.Code("bad_address", err))
	}
	if p.Mode == retryFrom && p.From == "" {
		return retryOutput{}, sdk.Permanent(sdk.Code("bad_params", errors.New("mode from: from which task? give from")))
	}
	since, err := parseSince(p.Since)
	if err != nil {
		return retryOutput{}, err
	}
	from := since.in(time.Local, time.Now())
	doing := fmt.Sprintf("retrying %s since %s", p.Address, from.Format(time.RFC3339))
	list, err := endedSince(ctx, run, c, from)
	if err != nil {
		return retryOutput{}, told(doing, err)
	}
	picked, left := pick(list, func(a client.Attempt) bool {
		return pattern.Match(a.Project.Name, a.Workflow.Name) && inState(a, p.State)
	}, p.AtMost)
	if left > 0 && !p.DryRun {
		return retryOutput{}, sdk.Permanent(sdk.Code("too_many", fmt.Errorf(
			"%s: %d attempts match, more than at_most %d: nothing was done; look at them with dry_run, then narrow the address or since, or raise at_most", doing, len(picked)+left, p.AtMost)))
	}
	out := retryOutput{Attempts: []retried{}, Left: left, DryRun: p.DryRun}
	run.Log().Info("attempts to retry", "found", len(picked)+left, "at_most", p.AtMost, "since", from.Format(time.RFC3339))
	for i, a := range picked {
		run.Progress(float64(i), float64(len(picked)), sessionAddress(a))
		one, err := retryOne(ctx, run, c, a, p)
		if ctx.Err() != nil {
			return out, fmt.Errorf("%s, after %d of %d: %w", doing, i, len(picked), context.Cause(ctx))
		}
		if err != nil {
			one.Old, one.SessionUUID = attemptRun(c, a), a.SessionUUID
			one.Code, one.Error = codeOf(err), err.Error()
			out.Failed++
			run.Log().Error("not retried", "attempt", a.ID, "session", sessionAddress(a), "error", err)
		} else {
			out.Retried++
		}
		out.Attempts = append(out.Attempts, one)
	}
	switch {
	case out.Failed > 0 && !p.Partial:
		return out, sdk.Code("partly_failed", fmt.Errorf("%s: %d of %d could not be retried, the first %s: %s", doing, out.Failed, len(picked), firstFailed(out).Old.Address, firstFailed(out).Error))
	case len(picked) == 0:
		return out, sdk.Unchanged()
	}
	return out, nil
}

// endedSince are the last attempts of all sessions that ended since a time.
func endedSince(ctx context.Context, run *sdk.Run, c *client.Client, from time.Time) ([]client.Attempt, error) {
	var list []client.Attempt
	n := 0
	for a, err := range c.Attempts(ctx, client.AttemptFilter{}) {
		if err != nil {
			return nil, err
		}
		if n++; n%1000 == 0 {
			run.Progress(float64(n), 0, fmt.Sprintf("%d attempts looked at, back to %s", n, a.CreatedAt.Format(time.RFC3339)))
		}
		if a.CreatedAt.Before(from.Add(-openFor)) {
			break
		}
		if a.Done && !a.FinishedAt.Before(from) {
			list = append(list, a)
		}
	}
	return list, nil
}

func inState(a client.Attempt, state string) bool {
	switch a.State() {
	case client.Failed:
		return state != "cancelled"
	case client.Killed:
		return state != "failed"
	}
	return false
}

// codeOf is the code of an error that is told in the output only.
func codeOf(err error) string {
	var e *client.Error
	var none *address.Missing
	switch {
	case errors.As(err, &e):
		return e.Code
	case errors.As(err, &none):
		return client.CodeNotFound
	case errors.Is(err, errStillRuns):
		return "still_running"
	}
	return "cannot_resume"
}

func firstFailed(out retryOutput) retried {
	for _, a := range out.Attempts {
		if a.Error != "" {
			return a
		}
	}
	return retried{}
}
