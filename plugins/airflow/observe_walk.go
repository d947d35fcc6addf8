package main

import (
	"context"
	"errors"
	"time"

	"github.com/outrider-run/outrider/plugins/airflow/client"
)

const (
	// runsPage is how many runs Airflow gives at once; a server may be set to fewer.
	runsPage = 100
	// pageOverlap is how many rows a page has in common with the one before: those
	// that leave the list meanwhile move the others up.
	pageOverlap = 10
	// mostPages bounds a walk.
	mostPages = 1000
)

// errChurn says that a list did not hold still long enough.
var errChurn = errors.New("the list changes faster than it can be read")

// walk gets all runs of a filter, by pages of which each has rows of those before it:
// where it has none, rows moved up unseen, and the walk steps back until it meets them.
// take takes a page.
func walk(ctx context.Context, c runLister, f client.RunFilter, take func([]client.DAGRun)) error {
	known := map[string]bool{} // without a gap from the first on
	f.Limit = runsPage
	step, fullest := 0, 0
	for range mostPages {
		page, total, err := c.RunsPage(ctx, f)
		if err != nil {
			return err
		}
		take(page)
		met := f.Offset == 0
		for _, r := range page {
			met = met || known[runID(r.DAG, r.ID)]
		}
		if !met {
			f.Offset = max(0, f.Offset-step)
			continue
		}
		for _, r := range page {
			known[runID(r.DAG, r.ID)] = true
		}
		if fullest = max(fullest, len(page)); isLast(f.Offset, len(page), total, fullest) {
			return nil
		}
		step = max(1, len(page)-min(pageOverlap, len(page)/2))
		f.Offset += step
	}
	return errChurn
}

// isLast reports whether nothing comes after a page of so many rows. Where the server
// does not tell the total (-1), that is one with fewer than the fullest before it; and
// one of a single row, since no server gives that few at once.
func isLast(offset, rows, total, fullest int) bool {
	return rows == 0 || total >= 0 && offset+rows >= total || total < 0 && (rows < fullest || rows == 1)
}

// openRuns gets the runs that are open, the oldest first, so that new ones come last.
func openRuns(ctx context.Context, c runLister, s sight) error {
	return walk(ctx, c, client.RunFilter{States: []string{"queued", "running"}, OrderBy: "id"}, s.take)
}

// endedRuns gets the runs that ended since a time, the first ones first, until enough
// says so. Each page begins where the one before ended, in time: what was cleared
// meanwhile leaves the list and moves the others up.
func endedRuns(ctx context.Context, c runLister, since time.Time, take func([]client.DAGRun) (enough bool)) (more bool, err error) {
	f := client.RunFilter{States: []string{"success", "failed"}, EndedSince: since, OrderBy: "end_date", Limit: runsPage}
	fullest := 0
	for range mostPages {
		page, total, err := c.RunsPage(ctx, f)
		if err != nil {
			return false, err
		}
		enough := take(page)
		if fullest = max(fullest, len(page)); isLast(f.Offset, len(page), total, fullest) {
			return false, nil
		}
		if enough {
			return true, nil
		}
		if last := page[len(page)-1].End; last.After(f.EndedSince) {
			f.EndedSince, f.Offset = last, 0
		} else { // a whole page of one moment
			f.Offset += len(page)
		}
	}
	return true, nil
}

// take keeps the later answers.
func (s sight) take(page []client.DAGRun) {
	for _, r := range page {
		s.runs[runID(r.DAG, r.ID)] = r
	}
}
