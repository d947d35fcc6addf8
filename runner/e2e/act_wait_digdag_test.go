package e2e

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/outrider-run/outrider/dig/digdagtest"
	"github.com/outrider-run/outrider/sdk/observe"
)

func TestDigdagActWait(t *testing.T) {
	a := actsOnDigdag(t, digdagtest.Files{
		"up.dig":   "+load:\n  sh>: test -e DIR/flag\n+rest:\n  " + gated,
		"none.dig": "+a:\n  echo>: a\n",
	})
	at := "2026-11-01T00:00:00Z"
	task := a.begin("digdag.wait", map[string]any{"address": a.project + "/up@" + at + "+load", "grace": "1h", "every": "1s"})
	whole := a.begin("digdag.wait", map[string]any{"address": a.project + "/up@" + at, "grace": "1h", "every": "1s"})
	var x ran
	start := map[string]any{"address": a.project + "/up@" + at}
	a.act("digdag.start", start).into(&x)
	a.Wait(x.Run.ID) // it fails, and both wait for a retry
	a.act("digdag.wait", map[string]any{"address": a.project + "/up@" + at + "+load"}).fails(1, "task_failed", "+up+load in attempt "+x.Run.ID)
	a.act("digdag.wait", map[string]any{"address": a.project + "/up@" + at + "+rest"}).fails(1, "task_failed", "did not run: the attempt ended as error: +up+load")
	a.act("digdag.wait", map[string]any{"address": a.project + "/up", "since": "1h"}).fails(1, "attempt_failed")
	a.act("digdag.wait", map[string]any{"address": a.project + "/up@" + at + "+lod"}).fails(3, "not_found", "near: +load")
	if err := os.WriteFile(filepath.Join(a.dir, "flag"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	start["retry_attempt"] = "again"
	var again, out ran
	a.act("digdag.start", start).into(&again)
	(<-task).into(&out)
	if out.Run.ID != again.Run.ID || out.Task == nil || out.Task.Name != "+up+load" || out.Run.State.Ended() {
		t.Errorf("the task: %+v %+v", out.Run, out.Task)
	}
	a.release()
	(<-whole).into(&out)
	if out.Run.ID != again.Run.ID || out.Run.State != observe.Success || out.Run.Try != 2 {
		t.Errorf("the whole: %+v", out.Run)
	}
	a.act("digdag.wait", map[string]any{"address": a.project + "/up", "since": "1h"}).into(&out)
	a.act("digdag.wait", map[string]any{"address": a.project + "/up+load", "since": "today"}).into(&out)
	if out.Task == nil || out.Run.ID != again.Run.ID {
		t.Errorf("since: %+v", out)
	}
	a.act("digdag.wait", map[string]any{"address": a.project + "/none", "since": "1h", "timeout": "2s", "every": "1s"}).fails(1, "timeout", "none was there since")
}

// TestDigdagActOnWhatGoes waits for, and follows, what a server forgets, and through a
// restart.
func TestDigdagActOnWhatGoes(t *testing.T) {
	// What a killed server leaves is delivered again once its lock is over.
	d := onDigdagWith(t, map[string]string{
		"agent.lock-retention-time": "3", "agent.heartbeat-interval": "1", "database.queue.expireLockInterval": "1",
	})
	var target atomic.Pointer[url.URL]
	aim := func() {
		u, err := url.Parse(d.URL)
		if err != nil {
			t.Fatal(err)
		}
		target.Store(u)
	}
	aim()
	// A restarted server of these tests has another port.
	front := newFront(t, &target)
	text := strings.ReplaceAll("+s:\n  "+gated, "DIR", d.dir)
	a := acting{digdag: d, world: newWorld(t), endpoint: front, project: d.Push(digdagtest.Files{"w.dig": text, "bad.dig": "+a:\n  sh>: exit 3\n"})}
	x := a.Start(a.project, "w")
	a.await(x.SessionID + ".on")
	address := a.project + "/w@" + x.ID
	waits := a.begin("digdag.wait", map[string]any{"address": address, "every": "1s"})
	follows := a.begin("digdag.logs", map[string]any{"address": address, "follow": true, "every": "1s"})
	if err := d.Kill9(); err != nil {
		t.Fatal(err)
	}
	if err := d.Restart(d.Context()); err != nil {
		t.Fatal(err)
	}
	aim()
	a.release()
	var out ran
	(<-waits).into(&out)
	if out.Run.State != observe.Success {
		t.Errorf("%+v", out)
	}
	if r := <-follows; r.code != 0 {
		t.Errorf("logs: exit %d\n%s", r.code, r.stderr)
	}

	// What a deleted project runs ends as before, but no retry can come.
	y := a.Start(a.project, "bad")
	a.Wait(y.ID)
	log := &lineWatch{want: "a retry is waited for", seen: make(chan struct{})}
	cmd := a.command("digdag.wait", map[string]any{"address": a.project + "/bad@" + y.ID, "every": "1s", "grace": "1h"})
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	log.await(d.Context(), t)
	if err := d.Send(d.Context(), http.MethodDelete, "/api/projects/"+y.Project.ID, nil, nil); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 3 || !strings.Contains(log.text(), "project_deleted") || !strings.Contains(log.text(), a.project) {
		t.Errorf("exit %d\n%s", code, log.text())
	}
}

// newFront forwards to a server that may move.
func newFront(t *testing.T, target *atomic.Pointer[url.URL]) (address string) {
	t.Helper()
	return serveHTTP(t, &httputil.ReverseProxy{
		Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(target.Load()) },
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	})
}
