package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/outrider-run/outrider/plugins/airflow/client"
	"github.com/outrider-run/outrider/plugins/airflow/internal/address"
)

// underWay reports the progress of a run against how long successes took, which is
// asked for once.
func (f *follower) underWay(ctx context.Context, r client.DAGRun, note string) string {
	if !f.asked {
		f.asked = true
		took, err := f.history(ctx, r)
		if err != nil {
			f.run.Log().Debug("no history", "error", err)
		}
		f.usual = took
	}
	begun := r.Start
	if note != f.said {
		f.said = note
		args := []any{"link", f.c.Link(r.DAG, r.ID, f.task.Task, f.task.MapIndex())}
		if f.usual > 0 && !begun.IsZero() {
			args = append(args, "usually", f.usual, "expected", begun.Add(f.usual).Format(time.RFC3339))
		}
		f.run.Log().Info(note, args...)
	}
	if begun.IsZero() {
		f.run.Progress(0, f.usual.Seconds(), note)
		return note
	}
	since := max(0, f.c.Now().Sub(begun).Round(time.Second))
	note += fmt.Sprintf(", for %s", since)
	switch {
	case f.usual > since:
		note += fmt.Sprintf("; usually %s, so about %s more", f.usual, f.usual-since)
	case f.usual > 0:
		note += fmt.Sprintf("; usually %s, so it is late", f.usual)
	}
	f.run.Progress(min(since, max(f.usual, since)).Seconds(), f.usual.Seconds(), note)
	return note
}

const (
	// historyOf is how many successes are looked at for how long a DAG takes.
	historyOf = 30
	// historyTasks is the same for a task, which costs a request each.
	historyTasks = 5
)

// history is the median of how long it took from a run's start.
func (f *follower) history(ctx context.Context, r client.DAGRun) (time.Duration, error) {
	runs, _, err := f.c.RunsPage(ctx, client.RunFilter{DAG: r.DAG, States: []string{"success"}, Limit: historyOf})
	if err != nil || f.task.Task == "" {
		return usual(runs), err
	}
	var took []time.Duration
	for _, s := range runs[:min(historyTasks, len(runs))] {
		tasks, err := f.c.Tasks(ctx, s.DAG, s.ID)
		if err != nil {
			return median(took), err
		}
		whole := f.task
		whole.Mapped = false // what is mapped differs from run to run
		v, found, _ := judgeTask(s, tasks, whole)
		if v == succeeded && !s.Start.IsZero() {
			took = append(took, max(0, span(found).End.Sub(s.Start)))
		}
	}
	return median(took), nil
}

// usual is the median time that runs took to succeed, 0 if none did.
func usual(runs []client.DAGRun) time.Duration {
	var took []time.Duration
	for _, r := range runs {
		if r.State == "success" && !r.Start.IsZero() && r.End.After(r.Start) {
			took = append(took, r.End.Sub(r.Start))
		}
	}
	return median(took)
}

// median is in whole seconds where it is long enough.
func median(list []time.Duration) time.Duration {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	m := list[len(list)/2]
	if m > 10*time.Second {
		m = m.Round(time.Second)
	}
	return m
}

const (
	// asideEvery is how often it is looked at what the wait depends on.
	asideEvery = 30 * time.Second
	// dead is after what time without a sign a scheduler is told of. Its health check
	// has 30 s for it, by the clock of who answers.
	dead = time.Minute
)

// aside looks now and then at what a wait depends on and does not tell itself: the
// scheduler, and whether the DAG may start anything. What is wrong is logged when it
// begins and ends, and stands in the note that is returned.
func (f *follower) aside(ctx context.Context, dag string) (note string) {
	if time.Since(f.lookedAside) < asideEvery {
		return f.trouble
	}
	f.lookedAside = time.Now()
	now := ""
	if parts, err := f.c.Health(ctx); err == nil {
		now = scheduler(parts, f.c.Now())
	}
	if now == "" {
		d, err := address.FindDAG(ctx, f.c, address.Address{DAG: dag})
		if err == nil {
			now = halted(d)
		}
	}
	switch {
	case now == f.trouble:
	case now == "":
		f.run.Log().Info("it is well again", "was", f.trouble)
	default:
		f.run.Log().Warn(now)
	}
	f.trouble = now
	return now
}

// scheduler says what is wrong with it, "" if nothing is.
func scheduler(parts []client.Part, now time.Time) string {
	for _, p := range parts {
		switch {
		case p.Name == "metadatabase" && p.Status == "unhealthy":
			return "Airflow's database is unhealthy, so that nothing goes on"
		case p.Name != "scheduler":
		case p.Heartbeat.IsZero() && p.Status != "healthy":
			return "no scheduler of Airflow ever gave a sign, so that nothing starts"
		case p.Status == "unhealthy", now.Sub(p.Heartbeat) > dead && !p.Heartbeat.IsZero():
			return fmt.Sprintf("Airflow's scheduler seems dead, so that nothing starts: its last sign was at %s", p.Heartbeat.Format(time.RFC3339))
		}
	}
	return ""
}

// halted says why a DAG starts nothing, "" if it may.
func halted(d client.DAG) string {
	switch {
	case d.Broken && d.Stale: // Airflow 2 does not say which of the two it is
		return fmt.Sprintf("the DAG %s is in no file any more, or its file has an import error, so that nothing of it starts", d.ID)
	case d.Broken:
		return fmt.Sprintf("the file of the DAG %s has an import error, so that nothing of it starts", d.ID)
	case d.Stale:
		return fmt.Sprintf("the DAG %s is in no file any more, so that nothing of it starts", d.ID)
	case d.Paused:
		return fmt.Sprintf("the DAG %s is paused, so that nothing of it starts until somebody unpauses it", d.ID)
	}
	return ""
}
