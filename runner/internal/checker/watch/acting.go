package watch

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/outrider-run/outrider/runner/internal/checker/action"
	"github.com/outrider-run/outrider/runner/internal/checker/alert"
)

// acting is what actions do because of a pass. Their steps may take minutes: nobody but a
// single check waits for them.
type acting struct {
	action.Host
	began sync.Once
	// steps is closed when the first step begins, done when all has ended.
	steps, done chan struct{}
	// err is what went wrong; it is there when all has ended.
	err error
}

// Run notes that steps are under way.
func (a *acting) Run(ctx context.Context, onceKey string, labels map[string]string, component string, params []byte) (run string, output json.RawMessage, err error) {
	a.began.Do(func() { close(a.steps) })
	return a.Host.Run(ctx, onceKey, labels, component, params)
}

// act acts; a crash is an error, since it would have the exit code of what is critical.
func (a *acting) act(ctx context.Context, actor *action.Actor, book alert.Book, events []alert.Event) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("it crashed, which is a mistake of ours: %v", r)
		}
	}()
	return actor.Act(ctx, book, events)
}

// act begins to do what actions have to do. As long as those of a pass before are at work
// it leaves that, and the events, to a later pass.
func (p *pass) act(book alert.Book, events []alert.Event) {
	p.ended()
	if len(p.Settings.Actions) == 0 {
		p.unacted = nil
		return
	}
	p.unacted = append(p.unacted, events...)
	if p.acting != nil {
		return
	}
	a := &acting{Host: p.Host, steps: make(chan struct{}), done: make(chan struct{})}
	actor := &action.Actor{Actions: p.Settings.Actions, Records: p.store, Host: a, Now: p.Now}
	events, p.unacted, p.acting = p.unacted, nil, a
	ctx, end := p.stopping()
	wake := p.wake
	go func() {
		defer end()
		a.err = a.act(ctx, actor, book, events)
		close(a.done)
		select {
		case <-a.steps: // there is news to tell
		default:
			return
		}
		select {
		case wake <- struct{}{}:
		default:
		}
	}()
}

// ended reports whether actions were done that were begun, and forgets them then.
func (p *pass) ended() bool {
	if p.acting == nil {
		return false
	}
	select {
	case <-p.acting.done:
	default:
		return false
	}
	if err := p.acting.err; err != nil {
		p.note("act: %v", err)
	}
	p.acting = nil
	return true
}

// decided waits until it is known what actions have to do, and reports whether that is done
// already: what is held back or only told takes no time.
func (p *pass) decided() bool {
	if p.acting == nil {
		return false
	}
	select {
	case <-p.acting.done:
	case <-p.acting.steps:
	}
	return p.ended()
}

// settle waits for the steps of a single check, and tells what they came to. How the check
// went is noted by then.
func (p *pass) settle(ctx context.Context, s Summary) Summary {
	if p.acting == nil {
		return s
	}
	p.idle()
	p.ended()
	s.Told += p.deliver(ctx)
	s.Waiting = p.waiting(ctx)
	s.Notes = p.notes
	return s
}

// idle waits until no action is at work. They stop soon after the context of their pass.
func (w *Watcher) idle() {
	if w.acting != nil {
		<-w.acting.done
	}
}
