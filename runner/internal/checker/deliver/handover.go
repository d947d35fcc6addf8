package deliver

import (
	"context"
	"fmt"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/message"
	"github.com/outrider-run/outrider/runner/internal/checker/store"
)

// patience is how long a receiver may stay down before its fallback is told.
const patience = 5 * time.Minute

// handOver gives the fallbacks what their receivers could not be told, each event once.
func (d *Deliverer) handOver(ctx context.Context, down map[string]Failed) (handed int, err error) {
	waiting, err := d.Outbox.Backlog(ctx)
	if err != nil {
		return 0, fmt.Errorf("read what is to be told: %w", err)
	}
	for _, w := range waiting {
		to := fallback(d.Receivers, w.Receiver)
		if to == "" || !down[w.Receiver].Permanent && d.Now().Sub(w.Oldest) < patience {
			continue
		}
		rows, err := d.Outbox.Unhanded(ctx, w.Receiver, 0)
		if err != nil {
			return handed, fmt.Errorf("read what %s could not be told: %w", w.Receiver, err)
		}
		for _, row := range rows {
			if err := d.Outbox.HandOver(ctx, row.ID, stray(row, w, to), d.Now()); err != nil {
				return handed, fmt.Errorf("hand to %s what %s could not be told: %w", to, w.Receiver, err)
			}
			handed++
		}
		if len(rows) > 0 {
			d.Say("%s is told what %s could not be told since %s: %s", to, w.Receiver, message.Stamp(w.Oldest), w.Err)
		}
	}
	return handed, nil
}

// stray is a row's event as the fallback is told it, in an incident of its own.
func stray(row store.Row, w store.Waiting, to string) alert.Event {
	e := row.Event
	why := row.Err
	if why == "" {
		why = w.Err
	}
	if why == "" {
		why = "it is still being tried"
	}
	e.Receiver, e.Channel, e.Incident = to, "", to+"|"+row.Incident
	e.Note = join(e.Note, fmt.Sprintf("it could not be told to %s since %s: %s", row.Receiver, message.Stamp(row.Created), why))
	return e
}
