package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/ledger"
	"github.com/outrider-run/outrider/runner/internal/run"
)

// What becomes of a run that the ledger does not grant at once.

// settle takes a run that was not granted at once to its grant, or to the outcome
// that it has instead; done tells which.
func (r *recorder) settle(ctx context.Context) (o run.Outcome, done bool, err error) {
	<-r.begun
	if r.err != nil {
		return o, true, stopped(ctx, r.err)
	}
	a := r.answer
	if a.Verdict == ledger.Waiting && r.ask.onBusy != busyWait {
		return r.giveUp(ctx, busyText(a), r.ask.onBusy == busySkip)
	}
	if a.Verdict == ledger.Waiting || a.Verdict == ledger.Joining {
		if a, err = r.await(ctx, a); err != nil {
			if errors.Is(err, errWaitMax) {
				return r.giveUp(ctx, fmt.Sprintf("waited %s, and still %s", r.ask.waitMax, busyText(r.answer)), false)
			}
			return r.stoppedWaiting(ctx, err)
		}
	}
	of := a.Of
	switch a.Verdict {
	case ledger.Hit:
		hint := ""
		if r.req.Once != "" {
			hint = "; to force: outrider once forget " + quote(r.req.Once)
		}
		r.say("not run: succeeded %s as %s%s", of.EndedAt.Local().Format("2006-01-02 15:04"), of.ID, hint)
	case ledger.Joined:
		r.say("not run: joined %s, which ended as %s", of.ID, of.State)
	case ledger.Remembered:
		r.say("not run: an earlier try, %s, failed for good; to force: OUTRIDER_FORCE=1", of.ID)
	default:
		r.answer = a
		r.joins.Store(r.entry.Joinable())
		return o, false, nil
	}
	r.recorded = false
	return taken(of), true, nil
}

// taken is the outcome of a run whose result another call takes.
func taken(of ledger.Run) run.Outcome {
	o := run.Outcome{
		State: of.State, Code: of.Code, Message: of.Message, Permanent: of.Permanent,
		Output: of.Output, Attempts: of.Attempts, Broken: of.State == run.Crashed,
	}
	if of.Command {
		o.Command = &of.ExitCode
		o.Output = nil
	}
	return o
}

var errWaitMax = errors.New("waited long enough")

// await waits in line, and tells who is before it: at once, and each minute.
func (r *recorder) await(ctx context.Context, a ledger.Answer) (ledger.Answer, error) {
	if r.ask.waitMax > 0 && a.Verdict == ledger.Waiting {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, r.ask.waitMax, errWaitMax)
		defer cancel()
	}
	r.tell(ctx, a)
	last := time.Now()
	return r.entry.Await(ctx, func(now ledger.Answer) {
		r.answer = now
		if time.Since(last) >= time.Minute {
			last = time.Now()
			r.tell(ctx, now)
		}
	})
}

func (r *recorder) tell(ctx context.Context, a ledger.Answer) {
	if a.Verdict == ledger.Joining {
		r.say("waiting for the end of %s, which does the same (%s)", a.Of.ID, onHost(a.Of.Host, a.Of.PID))
		return
	}
	text := busyText(a)
	var holders []ledger.Holder
	for _, b := range a.Busy {
		holders = append(holders, b.Holders...)
	}
	if due, err := r.ledger.Due(ctx, holders); err == nil && !due.IsZero() {
		text += "; usually until " + due.Local().Format("15:04:05")
	}
	r.say("waiting: %s", text)
}

// busyText says what stands in the way, with its holder and the place in line.
func busyText(a ledger.Answer) string {
	var all []string
	for _, b := range a.Busy {
		text := b.Resource + " is busy"
		for _, h := range b.Holders {
			text += fmt.Sprintf(", held by %s (%s) since %s", h.Run, onHost(h.Host, h.PID), h.Since.Local().Format("15:04:05"))
		}
		if b.Position > 0 {
			text += fmt.Sprintf(", %d before this", b.Position)
		}
		all = append(all, text)
	}
	return strings.Join(all, "; ")
}

func onHost(name string, pid int) string { return fmt.Sprintf("process %d on %s", pid, name) }

// giveUp ends a run that does not wait any longer: as skipped, or with exit code 75,
// and then its place in line is kept for a while.
func (r *recorder) giveUp(ctx context.Context, why string, skip bool) (run.Outcome, bool, error) {
	o := run.Outcome{State: run.Failed, Code: run.CodeBusy, Message: why}
	if skip {
		o.State = run.Skipped
	}
	r.finish(ctx, o, !skip)
	return o, true, nil
}

// stoppedWaiting ends a run that was stopped in line, or whose ledger failed there.
func (r *recorder) stoppedWaiting(ctx context.Context, err error) (run.Outcome, bool, error) {
	var o run.Outcome
	switch {
	case ctx.Err() != nil:
		o = run.OutcomeOf(ctx)
	case errors.Is(err, ledger.ErrCancelled):
		o = run.Outcome{State: run.Cancelled, Code: run.CodeCancelled, Message: err.Error()}
	case errors.Is(err, ledger.ErrLost):
		return leaseLost(err), true, nil
	default:
		return o, true, host(fmt.Errorf("nothing was run: %w", err))
	}
	r.finish(ctx, o, false)
	return o, true, nil
}

func leaseLost(err error) run.Outcome {
	return run.Outcome{State: run.Failed, Code: run.CodeLeaseLost, Message: err.Error()}
}

// quote is text as a shell reads it back.
func quote(s string) string {
	if s != "" && !strings.ContainsAny(s, " \t\n'\"\\$`&|;<>()*?[]{}~!#") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
