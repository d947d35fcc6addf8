package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/deliver/slacktest"
	"github.com/outrider-run/outrider/sdk/observe"
)

// How often is looked, and what crosses its threshold meanwhile.
const (
	crossingEvery = 5 * time.Second
	crossingLimit = 30 * time.Second
	crossingRuns  = 4
	crossingApart = 1300 * time.Millisecond // so that they cross in every part of the interval
)

// checkers measures passes of the checker: over much, and how soon they tell.
func (b *bench) checkers() ([]figure, error) {
	over, err := b.crowded()
	if err != nil {
		return nil, err
	}
	soon, err := b.crossing()
	return append(over, soon...), err
}

// crossing is the time from when a run becomes too long to the message in Slack, of the
// slowest of some.
func (b *bench) crossing() (figures []figure, err error) {
	t := &notATest{}
	defer t.end()
	slack := slacktest.New(t, "data")
	dir := filepath.Join(b.state, "crossing")
	c, err := b.newChecker("crossing", fmt.Sprintf(`
sources:
  crossing: {engine: stand, file: %s/snapshot.json}
rules: [{name: long, kind: running, threshold: %s}]
receivers:
  team: {component: slack.post, params: {token: env:SLACK_TOKEN, channel: '#data', api_url: %q}}
routes: [{receiver: team, group_by: [workflow]}]
`, dir, crossingLimit, slack.URL))
	if err != nil {
		return nil, err
	}
	began := time.Now().UTC().Add(15*time.Second - crossingLimit) // the first crosses when passes are being made
	var runs []observe.Run
	for i := range crossingRuns {
		at := began.Add(time.Duration(i) * crossingApart)
		name := fmt.Sprintf("crossing%d", i)
		runs = append(runs, observe.Run{ID: name, Address: "p/" + name, Project: "p", Workflow: name, Session: name, State: observe.Running, Created: at, Started: at})
	}
	snapshot, err := json.Marshal(map[string]any{"engine": "stand", "runs": runs, "schedules": []any{}, "health": []any{}, "signals": []any{}, "requests": 1, "cursor": 1})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "snapshot.json"), snapshot, 0o600); err != nil {
		return nil, err
	}
	cmd := c.command("watch", "--every", crossingEvery.String())
	cmd.Env = append(cmd.Env, "SLACK_TOKEN="+slacktest.Token)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	defer func() {
		if err = errors.Join(err, cmd.Process.Signal(syscall.SIGTERM), cmd.Wait()); err != nil {
			err = fmt.Errorf("%w\n%s", err, &said)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	slowest := 0.0
	for _, r := range runs {
		if _, err := slack.Wait(ctx, func(m slacktest.Message) bool {
			return strings.Contains(m.Seen(), r.Workflow) && strings.Contains(m.Seen(), "long")
		}); err != nil {
			return nil, fmt.Errorf("a message of %s: %w", r.Workflow, err)
		}
		slowest = max(slowest, time.Since(r.Created.Add(crossingLimit)).Seconds())
	}
	return []figure{{
		what: fmt.Sprintf("threshold crossed to message, a pass every %s", crossingEvery), target: (crossingEvery + 5*time.Second).Seconds(), unit: "s", atMost: true,
		got: slowest, note: fmt.Sprintf("slowest of %d", crossingRuns),
	}}, nil
}
