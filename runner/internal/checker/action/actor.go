package action

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
)

// Records keeps acts, and takes what is to be told.
type Records interface {
	// Acts are those since a time, and all that are not over.
	Acts(ctx context.Context, since time.Time) ([]Act, error)
	// PutAct records an act or its next state. created is false, and nothing is recorded,
	// where another checker was first.
	PutAct(ctx context.Context, a Act) (created bool, err error)
	// Change changes the book of alerts and takes events to tell, both or neither. It may
	// call do again.
	Change(ctx context.Context, do func(alert.Book) (alert.Book, []alert.Event, error)) error
}

// Actor decides and acts, at the edges.
type Actor struct {
	Actions []Action
	Records Records
	Host    Host
	Now     func() time.Time
}

// Act does what is to be done after a pass that gave this book and these events. It returns
// when all steps have ended, which may take minutes, or when ctx has ended; what was begun
// then is taken up in the next call. The error joins those of all acts.
func (a *Actor) Act(ctx context.Context, book alert.Book, events []alert.Event) error {
	if len(a.Actions) == 0 {
		return nil
	}
	now := a.Now()
	acts, err := a.Records.Acts(ctx, Since(a.Actions, now))
	if err != nil {
		return fmt.Errorf("decide on actions: %w", err)
	}
	did := &doing{Actor: a, now: now, over: slices.Clone(events)}
	did.all(ctx, Decide(a.Actions, book, events, acts, now))
	return errors.Join(did.wrong...)
}

// doing is what is done after one pass.
type doing struct {
	*Actor
	now time.Time
	mu  sync.Mutex
	// over are the events that may lead to closed incidents.
	over  []alert.Event
	wrong []error
}

// all does everything. What begins is recorded before it is told and done, so that no
// other checker does it too; what ends is told before that is recorded, so that it is
// told if this checker is killed between.
func (d *doing) all(ctx context.Context, todo []Todo) {
	var begin, rest, run []Todo
	for _, t := range todo {
		switch {
		case !t.New && !t.Run:
			rest = append(rest, t)
		case t.Again || d.record(ctx, &t):
			begin = append(begin, t)
		}
	}
	for _, t := range begin {
		if t.Run {
			run = append(run, t)
		} else {
			rest = append(rest, t)
		}
	}
	d.end(ctx, rest)
	var steps sync.WaitGroup
	for _, t := range run {
		steps.Go(func() {
			defer func() { // a crash would have the exit code of what is critical
				if r := recover(); r != nil {
					d.mu.Lock()
					defer d.mu.Unlock()
					d.wrong = append(d.wrong, fmt.Errorf("do %s: it crashed, which is a mistake of ours: %v", t.Act.Action, r))
				}
			}()
			t.Act = Do(ctx, d.Host, t.Action, t.Act, d.Now)
			if t.Act.State != Running {
				d.end(ctx, []Todo{ended(t)})
			}
		})
	}
	steps.Wait()
}

// ended is what is to be told of steps that have ended.
func ended(t Todo) Todo {
	t.New, t.Run = false, false
	t.Tell = t.Action.Name + ": " + t.Act.Note
	switch t.Act.State {
	case Failed:
		t.Escalate = t.Action.Escalate
	case Verifying:
		t.Tell += "; it should be over by " + clock(t.Act.VerifyBy)
	}
	return t
}

// record records an act, and reports whether it is this checker's to do.
func (d *doing) record(ctx context.Context, t *Todo) bool {
	if t.New {
		t.Act.ID = ulid.Make().String()
	}
	mine, err := d.Records.PutAct(ctx, t.Act)
	if err != nil {
		d.wrong = append(d.wrong, err)
	}
	return mine && err == nil
}

// end tells the alerts' threads, those with the same note at once, and records what is not
// recorded yet.
func (d *doing) end(ctx context.Context, todo []Todo) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var texts []string
	by := map[string][]Todo{}
	for _, t := range todo {
		if by[t.Tell] == nil {
			texts = append(texts, t.Tell)
		}
		by[t.Tell] = append(by[t.Tell], t)
	}
	for _, text := range texts {
		if err := d.tell(ctx, text, by[text]); err != nil {
			d.wrong = append(d.wrong, fmt.Errorf("tell of actions: %w", err))
			continue
		}
		for _, t := range by[text] {
			if !t.New {
				d.record(ctx, &t)
			}
		}
	}
}

func (d *doing) tell(ctx context.Context, text string, todo []Todo) error {
	if text == "" {
		return nil
	}
	var keys []string
	for _, t := range todo {
		keys = append(keys, t.Act.Alert)
	}
	var told []alert.Event
	err := d.Records.Change(ctx, func(b alert.Book) (alert.Book, []alert.Event, error) {
		b, told = alert.AddNote(b, keys, text, d.over, d.now)
		for _, t := range todo {
			if t.Escalate != "" {
				var more []alert.Event
				b, more = alert.Escalate(b, t.Act.Alert, t.Escalate, text, d.now)
				told = append(told, more...)
			}
		}
		return b, told, nil
	})
	d.over = append(d.over, told...)
	return err
}
