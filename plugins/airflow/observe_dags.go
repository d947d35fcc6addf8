package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/outrider-run/outrider/plugins/airflow/client"
	"github.com/outrider-run/outrider/sdk/observe"
)

// dags reports the DAGs, with what their files' import errors are if deep. open counts
// open runs by DAG, nil where that is not known.
func (o *observer) dags(ctx context.Context, s *observe.Snapshot, open map[string]int, deep bool) error {
	var broken []client.ImportError
	if deep {
		read, err := o.look("import errors", func() (err error) { broken, err = o.ImportErrors(ctx); return err })
		if err != nil {
			return err
		}
		if read {
			s.Signals = append(s.Signals, brokenSignals(broken)...)
		}
	}
	var list []client.DAG
	looked, err := o.look("dags", func() error {
		for d, err := range o.DAGs(ctx, client.DAGFilter{}) {
			if err != nil {
				return err
			}
			list = append(list, d)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if looked && len(broken) > 0 {
		if list, err = o.withStale(ctx, list, broken); err != nil {
			return err
		}
	}
	if looked {
		s.Schedules = schedulesOf(list, broken)
		s.Signals = append(s.Signals, dagSignals(s.Schedules, open, s.At)...)
		if open != nil {
			noteLate(s.Health, late(s.Schedules, open, s.At))
		}
	}
	return nil
}

// withStale adds to the live DAGs the stale ones of files with import errors, for which
// Airflow takes them. It is one request: a server keeps all that it ever knew.
func (o *observer) withStale(ctx context.Context, live []client.DAG, broken []client.ImportError) ([]client.DAG, error) {
	var page []client.DAG
	var total int
	looked, err := o.look("dags of broken files", func() (err error) { page, total, err = o.DAGsOfBrokenFiles(ctx); return err })
	if err != nil || !looked {
		return live, err
	}
	list, stale, picked := slices.Clone(live), 0, true
	for _, d := range page {
		picked = picked && d.Broken
		if !d.Stale {
			continue
		}
		if stale++; errorOf(d, broken) != "" {
			list = append(list, d)
		}
	}
	left := total - len(page)
	if !picked { // then live ones are among them, all of which are known
		left = total - len(live) - stale
	}
	if left > 0 {
		o.cannotSee("dags of broken files: %d that are in no file any more were not looked at; some may be of a file with an import error", left)
	}
	slices.SortFunc(list, func(a, b client.DAG) int { return strings.Compare(a.ID, b.ID) })
	return list, nil
}

// schedulesOf are the DAGs as they are reported, those without a schedule too.
func schedulesOf(list []client.DAG, broken []client.ImportError) []observe.Schedule {
	all := make([]observe.Schedule, 0, len(list))
	for _, d := range list {
		all = append(all, observe.Schedule{
			ID: d.ID, Workflow: d.ID, NextRun: d.NextRun, NextSession: d.NextLogical,
			Off: d.Paused, Expression: d.Expression, Zone: d.Zone, MaxActive: d.MaxActiveRuns,
			Broken: brokenBy(d, broken), Labels: labels(d),
		})
	}
	return all
}

// ofOwner begins a tag by which a DAG's owner sets how it is watched.
const ofOwner = "outrider:"

// labels are a DAG's owners, and its tags: one that is key:value or key=value by its
// key, outrider:key=value by outrider.key, which is true without a value, the others
// together. They are known, and so never nil.
func labels(d client.DAG) map[string]string {
	all := map[string]string{}
	if len(d.Owners) > 0 {
		all["owners"] = strings.Join(d.Owners, ",")
	}
	var plain []string
	for _, tag := range d.Tags {
		if set, ok := strings.CutPrefix(tag, ofOwner); ok {
			key, value, given := strings.Cut(set, "=")
			if !given {
				value = "true"
			}
			all["outrider."+key] = value
			continue
		}
		if at := strings.IndexAny(tag, ":="); at > 0 {
			all[tag[:at]] = tag[at+1:]
			continue
		}
		plain = append(plain, tag)
	}
	if len(plain) > 0 {
		all["tags"] = strings.Join(plain, ",")
	}
	return all
}

// mostBroken is how much is told of one import error, in bytes.
const mostBroken = 1 << 10

// brokenBy is why a DAG's file cannot be read, "" if it can.
func brokenBy(d client.DAG, broken []client.ImportError) string {
	text := errorOf(d, broken)
	if text == "" && d.Broken {
		return "its file has an import error, and this is what it was before"
	}
	return text
}

// errorOf is the import error of a DAG's file, "" where there is none.
func errorOf(d client.DAG, broken []client.ImportError) string {
	for _, e := range broken {
		if (d.Broken || d.Stale) && sameFile(d.File, e.File) {
			return clip(e.File+": "+lastLine(e.Stack), mostBroken)
		}
	}
	return ""
}

// sameFile reports whether two paths name one file: Airflow 3 gives some below the
// bundle's folder only.
func sameFile(a, b string) bool {
	return a == b || a != "" && b != "" && (strings.HasSuffix(a, "/"+b) || strings.HasSuffix(b, "/"+a))
}

// lastLine is that of a traceback, which says what went wrong.
func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// mostImportErrors is how many import errors have a signal of their own.
const mostImportErrors = 50

func brokenSignals(broken []client.ImportError) []observe.Signal {
	signals := []observe.Signal{{Name: "import_errors", Value: float64(len(broken))}}
	for _, e := range broken[:min(len(broken), mostImportErrors)] {
		signals = append(signals, observe.Signal{
			Name: "import_error", Value: 1, Labels: map[string]string{"file": e.File, "error": clip(lastLine(e.Stack), mostBroken)},
		})
	}
	return signals
}

// late are the DAGs that should have a run by now and have none: at max_active_runs,
// or while the run before goes on, Airflow starts none.
func late(list []observe.Schedule, open map[string]int, now time.Time) []observe.Schedule {
	return slices.DeleteFunc(slices.Clone(list), func(s observe.Schedule) bool {
		return s.Off || s.NextRun.IsZero() || now.Sub(s.NextRun) <= overdue || open[s.Workflow] > 0
	})
}

// noteLate says of a scheduler that it lets DAGs' times pass: it may turn and do
// nothing.
func noteLate(all []observe.Health, late []observe.Schedule) {
	if len(late) == 0 {
		return
	}
	first := slices.MinFunc(late, func(a, b observe.Schedule) int { return a.NextRun.Compare(b.NextRun) })
	for i := range all {
		if all[i].Name == "scheduler" && all[i].Note == "" {
			all[i].Note = fmt.Sprintf("%d DAG(s) let their time pass and have no open run; %s was to run at %s", len(late), first.Workflow, first.NextRun.Format(time.RFC3339))
		}
	}
}

func dagSignals(list []observe.Schedule, open map[string]int, now time.Time) []observe.Signal {
	paused, broken, full := 0, 0, 0
	for _, s := range list {
		if s.Off {
			paused++
		}
		if s.Broken != "" {
			broken++
		}
		if s.MaxActive > 0 && open[s.Workflow] >= s.MaxActive {
			full++
		}
	}
	signals := []observe.Signal{
		{Name: "dags", Value: float64(len(list))},
		{Name: "paused_dags", Value: float64(paused)},
		{Name: "broken_dags", Value: float64(broken)},
	}
	if open != nil {
		signals = append(signals,
			observe.Signal{Name: "overdue_dags", Value: float64(len(late(list, open, now)))},
			observe.Signal{Name: "dags_at_max_active_runs", Value: float64(full)})
	}
	return signals
}
