package engine

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/conf"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/dig"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/state"
)

// A server that lives says so of the tasks that it runs, and keeps them beyond
// their first lock. What a dead one leaves is in digdagtest's own suite.
func TestHeartbeatKeepsTheLock(t *testing.T) {
	store, err := state.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	logs := t.TempDir()
	e, err := New(store, Config{
		TempDir: t.TempDir(), LogDir: logs, Output: io.Discard, LockRetention: time.Second, Heartbeat: 10 * time.Millisecond,
		ExpireInterval: 10 * time.Millisecond, MaxAttempts: 1, AgentEnabled: true, ExecutorEnabled: true, ReapInterval: time.Minute, AttemptTTL: time.Hour, TaskTTL: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	release := filepath.Join(t.TempDir(), "release")
	d, err := dig.Load("w", fmt.Appendf(nil, "+a: {sh>: 'until [ -e %s ]; do sleep 0.02; done'}", release))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Push("p", "r", []dig.Definition{d}, emptyArchive(t), "", time.Now()); err != nil {
		t.Fatal(err)
	}
	attempt, _, err := e.Submit(Request{WorkflowID: 1, SessionTime: time.Now(), Params: conf.New()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	expires := func() (at int64) {
		store.View(func(st *state.State) {
			task := st.Tasks(attempt)[1]
			if at = task.LockExpires; task.LockedBy != e.agent || task.State != state.Running {
				t.Errorf("the task is %s, locked by %q", task.State, task.LockedBy)
			}
		})
		return at
	}
	for first := expires(); !t.Failed() && expires() < first+3; {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal("the lock is never renewed")
		}
	}
	if err := os.WriteFile(release, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	e.Drain(ctx)
	if runs, err := filepath.Glob(filepath.Join(logs, "*", "+w+a@*")); err != nil || len(runs) != 1 {
		t.Errorf("runs of the task: %v, %v", runs, err)
	}
	store.View(func(st *state.State) {
		if a := st.Attempts[attempt]; !a.Success {
			t.Errorf("%+v", a)
		}
	})
}

func emptyArchive(t *testing.T) []byte {
	t.Helper()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if err := tar.NewWriter(z).Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}
