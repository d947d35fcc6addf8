package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/outrider-run/outrider/runner/internal/cli/term"
	"github.com/outrider-run/outrider/runner/internal/config"
	"github.com/outrider-run/outrider/runner/internal/engine"
	"github.com/outrider-run/outrider/runner/internal/journal"
	"github.com/outrider-run/outrider/runner/internal/ledger"
	"github.com/outrider-run/outrider/runner/internal/redact"
	"github.com/outrider-run/outrider/runner/internal/run"
	"github.com/outrider-run/outrider/runner/internal/state"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
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
	url    string        // of the ledger
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
	// start begins to ask the ledger, once. The child process comes first: it takes
	// longer to get ready than the ledger to answer, and both at once are slower.
	start func()
	// atOnce gets whether the run was recorded and granted by the first answer.
	atOnce chan bool
	// begun is closed when answer and err are there.
	begun  chan struct{}
	answer ledger.Answer
	err    error
	// lastCheckpoint is the task's newest, for the next attempt.
	lastCheckpoint atomic.Pointer[json.RawMessage]
	telling        atomic.Bool
}

// record makes ready to record a run.
func (r *recorder) record(ctx context.Context, e engine.Engine, live *os.File) (err error) {
	if r.url, err = ledgerURL(r.config, r.dir); err != nil {
		return err
	}
	r.atOnce, r.begun = make(chan bool, 1), make(chan struct{})
	r.log = journal.Create(logPath(r.dir, r.req.Run.ID), journal.DefaultMax)
	r.req.Live = live.Name()
	r.start = sync.OnceFunc(func() {
		go func() {
			defer close(r.begun)
			r.err = r.begin(ctx, e)
			r.atOnce <- r.err == nil && r.recorded && r.answer.Verdict == ledger.Granted
		}()
	})
	if r.shared() {
		r.start() // a server answers late, and costs little here
	}
	return nil
}

func (r *recorder) shared() bool { return !strings.HasPrefix(r.url, "sqlite:") }

func (r *recorder) begin(ctx context.Context, e engine.Engine) error {
	if err := r.fill(e); err != nil {
		return err
	}
	if !r.ask.required {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, bestEffort)
		defer cancel()
	}
	var err error
	if r.ledger, err = ledger.Open(ctx, r.url, r.ask.required); err == nil {
		if r.keyed() {
			r.takeIn(ctx)
		}
		r.entry, r.answer, err = r.ledger.Begin(ctx, r.req)
	}
	switch {
	case err == nil:
		r.recorded = true
		r.joins.Store(r.answer.Verdict == ledger.Granted && r.entry.Joinable())
		return nil
	case misused(err):
		return &term.Exit{Code: term.Misused, Err: err}
	case r.ask.required:
		return host(fmt.Errorf("nothing was run: %w", err))
	}
	r.say("the run is not recorded, its record is kept for later: %v", err)
	r.entry, r.answer = ledger.Unrecorded(r.req), ledger.Answer{Verdict: ledger.Granted}
	return nil
}

// keyed reports whether what earlier runs could not record may decide this one, and so
// is taken in first: the success of its key is not to be run again. Others start
// sooner, and take it in when they have ended.
func (r *recorder) keyed() bool {
	return r.ask.required || r.req.Once != "" || r.req.Run.Caller.TaskID != ""
}

// takeIn takes in what earlier runs could not record.
func (r *recorder) takeIn(ctx context.Context) {
	if _, err := r.ledger.TakeIn(ctx, r.spool()); err != nil {
		r.say("%v", err)
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
	shared := r.shared()
	// In a shared ledger dev and prod are told apart by their instances' names.
	told := !shared || instance != ""
	if r.ask.scope == "cluster" && !shared {
		return term.Usage("--scope cluster: the ledger is a file, so claims hold on this host alone; set ledger: postgres://… in outrider.yml")
	}
	// A container of the task's own has a folder of its own, and it ends with the task.
	alone := e.Contained && !shared && r.ask.scope != "host"
	if alone && (r.ask.once || r.ask.onceKey != "" || len(r.ask.claims) > 0) {
		return term.Usage("the task runs in a container of its own (docker:), and the ledger is a file in it, so the claim would hold for nobody else; " +
			"set ledger: postgres://… in outrider.yml, or say --scope host where the state folder is mounted from this host")
	}
	key, err := ledger.DefaultKey(rec.Caller, rec.Component, rec.Params)
	if r.ask.once {
		if err != nil {
			return term.Usage("--once: %w; outside of Digdag and Airflow name one: --once-key KEY", err)
		}
		if !told {
			return term.Usage("--once: the ledger is shared, so a key needs this installation's name: set instance: in outrider.yml, or OUTRIDER_INSTANCE")
		}
		q.Once = key
	}
	q.Redelivery = told && !r.ask.noClaim && !alone
	switch {
	case q.Once != "":
		rec.Key = q.Once
	case !told:
		rec.Key = ""
	case rec.Key == "":
		rec.Key = key
	}
	return nil
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
	r.start()
	<-r.begun
	return r.err == nil && r.answer.Verdict == ledger.Granted
}

// gate lets a plugin that is up begin once the ledger has granted the run, and tells
// it what the ledger knows.
func (r *recorder) gate(e engine.Engine) func(context.Context, *taskv1.Start) bool {
	return func(_ context.Context, s *taskv1.Start) bool {
		if !r.granted() {
			return false
		}
		s.Key = r.runKey()
		if s.Attempt == 0 {
			s.Attempt = int32(max(1, e.Identity.Try, r.entry.Earlier()+1))
			if s.Restore = r.entry.Restore(); r.restore != nil {
				s.Restore = r.restore
			}
		}
		if token, ok := r.entry.Token(); ok {
			s.Fence = &token
		}
		if c := r.lastCheckpoint.Load(); c != nil {
			s.Restore = *c
		}
		return true
	}
}

// through makes the run: at once if the ledger grants it so, else after its wait, if
// there is to be one. Its end is recorded before anybody is told.
func (r *recorder) through(ctx context.Context, do func(context.Context) run.Outcome, redact *redact.Redactor) (run.Outcome, error) {
	kept, stop := r.keep(ctx, r.atOnce)
	o := do(kept)
	stop()
	if !r.granted() {
		var done bool
		var err error
		if o, done, err = r.settle(ctx); err != nil || done {
			return o, err
		}
		later := make(chan bool, 1)
		later <- r.recorded
		kept, stop = r.keep(ctx, later)
		o = do(kept)
		stop()
	}
	o.Message = redact.String(o.Message)
	if o.State == run.Success {
		o.Output = redact.JSON(o.Output)
	}
	return r.end(ctx, o), nil
}

// keep keeps a run alive in the ledger from its grant on, and ends ctx when it has to
// end.
func (r *recorder) keep(ctx context.Context, granted <-chan bool) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case yes := <-granted:
			if !yes {
				return
			}
		case <-ctx.Done():
			return
		}
		switch err := r.entry.Keep(ctx, r.budget); {
		case errors.Is(err, ledger.ErrCancelled):
			cancel(&run.Cause{State: run.Cancelled, Code: run.CodeCancelled, Reason: err.Error()})
		case errors.Is(err, ledger.ErrLost):
			cancel(&run.Cause{State: run.Failed, Code: run.CodeLeaseLost, Reason: err.Error()})
		}
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

// close takes in what earlier runs could not record, prunes where that is due, and
// closes the ledger.
func (r *recorder) close(ctx context.Context) {
	<-r.begun
	if r.ledger == nil {
		return
	}
	// Who was stopped has no time for that.
	if r.recorded && ctx.Err() == nil {
		if !r.keyed() {
			r.takeIn(ctx)
		}
		pruneSometimes(ctx, &book{r.ledger, r.dir, r.config})
	}
	if r.ledger.Shared() {
		_ = r.ledger.Close() // a file needs none before an exit (see db.Close)
	}
}
