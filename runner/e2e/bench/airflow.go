package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"time"

	"github.com/outrider-run/outrider/dags/airflowtest"
)

// airflowDAG holds the tasks echo_1, greet_1, echo_2 … one after the other.
//
//go:embed airflow.py
var airflowDAG string

// airflowTasks is how many tasks of each kind airflow.py has.
const airflowTasks = 20

// airflow compares a component in a BashOperator with echo in one, on a real
// Airflow 3, by the times that Airflow itself notes of its tasks.
func (b *bench) airflow() ([]figure, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	fmt.Fprintln(os.Stderr, "starting Airflow; this takes a minute")
	s, err := airflowtest.Start(ctx, airflowtest.Options{
		Version: airflowtest.V3,
		DAGs:    map[string]string{"airflow.py": airflowDAG},
		Env:     append(b.outrider().Env, "PATH="+b.bin+string(os.PathListSeparator)+os.Getenv("PATH")),
	})
	if err != nil {
		return nil, err
	}
	figures, err := overEcho(ctx, s)
	if stopped := s.Stop(); err == nil {
		err = stopped
	}
	return figures, err
}

func overEcho(ctx context.Context, s *airflowtest.Server) ([]figure, error) {
	if err := s.AwaitDAG(ctx, "bench"); err != nil {
		return nil, err
	}
	r, err := s.Trigger(ctx, "bench", nil)
	if err != nil {
		return nil, err
	}
	if state, err := r.Wait(ctx); err != nil || state != "success" {
		return nil, fmt.Errorf("the run of the DAG ended as %s: %w", state, err)
	}
	took := map[string][]float64{}
	for n := range airflowTasks {
		for _, kind := range []string{"echo", "greet"} {
			t, err := r.Task(ctx, fmt.Sprintf("%s_%d", kind, n+1))
			if err != nil {
				return nil, err
			}
			took[kind] = append(took[kind], float64(t.End.Sub(*t.Start))/float64(time.Millisecond))
		}
	}
	ours, theirs := median(took["greet"]), median(took["echo"])
	return []figure{{
		what: "run hello.greet in a BashOperator, over echo", target: 100, unit: "ms", atMost: true,
		got: ours - theirs, note: fmt.Sprintf("%.0f ms against %.0f ms, of %d", ours, theirs, airflowTasks),
	}}, nil
}
