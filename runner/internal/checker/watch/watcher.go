package watch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/action"
	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/deliver"
	"github.com/outrider-run/outrider/runner/internal/checker/settings"
	"github.com/outrider-run/outrider/runner/internal/checker/source"
	"github.com/outrider-run/outrider/runner/internal/checker/store"
	"github.com/outrider-run/outrider/runner/internal/engine"
)

// Setup is what holds for one pass.
type Setup struct {
	settings.Settings
	// Askers ask the sources that are watched, by name.
	Askers map[string]source.Asker
	// Memory are the flags with which `outrider-checker alerts` acts on this checker.
	Memory []string
	// Runner calls the components that deliver, Host runs those of actions.
	Runner deliver.Runner
	Host   action.Host
	// Ping is the URL that is asked after each complete pass, "" for none. It may be a secret.
	Ping string
}

// Watcher makes passes. Its methods are called one at a time.
type Watcher struct {
	// Open opens the database of what is remembered.
	Open func(ctx context.Context) (*store.Store, error)
	// Setup reads what holds, anew for each pass.
	Setup func(ctx context.Context) (Setup, error)
	// Self is the engine that this program is a task of, if it is.
	Self engine.Engine
	// Above are the ids of the ledger's runs that this program is part of.
	Above []string
	// Inbox holds posted signals; nil where none are taken.
	Inbox   *Inbox
	Metrics *Metrics
	// Textfile is where the metrics are written after each pass, "" for nowhere.
	Textfile string
	// Mark is a file that says since when no pass can be made, and when receivers were told.
	Mark string
	// Console is where the receiver of that name is told.
	Console io.Writer
	// Say takes what people should know besides.
	Say func(format string, args ...any)
	Now func() time.Time

	store *store.Store
	last  *Setup
	// every is the interval where it is not that of the settings.
	every time.Duration
	// pulse counts what is stored; nil where nobody asks.
	pulse *Pulse
	// acting is at work because of a pass, and unacted the events that came since.
	acting  *acting
	unacted []alert.Event
	// wake takes the wish for an early pass; nil where there is no next pass.
	wake chan struct{}
	// outage is what the mark says; nil as long as nobody has looked.
	outage *outage
	// late is a turn that could not be given up.
	late *store.Turn
	// turnFor is for how long a pass has its turn without a word; turnTTL where it is 0.
	turnFor time.Duration
}

// ErrStopped says that a pass was given up before it had changed anything.
var ErrStopped = errors.New("the pass was given up")

// turnTTL is for how long a pass has its turn without a word.
const turnTTL = time.Minute

func (w *Watcher) ttl() time.Duration { return cmp.Or(w.turnFor, turnTTL) }

// Pass makes one pass, and returns what it came to. Where another pass is under way it is
// what the last one came to. The error is why there is none: then the exit code is unknown.
func (w *Watcher) Pass(ctx context.Context) (Summary, error) {
	setup, problem, err := w.prepare(ctx)
	if err != nil {
		return Summary{Exit: ExitUnknown}, err
	}
	until := ctx
	stopping := func() (context.Context, func()) { return graceful(until) }
	ctx, end := stopping()
	defer end()
	p := &pass{Watcher: w, Setup: setup, at: w.Now(), stopping: stopping}
	if problem != "" {
		p.note("%s", problem)
	}
	s, err := p.underTurn(ctx)
	if err != nil && ctx.Err() == nil {
		w.Metrics.Failed()
		p.lost(ctx, err)
	}
	return s, err
}

// prepare reads the settings. Once there were good ones, these hold as long as the new
// ones are broken.
func (w *Watcher) prepare(ctx context.Context) (s Setup, problem string, err error) {
	s, err = w.Setup(ctx)
	switch {
	case err == nil:
		w.last = &s
		return s, "", nil
	case w.last == nil || ctx.Err() != nil:
		return s, "", err
	}
	return *w.last, fmt.Sprintf("the settings cannot be used, those before still hold: %v", err), nil
}

// deliverer tells receivers.
func (w *Watcher) deliverer(s Setup) *deliver.Deliverer {
	receivers := map[string]deliver.Receiver{}
	for name, r := range s.Receivers {
		receivers[name] = deliver.Receiver(r)
	}
	return &deliver.Deliverer{Runner: s.Runner, Receivers: receivers, Memory: s.Memory, Console: w.Console, Now: w.Now, Say: w.Say}
}

// Store is the open database, opened anew where its file is gone.
func (w *Watcher) Store(ctx context.Context) (*store.Store, error) {
	if err := w.reopen(); err != nil {
		w.Say("close the database that was open: %v", err)
	}
	if w.store == nil {
		s, err := w.Open(ctx)
		if err != nil {
			return nil, err
		}
		w.store = s
	}
	return w.store, nil
}

// reopen closes a database whose file is not there any more.
func (w *Watcher) reopen() error {
	if w.store == nil || !w.store.Gone() {
		return nil
	}
	w.Say("the file of the database was deleted or replaced: it is opened anew")
	err := w.store.Close()
	w.store, w.late = nil, nil
	return err
}

// Close closes what is open, when actions have ended.
func (w *Watcher) Close() error {
	w.idle()
	if w.store == nil {
		return nil
	}
	err := w.store.Close()
	w.store = nil
	return err
}
