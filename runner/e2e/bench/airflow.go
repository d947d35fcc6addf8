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

// airflowTasks is how many tasks of each kind airflow.py and operator.py have.
const airflowTasks = 20

// airflow compares a component in a BashOperator with echo in one, and with the
// operator, on a real Airflow 3, by the times that Airflow itself notes of its tasks.
func (b *bench) airflow() ([]figure, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	fmt.Fprintln(os.Stderr, "starting Airflow; this takes a minute")
	files, err := operatorFiles()
	if err != nil {
		return nil, err
	}
	files["airflow.py"], files["observed.py"] = airflowDAG, observedDAGs
	s, err := airflowtest.Start(ctx, airflowtest.Options{
		Version: airflowtest.V3,
		DAGs:    files,
		Env:     append(b.outrider().Env, "PATH="+b.bin+string(os.PathListSeparator)+os.Getenv("PATH")),
	})
	if err != nil {
		return nil, err
	}
	figures, err := overBash(ctx, s)
	if err == nil {
		var more []figure
		more, err = b.observed(ctx, s)
		figures = append(figures, more...)
	}
	if stopped := s.Stop(); err == nil {
		err = stopped
	}
	return figures, err
}

func overBash(ctx context.Context, s *airflowtest.Server) ([]figure, error) {
	bash, err := compared(ctx, s, "bench", "greet", "echo")
	if err != nil {
		return nil, err
	}
	bash.what, bash.target = "run hello.greet in a BashOperator, over echo", 100
	operator, err := compared(ctx, s, "bench_operator", "operator", "bash")
	if err != nil {
		return nil, err
	}
	operator.what, operator.target = "hello.greet by OutriderOperator, over a BashOperator", 50
	return []figure{bash, operator}, nil
}

// compared runs a DAG that has tasks of two kinds by turns, and compares the medians of
// how long each took.
func compared(ctx context.Context, s *airflowtest.Server, dag, ours, theirs string) (figure, error) {
	if err := s.AwaitDAG(ctx, dag); err != nil {
		return figure{}, err
	}
	r, err := s.Trigger(ctx, dag, nil)
	if err != nil {
		return figure{}, err
	}
	if state, err := r.Wait(ctx); err != nil || state != "success" {
		return figure{}, fmt.Errorf("the run of %s ended as %s: %w", dag, state, err)
	}
	took := map[string][]float64{}
	for n := range airflowTasks {
		for _, kind := range []string{ours, theirs} {
			t, err := r.Task(ctx, fmt.Sprintf("%s_%d", kind, n+1))
			if err != nil {
				return figure{}, err
			}
			took[kind] = append(took[kind], float64(t.End.Sub(*t.Start))/float64(time.Millisecond))
		}
	}
	a, b := median(took[ours]), median(took[theirs])
	return figure{
		unit: "ms", atMost: true, got: a - b,
		note: fmt.Sprintf("%.0f ms against %.0f ms, of %d", a, b, airflowTasks),
	}, nil
}
