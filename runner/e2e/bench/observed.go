package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"

	"github.com/outrider-run/outrider/dags/airflowtest"
)

// observedDAGs are the DAGs observed_0, observed_1 …
//
//go:embed observed.py
var observedDAGs string

const (
	airflowDAGs   = 200
	airflowPaused = 198 // of observed.py
	airflowOpen   = 50
)

// observed counts the requests of airflow.observe, and compares a pass as a whole
// process with one call of Airflow's own command, which tells of one DAG's runs.
func (b *bench) observed(ctx context.Context, s *airflowtest.Server) (figures []figure, err error) {
	if err := s.AwaitDAG(ctx, fmt.Sprintf("observed_%d", airflowPaused-1)); err != nil {
		return nil, err
	}
	var open []string
	for n := range airflowOpen {
		r, err := s.Trigger(ctx, fmt.Sprintf("observed_%d", n), nil)
		if err != nil {
			return nil, err
		}
		open = append(open, r.ID)
	}
	slices.Sort(open)
	for _, pass := range []struct {
		name string
		most float64
	}{{"basic", 7}, {"deep", 12}} {
		out, err := b.observeAirflow(s, pass.name == "deep").Output()
		if err != nil {
			return nil, fmt.Errorf("airflow.observe: %w", said(err))
		}
		var got struct {
			Requests  int
			Runs      []struct{ Workflow, Session, State string }
			Schedules []struct{ Workflow string }
			Blind     []string
		}
		if err := json.Unmarshal(out, &got); err != nil {
			return nil, err
		}
		var seen []string
		for _, r := range got.Runs {
			if r.State == "queued" {
				seen = append(seen, r.Session)
			}
		}
		slices.Sort(seen)
		if !slices.Equal(seen, open) || len(got.Schedules) != airflowDAGs || len(got.Blind) > 0 {
			return nil, fmt.Errorf("airflow.observe sees %d of %d open runs, %d of %d DAGs, and not %q", len(seen), len(open), len(got.Schedules), airflowDAGs, got.Blind)
		}
		figures = append(figures, figure{
			what:   fmt.Sprintf("airflow.observe, %s: %d DAGs, %d open", pass.name, airflowDAGs, airflowOpen),
			target: pass.most, unit: "req.", atMost: true, got: float64(got.Requests),
		})
	}
	// Airflow's command takes seconds: there is no need of many.
	theirs, ours, err := pairs(min(b.pairs, 5),
		func() *exec.Cmd { return s.Command(ctx, "dags", "list-runs", "observed_0", "-o", "json") },
		func() *exec.Cmd { return b.observeAirflow(s, false) })
	if err != nil {
		return nil, err
	}
	return append(figures, figure{
		what: "  whole process, airflow dags list-runs, of ours", target: 20, unit: "×",
		got: ratio(theirs, ours), note: fmt.Sprintf("%.0f ms against %.0f ms", median(theirs), median(ours)),
	}), nil
}

func (b *bench) observeAirflow(s *airflowtest.Server, deep bool) *exec.Cmd {
	raw, _ := json.Marshal(map[string]any{"endpoint": s.URL, "user": airflowtest.User, "password": "env:AIRFLOW_PASSWORD", "deep": deep}) // plain data
	cmd := b.outrider("run", "--log-level", "warn", "--params", "-", "airflow.observe")
	cmd.Env = append(cmd.Env, "AIRFLOW_PASSWORD="+s.Password)
	cmd.Stdin = bytes.NewReader(raw)
	return cmd
}
