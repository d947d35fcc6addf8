package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/outrider-run/outrider/plugins/digdag/client"
	"github.com/outrider-run/outrider/sdk"
)

// pace is how a server is looked at again and again.
type pace struct {
	Every  time.Duration `json:"every" help:"the longest time between two looks; the first ones follow each other faster" default:"15s" min:"1s"`
	Outage time.Duration `json:"outage" help:"how long the server may not answer, as while it restarts" default:"15m" min:"0s"`
}

// pauses grow from a fifteenth of the longest to the longest.
func (p pace) pauses() backoff.BackOff {
	return &backoff.ExponentialBackOff{
		InitialInterval: max(p.Every/15, time.Millisecond), MaxInterval: max(p.Every, time.Millisecond),
		Multiplier: 1.5, RandomizationFactor: 0.2,
	}
}

// until looks until that is done or fails for good. note says how it stands; doing
// begins the error.
func (f *follower) until(ctx context.Context, doing string, look func() (done bool, note string, err error)) error {
	pauses := f.pauses()
	pauses.Reset()
	var down time.Time
	last := "nothing was seen yet"
	for {
		done, note, err := look()
		pause := pauses.NextBackOff()
		var silent *client.Error
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("%s, while %s: %w", doing, last, context.Cause(ctx))
		case err == nil && done:
			f.answered = true
			return nil
		case err == nil:
			if !down.IsZero() {
				f.run.Log().Info("the server answers again", "after", time.Since(down).Round(time.Second))
			}
			f.answered, down, last = true, time.Time{}, note
			f.run.Alive()
		case errors.As(err, &silent) && (silent.Retryable() || f.answered && strange(silent)):
			if down.IsZero() {
				down = time.Now()
				f.run.Log().Warn("the server does not answer; waiting goes on", "for_at_most", f.Outage, "error", err)
			}
			if time.Since(down) >= f.Outage {
				return told(doing, err)
			}
			pause = max(pause, silent.RetryAfter)
		default:
			return told(doing, err)
		}
		if f.timeout > 0 {
			left := f.timeout - time.Since(f.began)
			if left <= 0 {
				return sdk.Code("timeout", fmt.Errorf("%s: %s after %s", doing, last, f.timeout))
			}
			pause = min(pause, left)
		}
		if err := sleep(ctx, pause); err != nil {
			return fmt.Errorf("%s, while %s: %w", doing, last, err)
		}
	}
}

// strange reports whether no Digdag answers so: a proxy may for a while in the place of
// one that restarts.
func strange(e *client.Error) bool {
	return e.Code == client.CodeNotDigdag || e.Code == client.CodeBadAnswer
}

// sleep returns early, with the cause, when ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// underWay reports the progress of an attempt against how long successes took, which
// is asked for once.
func (f *follower) underWay(ctx context.Context, a client.Attempt, note string) string {
	if !f.asked {
		f.asked = true
		took, err := f.history(ctx, a)
		if err != nil {
			f.run.Log().Debug("no history", "error", err)
		}
		f.usual = took
	}
	if note != f.said {
		f.said = note
		args := []any{"link", f.c.Endpoint() + "/attempts/" + string(a.ID)}
		if f.usual > 0 {
			args = append(args, "usually", f.usual, "expected", a.CreatedAt.Add(f.usual).Format(time.RFC3339))
		}
		f.run.Log().Info(note, args...)
	}
	since := time.Since(a.CreatedAt).Round(time.Second)
	note += fmt.Sprintf(", for %s", since)
	switch {
	case f.usual > since:
		note += fmt.Sprintf("; usually %s, so about %s more", f.usual, f.usual-since)
	case f.usual > 0:
		note += fmt.Sprintf("; usually %s, so it is late", f.usual)
	}
	f.run.Progress(min(since, max(f.usual, since)).Seconds(), f.usual.Seconds(), note)
	return note
}

const (
	// historyOf is how many sessions are looked at for how long a workflow takes.
	historyOf = 30
	// historyTasks is the same for a task, which costs a request each.
	historyTasks = 5
)

// history is the median of how long it took from an attempt's creation.
func (f *follower) history(ctx context.Context, a client.Attempt) (time.Duration, error) {
	sessions, err := f.c.SessionsPage(ctx, client.SessionFilter{Project: a.Project.ID, Workflow: a.Workflow.Name, PageSize: historyOf})
	if err != nil || f.task == "" {
		return usual(sessions), err
	}
	var took []time.Duration
	for _, s := range sessions {
		if !s.LastAttempt.Success || len(took) == historyTasks {
			continue
		}
		tasks, err := f.c.Tasks(ctx, s.LastAttempt.ID)
		if err != nil {
			return median(took), err
		}
		v, t, _ := judgeTask(client.Attempt{Workflow: a.Workflow}, tasks, f.task)
		// What was taken over from an earlier attempt ended before this one began.
		if d := t.UpdatedAt.Sub(s.LastAttempt.CreatedAt); v == succeeded && d >= 0 {
			took = append(took, d)
		}
	}
	return median(took), nil
}
