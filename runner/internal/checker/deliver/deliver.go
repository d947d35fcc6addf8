package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/store"
)

const (
	// sendTimeout is what one message may take.
	sendTimeout = time.Minute
	// roundTime is how long a receiver is sent one message after another; the rest waits
	// for the next time.
	roundTime = time.Minute
	// settleTime is how long the outbox may take to note what became of a message, also
	// when the delivery itself was called off.
	settleTime = 10 * time.Second
	// rowsAtOnce is how many rows are read at a time.
	rowsAtOnce = 50
)

// Deliverer sends what stands in the outbox. One at a time may be at work on an outbox.
type Deliverer struct {
	Outbox    Outbox
	Runner    Runner
	Receivers map[string]Receiver // by name; the console is always there
	// Memory are the flags with which `outrider-checker alerts` acts on this checker.
	Memory  []string
	Console io.Writer
	Now     func() time.Time
	// Say takes what the operator of the checker should know.
	Say func(format string, args ...any)

	console sync.Mutex
}

// Told is what a delivery did.
type Told struct {
	Sent int
	// Adopted of those were there already.
	Adopted int
	// Handed are those that were handed to a fallback.
	Handed int
	Failed []Failed
	// Problems are templates that failed: plain text was told.
	Problems []string
}

// Failed is a message that could not be told yet.
type Failed struct {
	Receiver, Incident string
	Seq                int
	Why                string
	Permanent          bool
}

// Deliver sends what is due, receivers side by side and the incidents of each in order.
// What a receiver cannot be told for five minutes, or refuses for good, goes to its
// fallback too. The error is the outbox's; a receiver's are in Told.
func (d *Deliverer) Deliver(ctx context.Context) (Told, error) {
	var all Told
	down := map[string]Failed{} // receivers that failed this time
	for range len(d.Receivers) + 2 {
		waiting, err := d.Outbox.Backlog(ctx)
		if err != nil {
			return all, fmt.Errorf("read what is to be told: %w", err)
		}
		told, err := d.round(ctx, waiting, down)
		all.add(told)
		if err != nil {
			return all, err
		}
		handed, err := d.handOver(ctx, down)
		all.Handed += handed
		if err != nil || handed == 0 {
			return all, err
		}
	}
	return all, nil
}

// round serves every receiver that has something waiting and has not failed before.
func (d *Deliverer) round(ctx context.Context, waiting []store.Waiting, down map[string]Failed) (Told, error) {
	var all Told
	var errs []error
	var mu sync.Mutex
	var serving sync.WaitGroup
	for _, w := range waiting {
		if _, failed := down[w.Receiver]; failed {
			continue
		}
		serving.Go(func() {
			told, err := d.serve(ctx, w.Receiver)
			mu.Lock()
			defer mu.Unlock()
			all.add(told)
			errs = append(errs, err)
		})
	}
	serving.Wait()
	for _, f := range all.Failed {
		if was, ok := down[f.Receiver]; !ok || !was.Permanent {
			down[f.Receiver] = f
		}
	}
	return all, errors.Join(errs...)
}

// serve sends one receiver what is due. Another failure than one of that message alone
// ends it: the rest waits.
func (d *Deliverer) serve(ctx context.Context, receiver string) (told Told, err error) {
	defer func() { // a crash would have the exit code of what is critical
		if r := recover(); r != nil {
			err = fmt.Errorf("tell %s: it crashed, which is a mistake of ours: %v", receiver, r)
		}
	}()
	until := d.Now().Add(roundTime)
	for {
		due, err := d.Outbox.Due(ctx, receiver, d.Now(), rowsAtOnce)
		if err != nil {
			return told, fmt.Errorf("read what %s is to be told: %w", receiver, err)
		}
		for i, row := range due {
			if ctx.Err() != nil || d.Now().After(until) {
				return told, context.Cause(ctx)
			}
			f, err := d.tell(ctx, row, &told)
			if err != nil {
				return told, err
			}
			if f != nil && !f.permanent {
				return told, d.putOff(ctx, due[i+1:], f)
			}
		}
		if len(due) == 0 {
			return told, nil
		}
	}
}

// putOff keeps the receiver's other rows as long as it has asked to wait.
func (d *Deliverer) putOff(ctx context.Context, rows []store.Row, f *failure) error {
	if f.after <= 0 {
		return nil
	}
	for _, row := range rows {
		if err := d.Outbox.Retry(ctx, row.ID, f.why, d.Now().Add(f.wait(0)), true); err != nil {
			return fmt.Errorf("put off what %s is to be told: %w", row.Receiver, err)
		}
	}
	return nil
}

func (t *Told) add(o Told) {
	t.Sent, t.Adopted, t.Handed = t.Sent+o.Sent, t.Adopted+o.Adopted, t.Handed+o.Handed
	t.Failed, t.Problems = append(t.Failed, o.Failed...), append(t.Problems, o.Problems...)
	slices.Sort(t.Problems)
	t.Problems = slices.Compact(t.Problems)
}
