package main

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"github.com/dustin/go-humanize"
)

// view is what a pass saw of the attempts.
type view struct {
	// rows are, by id, descending, all from bottom on, below it those that were open and
	// that the server still has, and a part of the past.
	rows   []row
	bottom int64
	// below is where the past goes on, 0 where all of it is seen.
	below int64
	// above: there are newer ones, which the next pass goes on to.
	above bool
	// unasked were open, and were not looked at.
	unasked []int64
}

// left is how many requests may be sent yet.
func (o *observer) left() int {
	if o.most == 0 {
		return math.MaxInt
	}
	return o.most - o.Requests()
}

// pages is how many of them may be for attempts, mostPages at most: something is kept for the
// schedules.
func (o *observer) pages(c cursor) int {
	if o.most == 0 {
		return mostPages
	}
	return max(0, min(mostPages, o.left()-min(len(c.Schedules)+1, o.most/4)))
}

// look gets the attempts: all that are new, those that the cursor has open, and what of the
// past is not seen yet.
func (o *observer) look(ctx context.Context, c cursor) (found view, err error) {
	if c.High == 0 {
		found.rows, found.below, err = o.past(ctx, c, max(1, o.pages(c)))
		found.bottom = max(1, found.below)
		return found, err
	}
	if err = o.scan(ctx, c, &found); err != nil {
		return found, err
	}
	if found.below = c.Below; c.Below > 0 && o.pages(c) > 0 {
		var old []row
		if old, found.below, err = o.past(ctx, c, o.pages(c)); err != nil {
			return found, err
		}
		found.rows = append(found.rows, old...)
	}
	if err = o.reopen(ctx, c, &found); err != nil {
		return found, err
	}
	slices.SortFunc(found.rows, func(a, b row) int { return cmp.Compare(b.n, a.n) })
	found.rows = slices.CompactFunc(found.rows, func(a, b row) bool { return a.n == b.n })
	return found, nil
}

// scan gets pages down to what is known, from the newest on: or, where those may be too many,
// from the highest id from which on they are not.
func (o *observer) scan(ctx context.Context, c cursor, found *view) error {
	floor, most := c.floor(), max(2, o.pages(c)) // with two it gets on
	below := int64(0)
	for pages := 1; ; pages++ {
		page, err := o.attempts(ctx, below)
		if err != nil {
			return err
		}
		if pages == 1 && c.void(page) || slices.ContainsFunc(page, c.another) {
			return errReset
		}
		if pages == 1 && page[0].n-floor > int64(most)*int64(o.page) {
			found.above = true
			below = floor + int64(most-1)*int64(o.page) + 1
			o.cannotSee("runs: attempts from %d on, up to %d: they take more than %d requests, and the next look goes on there; a higher requests looks at more at once", below, page[0].n, most)
			continue
		}
		found.rows = append(found.rows, page...)
		if len(page) < o.page {
			found.bottom = 1
			return nil
		}
		below = page[len(page)-1].n
		if found.bottom = below; below <= floor+1 {
			return nil
		}
		o.progress(len(found.rows), "looking at attempts, back to "+page[len(page)-1].CreatedAt.Format(time.RFC3339))
	}
}

// reopen gets those that the cursor has open and that are not seen yet.
func (o *observer) reopen(ctx context.Context, c cursor, found *view) error {
	seen := map[int64]bool{}
	for _, r := range found.rows {
		seen[r.n] = true
	}
	var old []int64
	for n := range c.Open {
		if n < found.bottom && !seen[n] {
			old = append(old, n)
		}
	}
	most := o.pages(c)
	for i, ask := range asksFor(old, o.page) {
		if o.most > 0 && i >= most {
			found.unasked = slices.DeleteFunc(slices.Clone(old), func(n int64) bool { return n > ask.id })
			o.cannotSee("runs: %d attempts that were open: not looked at: %d requests are too few; a higher requests allows more", len(found.unasked), o.most)
			break
		}
		more, err := o.get(ctx, ask)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(more, c.another) {
			return errReset
		}
		found.rows = append(found.rows, more...)
	}
	for _, n := range old {
		if !slices.Contains(found.unasked, n) && !slices.ContainsFunc(found.rows, func(r row) bool { return r.n == n }) {
			o.cannotSee("attempt %d: it was open, and the server has it no more", n)
		}
	}
	return nil
}

// past gets pages, from the newest on, or from where the cursor stands, until some in a row
// are done and old, most at most. below is where the next look goes on, 0 if there is nothing left.
func (o *observer) past(ctx context.Context, c cursor, most int) (rows []row, below int64, err error) {
	before := o.now.Add(-horizon)
	if from := cmp.Or(c.Since, c.At); from.Before(before) {
		before = from
	}
	below = c.Below
	quiet := 0
	for pages := 1; ; pages++ {
		page, err := o.attempts(ctx, below)
		if err != nil {
			return nil, 0, err
		}
		rows = append(rows, page...)
		if len(page) < o.page {
			return rows, 0, nil
		}
		quiet++
		if slices.ContainsFunc(page, func(r row) bool { return !r.Done || !r.CreatedAt.Before(before) }) {
			quiet = 0
		}
		if quiet == quietPages {
			return rows, 0, nil
		}
		below = page[len(page)-1].n
		created := page[len(page)-1].CreatedAt.Format(time.RFC3339)
		if pages == most {
			o.cannotSee("runs: attempts below %d, which were made before %s: %s newer ones are looked at in one go, and the next look goes on there; a higher requests looks at more at once",
				below, created, humanize.Comma(int64(len(rows))))
			return rows, below, nil
		}
		o.progress(len(rows), "looking at attempts, back to "+created)
	}
}
