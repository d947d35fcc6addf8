// Package engine is the part of the double that decides and runs: which state a
// task goes to next, which parameters it sees, and the process that is started
// for it. How a client asks for it is api's business.
package engine

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/state"
)

// Config is what a server can be told about running tasks.
type Config struct {
	TempDir             string        // workspaces are made here
	LogDir              string        // task logs go here; empty: none are kept
	Output              io.Writer     // the server's own stdout, which commands share
	LockRetention       time.Duration // how long a dead server's tasks stay taken
	Heartbeat           time.Duration // how often a living one says that it has them
	ExpireInterval      time.Duration // how often overdue locks are looked for
	MaxAttempts         int           // open attempts at a time
	AgentEnabled        bool          // off: tasks stay queued, which reads "running"
	ExecutorEnabled     bool          // off: no task goes anywhere
	SchedulerEnabled    bool          // off: no schedule runs and nothing leaves the queue
	AttemptTTL, TaskTTL time.Duration // how long they may run
	ReapInterval        time.Duration // how often that is looked at
	Notify              Notify
}

// Engine drives all attempts of one server.
type Engine struct {
	store *state.Store
	cfg   Config
	agent string // who we are in locks and log file names
	now   func() time.Time

	mu       sync.Mutex
	mine     map[int64]int64 // attempt of each task that this process runs
	draining bool
	work     sync.WaitGroup
	timers   sync.WaitGroup
	context  context.Context // ends with the engine
	stop     context.CancelFunc
	due      chan struct{} // something may be due: look at the clock
}

// New starts the engine on what the store remembers.
func New(store *state.Store, cfg Config) (*Engine, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("start the engine: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	e := &Engine{
		store: store, cfg: cfg, agent: fmt.Sprintf("%d@%s", os.Getpid(), host),
		now: func() time.Time { return time.Now().UTC() }, mine: map[int64]int64{}, context: ctx, stop: stop, due: make(chan struct{}, 1),
	}
	if err := e.change(func(st *state.State) error { e.settleAll(st); return nil }); err != nil {
		stop()
		return nil, err
	}
	e.timers.Go(func() { e.every(ctx, cfg.Heartbeat, e.heartbeat) })
	e.timers.Go(func() { e.every(ctx, cfg.ExpireInterval, e.expireLocks) })
	if cfg.ExecutorEnabled {
		e.timers.Go(func() { e.every(ctx, cfg.ReapInterval, e.reap) })
	}
	e.timers.Go(func() { e.watchClock(ctx) })
	return e, nil
}

// Drain takes no further task, waits without limit for those that run, as
// Digdag does on SIGTERM, and ends the engine. ctx cuts the wait short.
func (e *Engine) Drain(ctx context.Context) {
	e.mu.Lock()
	e.draining = true
	e.mu.Unlock()
	idle := make(chan struct{})
	go func() { e.work.Wait(); close(idle) }()
	select {
	case <-idle:
	case <-ctx.Done():
	}
	e.stop()
	e.timers.Wait()
}

// change runs f on the state, lets everything follow from it that follows at
// once, and starts the tasks that became due.
func (e *Engine) change(f func(*state.State) error) error {
	err := e.store.Update(func(st *state.State) error {
		if err := f(st); err != nil {
			return err
		}
		for _, id := range st.Touched() {
			e.settle(st, st.Attempts[id])
		}
		e.take(st)
		return nil
	})
	select {
	case e.due <- struct{}{}:
	default:
	}
	return err
}

// must is change where nothing but the disk can fail.
func (e *Engine) must(f func(*state.State)) {
	if err := e.change(func(st *state.State) error { f(st); return nil }); err != nil {
		fmt.Fprintln(e.cfg.Output, "digdag-double:", err)
	}
}

func (e *Engine) every(ctx context.Context, d time.Duration, f func()) {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f()
		}
	}
}

// watchClock wakes tasks that wait for their retry, and schedules.
func (e *Engine) watchClock(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.due:
		case <-timer.C:
			e.must(func(st *state.State) {
				e.wakeRetries(st)
				e.missSLAs(st)
				e.runSchedules(st)
				e.startQueued(st)
			})
		}
		e.store.View(func(st *state.State) {
			if next, ok := e.nextDue(st); ok {
				timer.Reset(max(0, next.Sub(e.now())))
			}
		})
	}
}

// nextDue is the next moment at which the clock alone changes something.
func (e *Engine) nextDue(st *state.State) (time.Time, bool) {
	var next time.Time
	sooner := func(t *time.Time) {
		if t != nil && (next.IsZero() || t.Before(next)) {
			next = *t
		}
	}
	for _, id := range st.Open() {
		a := st.Attempts[id]
		if e.cfg.SchedulerEnabled && a.QueuedUntil != nil && mayLeaveQueue(st, a) {
			sooner(a.QueuedUntil)
		}
		if e.cfg.ExecutorEnabled {
			sooner(a.SLATime)
		}
		for _, t := range st.Tasks(id) {
			if e.cfg.ExecutorEnabled {
				sooner(t.RetryAt)
			}
		}
	}
	for _, s := range st.Schedules {
		if e.cfg.SchedulerEnabled && s.Runs(st) {
			sooner(&s.NextRun)
		}
	}
	return next, !next.IsZero()
}

func (e *Engine) wakeRetries(st *state.State) {
	if !e.cfg.ExecutorEnabled {
		return
	}
	now := e.now()
	for _, id := range st.Open() {
		for _, t := range st.Tasks(id) {
			if t.RetryAt != nil && !t.RetryAt.After(now) {
				t.State, t.RetryAt, t.UpdatedAt = state.Ready, nil, now
				st.Put(t)
			}
		}
	}
}
