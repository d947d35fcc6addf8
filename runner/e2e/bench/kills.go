package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/outrider-run/outrider/dig/digdagtest"
)

// killDig has a task that stays until it is killed.
//
//go:embed kill.dig
var killDig []byte

const (
	killed     = 20
	killTarget = 8 // seconds
	// askEvery is how often a task asks for its attempt: the kills come all over it.
	askEvery = 3 * time.Second
	// killPatience is what is measured of a child that does not end.
	killPatience = 30 * time.Second
)

// kills measures how long the processes of a task live on after the kill of its
// attempt. Every second task ignores SIGTERM.
func (b *bench) kills() ([]figure, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	env := append(b.outrider().Env, "PATH="+b.bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	return serve(ctx, env, func(s *digdagtest.Server, dir string) ([]figure, error) {
		attempts, err := staying(ctx, s, dir)
		if err != nil {
			return nil, err
		}
		var all sync.WaitGroup
		took, errs := make([]float64, killed), make([]error, killed)
		for i, a := range attempts {
			all.Go(func() {
				time.Sleep(time.Duration(i) * askEvery / killed)
				took[i], errs[i] = a.kill(ctx, s)
			})
		}
		all.Wait()
		within := 0
		for _, seconds := range took {
			if seconds <= killTarget {
				within++
			}
		}
		return []figure{{
			what: fmt.Sprintf("kill in Digdag to the child's end, the slowest of %d", killed), target: killTarget, unit: "s", atMost: true,
			got: slices.Max(took), note: fmt.Sprintf("%d of %d in time, median %.1f s, %s", within, killed, median(took), kind(s)),
		}}, errors.Join(errs...)
	})
}

// victim is an attempt, and the processes of its task.
type victim struct {
	id           string
	shell, child int
}

// staying starts the attempts and waits for their children.
func staying(ctx context.Context, s *digdagtest.Server, dir string) (all []victim, err error) {
	project, marks := filepath.Join(dir, "project"), filepath.Join(dir, "marks")
	if err := errors.Join(
		os.Mkdir(project, 0o700), os.Mkdir(marks, 0o700), os.WriteFile(filepath.Join(project, "kill.dig"), killDig, 0o600),
	); err != nil {
		return nil, err
	}
	if _, err := s.Push(ctx, "kill", project); err != nil {
		return nil, err
	}
	w, err := s.Workflow(ctx, "kill", "kill")
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC().Truncate(time.Second)
	for i := range killed {
		params := map[string]any{"endpoint": s.URL, "dir": marks, "deaf": ""}
		if i%2 == 1 {
			params["deaf"] = "yes"
		}
		// Sessions have whole seconds.
		a, err := s.StartAttempt(ctx, digdagtest.StartRequest{WorkflowID: w.ID, SessionTime: now.Add(time.Duration(i) * time.Second), Params: params})
		if err != nil {
			return nil, err
		}
		all = append(all, victim{id: a.ID})
	}
	for i := range all {
		mark := filepath.Join(marks, all[i].id)
		for !there(mark) {
			if ctx.Err() != nil {
				return nil, fmt.Errorf("attempt %s starts no child: %w", all[i].id, ctx.Err())
			}
			time.Sleep(20 * time.Millisecond)
		}
		text, err := os.ReadFile(mark)
		if err != nil {
			return nil, err
		}
		if _, err := fmt.Sscan(string(text), &all[i].shell, &all[i].child); err != nil {
			return nil, fmt.Errorf("the pids of attempt %s, %q: %w", all[i].id, text, err)
		}
	}
	return all, nil
}

// kill is how many seconds after the request the last of the processes is gone.
func (v victim) kill(ctx context.Context, s *digdagtest.Server) (float64, error) {
	if !alive(v.shell) || !alive(v.child) {
		return 0, fmt.Errorf("attempt %s: its processes were gone before the kill", v.id)
	}
	began := time.Now()
	if err := s.Kill(ctx, v.id); err != nil {
		return 0, err
	}
	for (alive(v.shell) || alive(v.child)) && time.Since(began) < killPatience {
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(began).Seconds(), nil
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }
