package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/outrider-run/outrider/plugins/notify/internal/target"
	"github.com/outrider-run/outrider/sdk"
)

type notifyParams struct {
	Targets map[string]sdk.Secret `json:"targets" help:"Where to send, by a name of your own: service addresses of shoutrrr, such as smtp://user:password@host:587/?from=…&to=…" min:"1"`
	Title   string                `json:"title,omitempty" help:"The subject, or the first line where a service has none"`
	Message string                `json:"message" help:"The text" min:"1"`
	Timeout time.Duration         `json:"timeout" help:"How long each target may take" default:"30s" min:"1s"`
}

type notifyOutput struct {
	Results []notifyResult `json:"results" help:"One for each target, by name"`
}

type notifyResult struct {
	Target  string `json:"target" help:"Its name"`
	Service string `json:"service" help:"What it is, such as smtp"`
	Earlier bool   `json:"earlier" help:"An attempt before this one sent it"`

	has []string // who has it, as sentBefore names them
	err error
}

// sentBefore is the checkpoint: the targets that a failed attempt did reach, each by
// its name and, of a mail to several, its recipient's key.
type sentBefore struct {
	Sent []string `json:"sent"`
}

func notifySend() sdk.Component {
	return sdk.Define("notify.send", notify,
		sdk.Doc(`Sends a message by mail, Teams, Discord, PagerDuty, ntfy, Mattermost, Telegram and other services.

A target is an address of the library shoutrrr, in which token or password stand: see shoutrrr.nickfedor.com for each service's. All targets are tried; when one fails the run fails after the others were tried, with the reason for each. A retry then sends to those alone that failed; of a mail to several, to the recipients that did not get it.

A status of 200 is not believed where the answer tells an error, as Teams' and other webhooks do. An answer that is lost (timed_out, unreachable) may be one to a message that arrived: a retry sends it again.`),
		sdk.Example("A mail", `{"targets": {"oncall": "env:ONCALL_MAIL"}, "title": "orders are late", "message": "The session of 2026-03-01 has not ended."}`),
		sdk.Example("Two services", `{"targets": {"team": "env:TEAMS_URL", "pager": "file:/etc/outrider/pager"}, "message": "orders failed"}`))
}

func notify(ctx context.Context, run *sdk.Run, p notifyParams) (notifyOutput, error) {
	var before sentBefore
	if _, err := run.Restore(&before); err != nil {
		return notifyOutput{}, fmt.Errorf("read what the attempt before has sent: %w", err)
	}
	results := sendAll(ctx, run, p, before.Sent)
	if cause := context.Cause(ctx); cause != nil {
		// The run is over; its host may still take what was reached.
		last, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer stop()
		return notifyOutput{}, errors.Join(cause, remember(last, run, results))
	}
	if err := sumUp(results); err != nil {
		return notifyOutput{}, errors.Join(err, remember(ctx, run, results))
	}
	if len(before.Sent) > 0 { // or a forced repetition would send nothing
		if err := run.Checkpoint(ctx, sentBefore{Sent: []string{}}); err != nil {
			run.Log().Warn("cannot forget what the attempt before has sent", "error", err)
		}
	}
	return notifyOutput{Results: results}, nil
}

// sendAll tries all targets at once; the results are in the order of their
// names.
func sendAll(ctx context.Context, run *sdk.Run, p notifyParams, sent []string) []notifyResult {
	names := slices.Sorted(maps.Keys(p.Targets))
	results := make([]notifyResult, len(names))
	var all sync.WaitGroup
	for i, name := range names {
		results[i] = notifyResult{Target: name, Service: target.Service(p.Targets[name].Reveal())}
		all.Go(func() { results[i].send(ctx, run, p, sent) })
	}
	all.Wait()
	return results
}

// send sends to those that are not among sent.
func (r *notifyResult) send(ctx context.Context, run *sdk.Run, p notifyParams, sent []string) {
	var left []target.Receiver
	all, err := target.Open(p.Targets[r.Target].Reveal())
	for _, to := range all {
		if slices.Contains(sent, r.id(to.Key)) {
			r.has = append(r.has, r.id(to.Key))
		} else {
			left = append(left, to)
		}
	}
	var reached []string
	switch {
	case err != nil:
		r.err = err
	case len(left) == 0:
		r.Earlier = true
		run.Log().Info("sent by an earlier attempt", "target", r.Target)
		return
	default:
		reached, r.err = target.Send(ctx, left, p.Title, p.Message, p.Timeout)
	}
	for _, key := range reached {
		r.has = append(r.has, r.id(key))
	}
	if r.err != nil {
		run.Log().Warn("not sent", "target", r.Target, "service", r.Service, "why", r.err)
		return
	}
	run.Log().Info("sent", "target", r.Target, "service", r.Service)
}

// id names one receiver of the target in a checkpoint.
func (r *notifyResult) id(key string) string {
	if key == "" {
		return r.Target
	}
	return r.Target + "/" + key
}

// sumUp makes one error of all that failed. It is permanent when no failure is
// one that a retry may mend.
func sumUp(results []notifyResult) error {
	var failed, sent []string
	var codes []string
	permanent := true
	for _, r := range results {
		if r.err == nil {
			sent = append(sent, r.Target)
			continue
		}
		code := "failed"
		var f *target.Fault
		if errors.As(r.err, &f) {
			code = f.Code
		}
		permanent = permanent && f != nil && f.Permanent
		codes = append(codes, code)
		failed = append(failed, fmt.Sprintf("%s (%s, %s): %v", r.Target, r.Service, code, r.err))
	}
	if len(failed) == 0 {
		return nil
	}
	text := fmt.Sprintf("%d of %d targets failed: %s", len(failed), len(results), strings.Join(failed, "; "))
	if len(sent) > 0 {
		text += "; sent: " + strings.Join(sent, ", ")
	}
	err := sdk.Code(commonCode(codes), errors.New(text))
	if permanent {
		return sdk.Permanent(err)
	}
	return err
}

// commonCode is the targets' code when they have the same.
func commonCode(codes []string) string {
	if len(slices.Compact(slices.Sorted(slices.Values(codes)))) == 1 {
		return codes[0]
	}
	return "notify_failed"
}

// remember stores who was reached, so that a retry does not tell them twice.
func remember(ctx context.Context, run *sdk.Run, results []notifyResult) error {
	var done sentBefore
	for _, r := range results {
		done.Sent = append(done.Sent, r.has...)
	}
	if len(done.Sent) == 0 {
		return nil
	}
	if err := run.Checkpoint(ctx, done); err != nil {
		return fmt.Errorf("store which targets were reached: %w", err)
	}
	return nil
}
