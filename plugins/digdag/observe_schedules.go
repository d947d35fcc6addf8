package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/outrider-run/outrider/plugins/digdag/client"
)

const (
	// schedulesPage is how many schedules Digdag gives at once.
	schedulesPage = 100
	// atOnce is how many pages of them are asked for side by side.
	atOnce = 4
)

// listing is the schedules that the server gives, what of them it does not give, and the
// error that ends the pass.
type listing struct {
	all   []client.Schedule
	blind []string
	err   error
}

// schedules lists them all, by id. Each page is asked for with the last id of the one before:
// where pages ended in the pass before is known, and so they are asked for side by side.
// Whatever came or went since, each part is read until it meets the next.
func (o *observer) schedules(ctx context.Context, was *cursor) (whole listing) {
	begins := []int64{0}
	if was != nil {
		begins = append(begins, was.Schedules...)
	}
	parts := make([]listing, len(begins))
	var asking sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i, from := range begins {
		var to int64
		if i+1 < len(begins) {
			to = begins[i+1]
		}
		slots <- struct{}{}
		asking.Go(func() {
			defer func() { <-slots }()
			parts[i] = o.schedulesBetween(ctx, from, to)
		})
	}
	asking.Wait()
	for _, part := range parts {
		whole.all = append(whole.all, part.all...)
		if len(whole.blind) == 0 {
			whole.blind = part.blind
		}
		if whole.err == nil {
			whole.err = part.err
		}
	}
	return whole
}

// schedulesIf lists them if as many requests are left as it took the pass before, and if
// not none: a part of them would say that the others are gone.
func (o *observer) schedulesIf(ctx context.Context, was *cursor) listing {
	want := 1
	if was != nil {
		want += len(was.Schedules)
	}
	if left := o.left(); left < want {
		return listing{blind: []string{fmt.Sprintf("schedules: not looked at: they take %d requests, and %d of %d are left; a higher requests allows more", want, max(0, left), o.most)}}
	}
	return o.schedules(ctx, was)
}

// schedulesBetween lists those above an id, up to another; 0 for the first, and the last.
func (o *observer) schedulesBetween(ctx context.Context, from, to int64) (part listing) {
	f := client.ScheduleFilter{}
	if from > 0 {
		f.After = idOf(from)
	}
	for s, err := range o.Schedules(ctx, f) {
		var e *client.Error
		if errors.As(err, &e) && e.Code != client.CodeUnauthorized {
			part.blind = []string{fmt.Sprintf("schedules: %v", err)}
			return part
		}
		if err != nil {
			part.err = told("look at Digdag's schedules", err)
			return part
		}
		n := number(s.ID)
		if to == 0 || n <= to {
			part.all = append(part.all, s)
		}
		if to > 0 && n >= to {
			return part
		}
	}
	return part
}

// parts are the ids with which pages end.
func (l listing) parts() (ids []int64) {
	for i := schedulesPage; i <= len(l.all); i += schedulesPage {
		ids = append(ids, number(l.all[i-1].ID))
	}
	return ids
}
