package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/outrider-run/outrider/runner/internal/config"
	"github.com/outrider-run/outrider/runner/internal/engine"
	"github.com/outrider-run/outrider/runner/internal/journal"
	"github.com/outrider-run/outrider/runner/internal/ledger"
	"github.com/outrider-run/outrider/runner/internal/run"
	"github.com/outrider-run/outrider/runner/internal/state"
)

// bestEffort bounds what a run waits for a ledger that it can do without.
const bestEffort = 5 * time.Second

// recorder takes one run through the ledger: begun, waited for, kept alive, ended.
// Where the ledger cannot be had, a run that does not need it goes on without.
type recorder struct {
	ask    claiming
	req    ledger.Request
	config config.Config
	dir    state.Dir
	budget time.Duration // of a stop
	skip   int
	// restore is the checkpoint to go on from; nil: what earlier tries have left.
	restore json.RawMessage
	say     func(format string, args ...any)

	log    *journal.Writer
	ledger *ledger.Ledger
	entry  *ledger.Entry
	// recorded: the ledger knows the run.
	recorded bool
	// joins: another copy of the task would join this run, which is why it may
	// finish without its engine.
	joins *atomic.Bool
	// begun is closed when answer and err are there.
	begun  chan struct{}
	answer ledger.Answer
	err    error
	// lastCheckpoint is the task's newest, for the next attempt.
	lastCheckpoint atomic.Pointer[json.RawMessage]
	telling        atomic.Bool
}

// record begins to record a run, beside whatever else has to be made ready.
func (r *recorder) record(ctx context.Context, e engine.Engine, live *os.File) {
	r.begun = make(chan struct{})
	r.log = journal.Create(logPath(r.dir, r.req.Run.ID), journal.DefaultMax)
	r.req.Live = live.Name()
	go func() {
		defer close(r.begun)
		r.err = r.begin(ctx, e)
	}()
}

func (r *recorder) begin(ctx context.Context, e engine.Engine) error {
	if err := r.fill(e); err != nil {
		return err
	}
	if !r.ask.required {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, bestEffort)
		defer cancel()
	}
	err := r.open(ctx)
	if err == nil {
		r.takeInFirst(ctx)
		r.entry, r.answer, err = r.ledger.Begin(ctx, r.req)
	}
	switch {
	case err == nil:
		r.recorded = true
		r.joins.Store(r.answer.Verdict == ledger.Granted && r.req.Redelivery)
		return nil
	case misused(err):
		return &exit{exitUsage, err}
	case isExit(err):
		return err
	case r.ask.required:
		return host(fmt.Errorf("nothing was run: %w", err))
	}
	r.say("the run is not recorded, its record is kept for later: %v", err)
	r.entry, r.answer = ledger.Unrecorded(r.req), ledger.Answer{Verdict: ledger.Granted}
	return nil
}

// takeInFirst takes in what earlier runs could not record, where it may decide this
// one: the success of its key is not to be run again. What fails is told at the end.
func (r *recorder) takeInFirst(ctx context.Context) {
	if r.ask.required || r.req.Redelivery {
		_, _ = r.ledger.TakeIn(ctx, r.spool())
	}
}

func misused(err error) bool {
	for _, kind := range []error{ledger.ErrAncestor, ledger.ErrOtherParams, ledger.ErrNoPool, ledger.ErrTooBig} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

func isExit(err error) bool {
	var e *exit
	return errors.As(err, &e)
}

// fill makes the request of what was asked and who asks.
func (r *recorder) fill(e engine.Engine) error {
	id := e.Identity
	q, rec := &r.req, &r.req.Run
	instance := id.Instance
	if instance == "" {
		instance = r.config.Instance
	}
	rec.Caller = ledger.Caller{
		Engine: string(e.Name), Instance: instance, Project: id.Project, Workflow: id.Workflow, Task: id.Task, Run: id.Run,
		Session: id.Session, LogicalTime: id.LogicalTime, TaskID: id.TaskID, Delivery: id.Delivery, Try: id.Try, Link: id.Link,
	}
	rec.PID, rec.Labels, rec.NextDue = os.Getpid(), r.ask.labels, r.ask.due
	if above := os.Getenv("OUTRIDER_RUN"); above != "" {
		q.Ancestors = strings.Split(above, ",")
		rec.Parent = q.Ancestors[len(q.Ancestors)-1]
	}
	q.Claims, q.Priority, q.Force, q.Once = r.ask.claims, r.ask.priority, r.ask.force, r.ask.onceKey
	url, err := ledgerURL(r.config, r.dir)
	if err != nil {
		return err
	}
	shared := !strings.HasPrefix(url, "sqlite:")
	if r.ask.scope == "cluster" && !shared {
		return usage("--scope cluster: the ledger is a file, so claims hold on this host alone; set ledger: postgres://… in outrider.yml")
	}
	key, err := ledger.DefaultKey(rec.Caller, rec.Component, rec.Params)
	if r.ask.once {
		if err != nil {
			return usage("--once: %w; outside of Digdag and Airflow name one: --once-key KEY", err)
		}
		if shared && instance == "" {
			return usage("--once: the ledger is shared, so a key needs this installation's name: set instance: in outrider.yml, or OUTRIDER_INSTANCE")
		}
		q.Once = key
	}
	if rec.Key == "" {
		rec.Key = key
	}
	if q.Once != "" {
		rec.Key = q.Once
	}
	// Dev and prod may count their attempts alike.
	q.Redelivery = !r.ask.noClaim && (!shared || instance != "")
	if !q.Redelivery && shared && instance == "" && q.Once == "" {
		rec.Key = ""
	}
	return nil
}

// open opens the ledger. A damaged file was moved aside, so that the second try
// begins a new one.
func (r *recorder) open(ctx context.Context) error {
	url, err := ledgerURL(r.config, r.dir)
	if err != nil {
		return err
	}
	r.ledger, err = ledger.Open(ctx, url, r.ask.required)
	return err
}

// runKey is the key that the component gets.
func (r *recorder) runKey() string {
	if r.req.Run.Key != "" {
		return r.req.Run.Key
	}
	return r.req.Run.ID
}

// granted waits until the ledger has answered, and reports whether the run may start
// at once.
func (r *recorder) granted() bool {
	<-r.begun
	return r.err == nil && r.answer.Verdict == ledger.Granted
}

// settle takes a run that was not granted at once to its grant, or to the outcome
// that it has instead; done tells which.
func (r *recorder) settle(ctx context.Context) (o run.Outcome, done bool, err error) {
	<-r.begun
	if r.err != nil {
		return o, true, r.err
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
		r.joins.Store(r.req.Redelivery)
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

// stoppedWaiting ends a run that was stopped in line.
func (r *recorder) stoppedWaiting(ctx context.Context, err error) (run.Outcome, bool, error) {
	if ctx.Err() == nil { // the ledger failed
		if errors.Is(err, ledger.ErrLost) {
			return leaseLost(err), true, nil
		}
		if errors.Is(err, ledger.ErrCancelled) {
			o := run.Outcome{State: run.Cancelled, Code: run.CodeCancelled, Message: err.Error()}
			r.finish(ctx, o, false)
			return o, true, nil
		}
		return run.Outcome{}, true, host(fmt.Errorf("nothing was run: %w", err))
	}
	o := run.OutcomeOf(ctx)
	r.finish(ctx, o, false)
	return o, true, nil
}

func leaseLost(err error) run.Outcome {
	return run.Outcome{State: run.Failed, Code: run.CodeLeaseLost, Message: err.Error()}
}

// keep keeps a started run alive in the ledger and ends ctx when it has to end.
func (r *recorder) keep(ctx context.Context) (context.Context, func()) {
	if !r.recorded {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	go r.keepUntil(ctx, cancel)
	return ctx, func() { cancel(nil) }
}

func (r *recorder) keepUntil(ctx context.Context, cancel context.CancelCauseFunc) {
	err := r.entry.Keep(ctx, r.budget)
	switch {
	case errors.Is(err, ledger.ErrCancelled):
		cancel(&run.Cause{State: run.Cancelled, Code: run.CodeCancelled, Reason: err.Error()})
	case errors.Is(err, ledger.ErrLost):
		cancel(&run.Cause{State: run.Failed, Code: run.CodeLeaseLost, Reason: err.Error()})
	}
}

// keepOnceBegun is keep for a run whose ledger has not answered yet.
func (r *recorder) keepOnceBegun(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-r.begun:
		case <-ctx.Done():
			return
		}
		if !r.granted() || !r.recorded {
			return
		}
		r.keepUntil(ctx, cancel)
	}()
	return ctx, func() { cancel(nil) }
}

// end records the end of a started run and returns its outcome, which is another
// when the run was taken for dead meanwhile.
func (r *recorder) end(ctx context.Context, o run.Outcome) run.Outcome {
	if err := r.finish(ctx, o, false); errors.Is(err, ledger.ErrLost) {
		late := leaseLost(err)
		if o.State == run.Success {
			late.Message += "; the task reported success, but another may have its claims"
		}
		return late
	}
	return o
}

// finish records an end, or spools it where the ledger does not take it.
func (r *recorder) finish(ctx context.Context, o run.Outcome, keepPlace bool) error {
	end := ledger.End{Outcome: o, Exit: r.exitOf(o), Keep: keepPlace, LogTail: strings.Join(r.log.Tail(), "\n")}
	if err := r.log.Close(); err != nil {
		r.say("the full log is not whole: %v", err)
	}
	end.LogPath = r.log.Path()
	end.Outcome.Output = json.RawMessage(o.Output)
	var err error
	if r.recorded {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.patience(ctx.Err() != nil))
		defer cancel()
		if err = r.entry.Finish(ctx, end); err == nil || errors.Is(err, ledger.ErrLost) {
			return err
		}
		r.say("%v; its record is kept for later", err)
		r.recorded = false // to ask the ledger for more would only hold up the end
	}
	if spooled := r.entry.Spool(r.spool(), end); spooled != nil {
		r.say("%v", spooled)
		return errors.Join(err, spooled)
	}
	return nil
}

// patience is how long the ledger may take for the end of a run. Of a stopped one it
// is what the stop ladder has left; a run under claims stays inside its lease.
func (r *recorder) patience(stopped bool) time.Duration {
	switch {
	case stopped:
		return 500 * time.Millisecond
	case r.ask.required:
		return 10 * time.Second
	}
	return bestEffort
}

func (r *recorder) exitOf(o run.Outcome) int {
	if o.Command != nil {
		return o.CommandExit(r.skip)
	}
	return o.Exit(r.skip)
}

func (r *recorder) spool() string { return filepath.Join(r.dir.Root(), "spool") }

// close takes in what earlier runs could not record, and closes the ledger.
func (r *recorder) close(ctx context.Context) {
	<-r.begun
	if r.ledger == nil {
		return
	}
	// Who was stopped has no time for others.
	if r.recorded && ctx.Err() == nil {
		if _, err := r.ledger.TakeIn(ctx, r.spool()); err != nil {
			r.say("%v", err)
		}
		pruneSometimes(ctx, &book{r.ledger, r.dir, r.config})
	}
	if r.ledger.Shared() {
		_ = r.ledger.Close() // a file needs none before an exit (see db.Close)
	}
}

// quote is text as a shell reads it back.
func quote(s string) string {
	if s != "" && !strings.ContainsAny(s, " \t\n'\"\\$`&|;<>()*?[]{}~!#") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
