package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/dags/airflowtest"
	"github.com/outrider-run/outrider/dig/digdagtest"
	"github.com/outrider-run/outrider/runner/internal/db/dbtest"
)

// walk asks Digdag as a script does that knows nothing better.
//
//go:embed walk.py
var walk string

// What is observed.
const (
	digdagProjects  = 50
	digdagWorkflows = 4 // of each project
	digdagOpen      = 20
	digdagEnded     = 2_000
	digdagEndedMore = 20_000
)

// watched is a Digdag server with much on it, and who asks it.
type watched struct {
	*bench
	server *digdagtest.Server
	dir    string
	python string   // with requests
	open   []string // ids of attempts
}

// digdag compares digdag.observe with the walk: in requests and, on a real server, as
// whole processes.
func (b *bench) digdag() ([]figure, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute)
	defer cancel()
	// Airflow's environment, which another measurement needs too, has requests.
	venv, err := airflowtest.Install(ctx, airflowtest.V3)
	if err != nil {
		return nil, err
	}
	python := filepath.Join(venv, "bin", "python")
	var ours asked
	figures, err := b.watch(ctx, python, digdagEnded, func(w *watched) (all []figure, err error) {
		if all, ours, err = w.compare(); err != nil {
			return nil, err
		}
		passes, err := w.passes()
		return append(all, passes...), err
	})
	if err != nil {
		return nil, err
	}
	if kind, err := digdagtest.Find(); err != nil || kind.Real {
		return figures, err // it would run for a quarter of an hour to have so many
	}
	more, err := b.watch(ctx, python, digdagEndedMore, func(w *watched) ([]figure, error) {
		again, err := w.observe()
		return []figure{{
			what: fmt.Sprintf("  with %d ended", digdagEndedMore), target: float64(ours.requests), unit: "req.", atMost: true,
			got: float64(again.requests), note: w.kind(),
		}}, err
	})
	return append(figures, more...), err
}

// watch has something measured on a server of its own that has much on it.
func (b *bench) watch(ctx context.Context, python string, sessions int, measure func(*watched) ([]figure, error)) ([]figure, error) {
	return serve(ctx, nil, func(s *digdagtest.Server, dir string) ([]figure, error) {
		w := &watched{bench: b, server: s, dir: dir, python: python}
		if err := w.fill(ctx, sessions); err != nil {
			return nil, err
		}
		return measure(w)
	})
}

// serve has something measured on a server of its own, with this environment (nil is
// ours) and a folder that is removed.
func serve(ctx context.Context, env []string, measure func(s *digdagtest.Server, dir string) ([]figure, error)) (figures []figure, err error) {
	dir, err := os.MkdirTemp("", "orbd")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	kind, err := digdagtest.Find()
	if err != nil {
		return nil, err
	}
	var settings map[string]string
	if kind.Real {
		t := &notATest{}
		defer t.end()
		if settings, err = onPostgres(t); err != nil {
			return nil, err
		}
	}
	s, err := digdagtest.Start(ctx, digdagtest.Options{Dir: dir, Env: env, Config: settings})
	if err != nil {
		return nil, err
	}
	figures, err = measure(s, dir)
	return figures, errors.Join(err, s.Stop())
}

// onPostgres are settings of a real server: it stands on PostgreSQL, as it does where it
// runs for long. On H2 it sorts all attempts that there are for each list of the newest. It
// speaks TCP alone, at a loopback address of this process.
func onPostgres(t testing.TB) (map[string]string, error) {
	host := fmt.Sprintf("127.78.%d.%d", os.Getpid()>>8&0xff, os.Getpid()&0xff)
	at, err := url.Parse(dbtest.New(t, "listen_addresses="+host).URL())
	if err != nil {
		return nil, fmt.Errorf("find the database: %w", err)
	}
	return map[string]string{
		"database.type": "postgresql", "database.host": host, "database.port": "5432",
		"database.user": at.User.Username(), "database.password": "any", "database.database": strings.TrimPrefix(at.Path, "/"),
	}, nil
}

func (w *watched) kind() string { return kind(w.server) }

// kind says on what a figure was measured.
func kind(s *digdagtest.Server) string {
	if s.Real {
		return "on a real server with PostgreSQL"
	}
	return "on the double"
}

// compare compares with the walk.
func (w *watched) compare() (figures []figure, ours asked, err error) {
	if ours, err = w.observe(); err != nil {
		return nil, ours, err
	}
	theirs, err := w.walk()
	if err != nil {
		return nil, ours, err
	}
	if !slices.Equal(theirs.open, w.open) {
		return nil, ours, fmt.Errorf("%v are open, and the walk says %v", w.open, theirs.open)
	}
	figures = []figure{
		{
			what:   fmt.Sprintf("digdag.observe: %d workflows, %d open, %d ended", digdagProjects*digdagWorkflows, digdagOpen, digdagEnded),
			target: 6, unit: "req.", atMost: true, got: float64(ours.requests), note: w.kind(),
		},
		{
			what: "  requests of the walk in Python, of ours", target: 50, unit: "×",
			got: float64(theirs.requests) / float64(ours.requests), note: fmt.Sprintf("%d against %d, %s", theirs.requests, ours.requests, w.kind()),
		},
	}
	if !w.server.Real {
		return figures, ours, nil
	}
	// The walk takes seconds: there is no need of many.
	walks, observes, err := pairs(min(w.pairs, 7), w.walkCommand, func() *exec.Cmd { return w.observeCommand(ours.cursor) })
	if err != nil {
		return nil, ours, err
	}
	return append(figures, figure{
		what: "  whole process, the walk's time, of ours", target: 15, unit: "×",
		got: ratio(walks, observes), note: fmt.Sprintf("%.0f ms against %.0f ms, %s", median(walks), median(observes), w.kind()),
	}), ours, nil
}

// fill pushes the projects, has their workflows run, and leaves some attempts open.
func (w *watched) fill(ctx context.Context, sessions int) error {
	for i := range digdagProjects {
		if err := w.push(ctx, i, "echo>: done"); err != nil {
			return err
		}
	}
	fmt.Fprintf(os.Stderr, "giving Digdag %d sessions, %s\n", sessions, w.kind())
	if err := w.server.Seed(ctx, sessions); err != nil {
		return err
	}
	for i := range digdagOpen {
		if err := w.push(ctx, i, "wait>: 1h"); err != nil {
			return err
		}
		a, err := w.server.StartWorkflow(ctx, projectName(i), "w0", nil)
		if err != nil {
			return err
		}
		w.open = append(w.open, a.ID)
	}
	return nil
}

func projectName(i int) string { return fmt.Sprintf("project%d", i) }

func (w *watched) push(ctx context.Context, project int, task string) error {
	dir := filepath.Join(w.dir, "project")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for i := range digdagWorkflows {
		text := "schedule: {monthly>: '1,00:00:00'}\n+a:\n  " + task + "\n"
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("w%d.dig", i)), []byte(text), 0o600); err != nil {
			return err
		}
	}
	_, err := w.server.Push(ctx, projectName(project), dir)
	return err
}

// asked is what somebody learned, and by how many requests.
type asked struct {
	requests int
	open     []string
	cursor   json.RawMessage
}

// observe makes a pass without a cursor, and tells of the one after it, which has to
// see what is open.
func (w *watched) observe() (asked, error) {
	var cursor json.RawMessage
	for range 2 {
		out, err := w.observeCommand(cursor).Output()
		if err != nil {
			return asked{}, fmt.Errorf("digdag.observe: %w", said(err))
		}
		var s struct {
			Requests int
			Cursor   json.RawMessage
			Runs     []struct{ ID, State string }
		}
		if err := json.Unmarshal(out, &s); err != nil {
			return asked{}, err
		}
		if cursor == nil {
			cursor = s.Cursor
			continue
		}
		a := asked{requests: s.Requests, cursor: cursor}
		for _, r := range s.Runs {
			a.open = append(a.open, r.ID)
		}
		if !slices.Equal(a.open, w.open) {
			return a, fmt.Errorf("%v are open, and digdag.observe says %v", w.open, a.open)
		}
		return a, nil
	}
	return asked{}, errors.New("digdag.observe returned no cursor")
}

func (w *watched) observeCommand(cursor json.RawMessage) *exec.Cmd {
	params := map[string]any{"endpoint": w.server.URL}
	if cursor != nil {
		params["cursor"] = cursor
	}
	raw, _ := json.Marshal(params) // of texts and what was JSON
	cmd := w.outrider("run", "--log-level", "warn", "--params", "-", "digdag.observe")
	cmd.Stdin = bytes.NewReader(raw)
	return cmd
}

func (w *watched) walkCommand() *exec.Cmd {
	return exec.Command(w.python, "-c", walk, w.server.URL)
}

func (w *watched) walk() (asked, error) {
	out, err := w.walkCommand().Output()
	if err != nil {
		return asked{}, fmt.Errorf("the walk: %w", said(err))
	}
	var a struct {
		Requests int
		Open     []string
	}
	err = json.Unmarshal(out, &a)
	return asked{requests: a.Requests, open: a.Open}, err
}

// said adds what a process printed to its error.
func said(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	return err
}
