package watch

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/history"
	"github.com/outrider-run/outrider/sdk/observe"
)

// SignalsSource is the name of the source that posted signals make, or its beginning:
// signals@NAME is that of one of several listeners on a database.
const SignalsSource = "signals"

// isSignals reports whether a source is one of posted signals.
func isSignals(source string) bool {
	return source == SignalsSource || strings.HasPrefix(source, SignalsSource+"@")
}

const (
	// signalStands is how long a posted signal holds if no other comes.
	signalStands = time.Hour
	// maxSignals is how many different ones are kept.
	maxSignals = 1000
)

// errFull says that more different signals came than are kept.
var errFull = errors.New("there are 1000 different signals already; use fewer labels")

// Inbox keeps the signals that are posted between passes. A number stands for an hour. An
// event is 1 until a pass that showed it is stored, 0 in the one after that, and then it is
// dropped. It is kept in memory alone.
type Inbox struct {
	// Name of the source that its signals make.
	Name string

	now  func() time.Time
	come chan struct{}

	mu  sync.Mutex
	all map[string]posted
}

type posted struct {
	observe.Signal
	at    time.Time
	event bool
	shown bool // to the pass under way
	seen  bool // by a pass that was stored
}

// NewInbox makes an empty one.
func NewInbox(now func() time.Time) *Inbox {
	return &Inbox{Name: SignalsSource, now: now, come: make(chan struct{}, 1), all: map[string]posted{}}
}

// Come gets a token when something was posted since the last one was taken.
func (b *Inbox) Come() <-chan struct{} { return b.come }

// Post takes a signal in.
func (b *Inbox) Post(s observe.Signal, event bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expire()
	key := history.SignalKey(s)
	if _, known := b.all[key]; !known && len(b.all) >= maxSignals {
		return errFull
	}
	b.all[key] = posted{Signal: s, at: b.now(), event: event}
	select {
	case b.come <- struct{}{}:
	default:
	}
	return nil
}

// expire drops numbers that stood long enough, and those from the future: the clock was
// set back. Events wait for their pass.
func (b *Inbox) expire() {
	now := b.now()
	maps.DeleteFunc(b.all, func(_ string, p posted) bool { return !p.event && now.Sub(p.at).Abs() > signalStands })
}

// Stored takes note that the pass which the last snapshot was for is stored. What was
// posted since then waits for the next. Without an inbox it does nothing.
func (b *Inbox) Stored() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	maps.DeleteFunc(b.all, func(_ string, p posted) bool { return p.event && p.shown && p.seen })
	for key, p := range b.all {
		p.seen, p.shown = p.shown || p.seen, false
		b.all[key] = p
	}
}

// Snapshot is what was posted, as a source reports it.
func (b *Inbox) Snapshot(ctx context.Context) (observe.Snapshot, error) {
	if ctx.Err() != nil {
		return observe.Snapshot{}, context.Cause(ctx)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expire()
	snap := observe.Snapshot{Engine: SignalsSource, At: b.now()}
	for key, p := range b.all {
		if p.event && p.seen {
			p.Value = 0
		}
		snap.Signals = append(snap.Signals, p.Signal)
		p.shown = true
		b.all[key] = p
	}
	slices.SortFunc(snap.Signals, func(x, y observe.Signal) int {
		return cmp.Compare(history.SignalKey(x), history.SignalKey(y))
	})
	return snap, nil
}
