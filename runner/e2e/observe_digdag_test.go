package e2e

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/dig/digdagtest"
	"github.com/outrider-run/outrider/sdk/observe"
)

// watcher observes a server pass by pass, as the checker does: with the built host and
// plugin, and what the pass before returned.
type watcher struct {
	digdag
	cursor json.RawMessage
	// ended are the runs whose end was told, by id.
	ended map[string]observe.Run
}

func (d digdag) watch() *watcher { return &watcher{digdag: d, ended: map[string]observe.Run{}} }

// component runs one of the plugin's components and reads its outputs.
func (d digdag) component(name string, params map[string]any, out any) {
	d.t.Helper()
	params["endpoint"] = d.URL
	raw, err := json.Marshal(params)
	if err != nil {
		d.t.Fatal(err)
	}
	file := filepath.Join(d.t.TempDir(), "params.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		d.t.Fatal(err)
	}
	code, stdout, stderr := ended(d.t, d.world.cmd("run", "--params", file, name))
	if code != 0 {
		d.t.Fatalf("%s: exit %d\n%s", name, code, stderr)
	}
	if err := json.Unmarshal([]byte(stdout), out); err != nil {
		d.t.Fatal(err)
	}
}

func (w *watcher) pass(details ...string) (s observe.Snapshot) {
	w.t.Helper()
	params := map[string]any{"details": append([]string{}, details...)}
	if w.cursor != nil {
		params["cursor"] = w.cursor
	}
	w.component("digdag.observe", params, &s)
	if len(s.Blind) > 0 || s.Reset || s.Cut {
		w.t.Errorf("blind %q, reset %v, cut %v", s.Blind, s.Reset, s.Cut)
	}
	w.cursor = s.Cursor
	for _, r := range s.Runs {
		if _, twice := w.ended[r.ID]; twice && !slices.Contains(details, r.ID) {
			w.t.Errorf("the end of %s is told again", r.ID)
		}
		if r.State.Ended() {
			w.ended[r.ID] = r
		}
	}
	return s
}

// run is one of a snapshot's.
func (w *watcher) run(s observe.Snapshot, id string) observe.Run {
	w.t.Helper()
	at := slices.IndexFunc(s.Runs, func(r observe.Run) bool { return r.ID == id })
	if at < 0 {
		w.t.Fatalf("attempt %s is not among %d runs", id, len(s.Runs))
	}
	return s.Runs[at]
}

func taskOf(t *testing.T, r observe.Run, name string) observe.Task {
	t.Helper()
	at := slices.IndexFunc(r.Tasks, func(x observe.Task) bool { return x.Name == name })
	if at < 0 {
		t.Fatalf("no task %s among %+v", name, r.Tasks)
	}
	return r.Tasks[at]
}

// TestDigdagObserve follows an attempt from its start to its failure, and its retry to
// its end by a kill.
func TestDigdagObserve(t *testing.T) {
	w := onDigdag(t).watch()
	if s := w.pass(); s.Engine != "digdag" || s.Version == "" || !slices.ContainsFunc(s.Health, func(h observe.Health) bool { return h.Name == "api" && h.OK }) {
		t.Errorf("%+v", s)
	}
	a := w.start("observed", nil)
	w.await("begun")
	w.Until(a.ID, "+observed+hold", "running")
	s := w.pass(a.ID)
	if want := 3 + 2; s.Requests < want { // the tasks, and that the log store has the task's file
		t.Errorf("%d requests, want %d", s.Requests, want)
	}
	r := w.run(s, a.ID)
	if r.State != observe.Running || r.Try != 1 || r.Project != "outrider" || r.Workflow != "observed" || !r.Time.Equal(a.SessionTime) || r.Started.IsZero() || !r.Ended.IsZero() {
		t.Errorf("%+v", r)
	}
	for name, want := range map[string]observe.State{"+observed": observe.Running, "+observed+begin": observe.Success, "+observed+hold": observe.Running, "+observed+load": observe.Queued, "+observed+after": observe.Queued} {
		if x := taskOf(t, r, name); x.State != want {
			t.Errorf("%s is %s, want %s", name, x.State, want)
		}
	}
	w.release()
	w.Wait(a.ID)
	r = w.run(w.pass(a.ID), a.ID)
	write := taskOf(t, r, "+observed+load+write")
	if r.State != observe.Failed || r.Ended.IsZero() || write.State != observe.Failed || write.Tries != 2 || write.Parent != "+observed+load" || write.Type != "sh>" ||
		write.Error != "Command failed with code 3 (runtime)" || write.Started.Before(r.Started) || write.Ended.IsZero() {
		t.Errorf("%+v\n%+v", r, write)
	}
	if x := taskOf(t, r, "+observed+after"); x.State != observe.Skipped {
		t.Errorf("after is %s", x.State)
	}
	if !strings.Contains(r.LogTail, "no such table") {
		t.Errorf("log tail %q", r.LogTail)
	}
	if s := w.pass(); slices.ContainsFunc(s.Runs, func(r observe.Run) bool { return r.ID == a.ID }) {
		t.Error("an end is told for ever")
	}

	if err := os.Remove(filepath.Join(w.dir, "release")); err != nil {
		t.Fatal(err)
	}
	again, err := w.StartAttempt(w.Context(), digdagtest.StartRequest{WorkflowID: a.Workflow.ID, SessionTime: a.SessionTime, RetryAttemptName: "again", Params: a.Params})
	if err != nil {
		t.Fatal(err)
	}
	w.Until(again.ID, "+observed+hold", "running")
	r = w.run(w.pass(), again.ID)
	if r.State != observe.Running || r.Try != 2 || r.Trigger != "retry" || r.Session != a.SessionID {
		t.Errorf("the retry: %+v", r)
	}
	if err := w.Kill(w.Context(), again.ID); err != nil {
		t.Fatal(err)
	}
	if r = w.run(w.pass(again.ID), again.ID); r.State != observe.Cancelling || taskOf(t, r, "+observed+hold").State != observe.Cancelling || taskOf(t, r, "+observed+after").State != observe.Skipped {
		t.Errorf("killed, and going on: %+v", r)
	}
	w.release()
	w.Wait(again.ID)
	if r = w.run(w.pass(), again.ID); r.State != observe.Cancelled || r.Ended.IsZero() {
		t.Errorf("killed: %+v", r)
	}
}

// TestDigdagObserveOfABackfill: what waits in one is queued, by the attempts alone and
// by their tasks; its schedule is listed until the project is deleted, and what ran is
// told after that.
func TestDigdagObserveOfABackfill(t *testing.T) {
	w := onDigdag(t).watch()
	w.pass()
	project := w.Push(digdagtest.Files{"daily.dig": "timezone: Asia/Tokyo\nschedule: {daily>: '07:00:00'}\n+hold:\n  sh>: until [ -e \"" + w.dir + "/release\" ]; do sleep 0.05; done\n"})
	mine := func(s observe.Snapshot) (all []observe.Schedule) {
		for _, x := range s.Schedules {
			if x.Project == project {
				all = append(all, x)
			}
		}
		return all
	}
	schedules := mine(w.pass())
	if len(schedules) != 1 || schedules[0].Workflow != "daily" || schedules[0].NextSession.Format("15:04 -07:00") != "00:00 +09:00" || schedules[0].NextRun.Before(time.Now()) || schedules[0].Off {
		t.Fatalf("%+v", schedules)
	}
	var answer struct{ Attempts []digdagtest.Attempt }
	if err := w.Send(w.Context(), http.MethodPost, "/api/schedules/"+schedules[0].ID+"/backfill", map[string]any{
		"fromTime": schedules[0].NextSession.Add(-3 * 24 * time.Hour), "attemptName": "gap", "count": 3, "dryRun": false,
	}, &answer); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, a := range answer.Attempts {
		ids = append(ids, a.ID)
	}
	w.Until(ids[0], "+daily+hold", "running")
	for _, details := range [][]string{nil, ids} {
		s := w.pass(details...)
		for i, want := range []observe.State{observe.Running, observe.Queued, observe.Queued} {
			if r := w.run(s, ids[i]); r.State != want || r.Trigger != "backfill" {
				t.Errorf("with details %v: %s is %s by %q, want %s", details, ids[i], r.State, r.Trigger, want)
			}
		}
	}
	if err := w.Send(w.Context(), http.MethodDelete, "/api/projects/"+answer.Attempts[0].Project.ID, nil, nil); err != nil {
		t.Fatal(err)
	}
	s := w.pass()
	if left := mine(s); len(left) != 0 || w.run(s, ids[0]).State != observe.Running {
		t.Errorf("%+v", left)
	}
	w.release()
	for _, id := range ids {
		w.Wait(id)
	}
	s = w.pass()
	for _, id := range ids {
		if r := w.run(s, id); r.State != observe.Success || r.Project != project {
			t.Errorf("%+v", r)
		}
	}
}

// TestDigdagObserveOfAnotherDatabase: a server whose ids begin anew.
func TestDigdagObserveOfAnotherDatabase(t *testing.T) {
	w := onDigdag(t).watch()
	open := w.start("observed", nil)
	w.await("begun")
	w.run(w.pass(), open.ID)
	other := onOwnDigdag(t)
	a := other.Run("+a: {echo>: a}\n")
	var s observe.Snapshot
	other.component("digdag.observe", map[string]any{"cursor": w.cursor}, &s)
	if !s.Reset || len(s.Runs) != 1 || s.Runs[0].ID != a.ID || s.Runs[0].State != observe.Success {
		t.Errorf("reset %v, %+v", s.Reset, s.Runs)
	}
	w.release()
}

// TestDigdagStatus: by the latest session, a time, and an attempt's id.
func TestDigdagStatus(t *testing.T) {
	d := onDigdag(t)
	project := d.Push(digdagtest.Files{"w.dig": "+a:\n  _retry: 1\n  sh>: echo no luck; exit 4\n+b: {echo>: b}\n"})
	failed := d.Wait(d.Start(project, "w").ID)
	type state struct {
		observe.Run
		Attempts []observe.Run
		Blind    []string
	}
	for _, session := range []string{"", "@latest", "@" + failed.SessionTime.Format(time.RFC3339), "@" + failed.ID} {
		var got state
		d.component("digdag.status", map[string]any{"address": project + "/w" + session}, &got)
		a := taskOf(t, got.Run, "+w+a")
		if got.ID != failed.ID || got.State != observe.Failed || got.Revision == "" || a.Tries != 2 || a.Error != "Command failed with code 4 (runtime)" ||
			taskOf(t, got.Run, "+w+b").State != observe.Skipped || !strings.Contains(got.LogTail, "no luck") || len(got.Blind) > 0 || len(got.Attempts) > 0 {
			t.Errorf("%q: %+v", session, got)
		}
	}
	again, err := d.StartAttempt(d.Context(), digdagtest.StartRequest{WorkflowID: failed.Workflow.ID, SessionTime: failed.SessionTime, RetryAttemptName: "again"})
	if err != nil {
		t.Fatal(err)
	}
	d.Wait(again.ID)
	var got state
	d.component("digdag.status", map[string]any{"address": project + "/w"}, &got)
	if got.ID != again.ID || got.Try != 2 || len(got.Attempts) != 1 || got.Attempts[0].ID != failed.ID {
		t.Errorf("%+v", got)
	}
}

// TestDigdagObserveOfOwners: what the owner of a workflow sets in it, and sets anew with
// a push after the watch began, or takes away.
func TestDigdagObserveOfOwners(t *testing.T) {
	w := onDigdag(t).watch()
	w.pass()
	dig := func(settings string) digdagtest.Files {
		return digdagtest.Files{"kept.dig": "schedule: {daily>: '07:00:00'}\n_export:\n  outrider: " + settings + "\n+a: {echo>: a}\n"}
	}
	project := w.Push(dig("{threshold: usual*1.5, channel: '#etl', off: [late, missing]}"))
	labels := func() map[string]string {
		s := w.pass()
		at := slices.IndexFunc(s.Schedules, func(x observe.Schedule) bool { return x.Project == project })
		if at < 0 {
			t.Fatalf("no schedule of %s", project)
		}
		return s.Schedules[at].Labels
	}
	if got := labels(); got[observe.LabelThreshold] != "usual*1.5" || got[observe.LabelChannel] != "#etl" || got[observe.LabelOff] != "late,missing" {
		t.Errorf("%v", got)
	}
	a := w.Wait(w.Start(project, "kept").ID)
	if r := w.run(w.pass(), a.ID); r.Labels[observe.LabelChannel] != "#etl" || r.Revision == "" || string(r.Params) != "{}" {
		t.Errorf("%+v, params %s", r, r.Params)
	}
	dir := t.TempDir()
	for _, push := range []struct {
		settings string
		want     map[string]string
	}{{"{off: true}", map[string]string{observe.LabelOff: "true"}}, {"{}", map[string]string{}}} {
		for name, text := range dig(push.settings) {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.Server.Push(t.Context(), project, dir); err != nil {
			t.Fatal(err)
		}
		if got := labels(); got == nil || !maps.Equal(got, push.want) {
			t.Errorf("after a push of %s: %v, want %v", push.settings, got, push.want)
		}
	}
}
