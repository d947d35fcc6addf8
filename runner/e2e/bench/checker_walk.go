package main

import (
	"fmt"
	"os/exec"
)

// passes compares a whole pass of the checker with the walk, which only asks: in requests
// and, on a real server, as whole processes.
func (w *watched) passes() ([]figure, error) {
	c, err := w.newChecker("walk", fmt.Sprintf("sources:\n  digdag: {engine: digdag, endpoint: %q}\n", w.server.URL))
	if err != nil {
		return nil, err
	}
	var ours int
	for range 2 { // the first is the baseline
		p, _, err := c.pass()
		if err != nil {
			return nil, err
		}
		workflows, open, requests, err := p.of("digdag")
		if err != nil {
			return nil, err
		}
		if workflows != digdagProjects*digdagWorkflows || open != digdagOpen {
			return nil, fmt.Errorf("the pass saw %d workflows and %d open: %+v", workflows, open, p)
		}
		ours = requests
	}
	theirs, err := w.walk()
	if err != nil {
		return nil, err
	}
	figures := []figure{{
		what: fmt.Sprintf("pass over %d workflows: requests of the walk, of ours", digdagProjects*digdagWorkflows), target: 50, unit: "×",
		got: float64(theirs.requests) / float64(ours), note: fmt.Sprintf("%d against %d, %s", theirs.requests, ours, w.kind()),
	}}
	if !w.server.Real {
		return figures, nil
	}
	walks, passes, err := pairs(min(w.pairs, 7), w.walkCommand, func() *exec.Cmd { return c.command("check", "--exit-zero") })
	if err != nil {
		return nil, err
	}
	return append(figures, figure{
		what: "  whole process, the walk's time, of ours", target: 12, unit: "×",
		got: ratio(walks, passes), note: fmt.Sprintf("%.0f ms against %.0f ms, %s", median(walks), median(passes), w.kind()),
	}), nil
}
