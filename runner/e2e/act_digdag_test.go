package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/dig/digdagtest"
	"github.com/outrider-run/outrider/sdk/observe"
)

// acting is a Digdag on which the components of the digdag plugin act, as a user runs
// them, and a project of the test's own there.
type acting struct {
	digdag
	world    world
	endpoint string
	project  string
}

func actsOnDigdag(t *testing.T, files digdagtest.Files) acting {
	t.Helper()
	d := onDigdag(t)
	for name, text := range files {
		files[name] = strings.ReplaceAll(text, "DIR", d.dir)
	}
	return acting{digdag: d, world: newWorld(t), endpoint: d.URL, project: d.Push(files)}
}

// acted is how a component ended.
type acted struct {
	t      *testing.T
	name   string
	code   int
	out    string
	stderr string
}

func (a acting) command(component string, params map[string]any) *exec.Cmd {
	a.t.Helper()
	all := map[string]any{"endpoint": a.endpoint}
	for k, v := range params {
		all[k] = v
	}
	raw, err := json.Marshal(all)
	if err != nil {
		a.t.Fatal(err)
	}
	cmd := a.world.cmd("run", "--yes", "--params", "-", component)
	cmd.Stdin = bytes.NewReader(raw)
	return cmd
}

// run runs a component to its end.
func (a acting) act(component string, params map[string]any) acted {
	a.t.Helper()
	code, out, errs := ended(a.t, a.command(component, params))
	return acted{a.t, component, code, out, errs}
}

// begin starts a component; its end is sent.
func (a acting) begin(component string, params map[string]any) <-chan acted {
	a.t.Helper()
	cmd := a.command(component, params)
	over := make(chan acted, 1)
	go func() {
		code, out, errs := ended(a.t, cmd)
		over <- acted{a.t, component, code, out, errs}
	}()
	return over
}

// into reads the output of a success.
func (r acted) into(to any) acted {
	r.t.Helper()
	if r.code != 0 {
		r.t.Fatalf("%s: exit %d\n%s", r.name, r.code, r.stderr)
	}
	if err := json.Unmarshal([]byte(r.out), to); err != nil {
		r.t.Fatalf("%s: %v\n%s", r.name, err, r.out)
	}
	return r
}

// fails checks a failure.
func (r acted) fails(code int, says ...string) {
	r.t.Helper()
	for _, text := range says {
		if r.code != code || !strings.Contains(r.stderr, text) {
			r.t.Errorf("%s: exit %d, want %d and %q\n%s%s", r.name, r.code, code, text, r.out, r.stderr)
		}
	}
}

type ran struct {
	Run     observe.Run
	Task    *observe.Task
	Existed bool
}

type retriedAll struct {
	Attempts []struct {
		Old         observe.Run
		New         *observe.Run
		SessionUUID string `json:"session_uuid"`
		Tasks       []string
		Code        string
	}
	Retried, Failed, Left int
}

// gated is a task that ends when the test says so, or when its server is given up.
const gated = "sh>: 'touch DIR/${session_id}.on; for i in $(seq 1500); do test -e DIR/release && exit 0; sleep 0.1; done; exit 9'\n"

func TestDigdagActStart(t *testing.T) {
	a := actsOnDigdag(t, digdagtest.Files{"ok.dig": "+a:\n  echo>: hello\n", "bad.dig": "+a:\n  sh>: exit 3\n"})
	odd := "it's \"quoted\" $HOME $(id) \\n\n\tünïcödé 漢字 🎉 "
	params := map[string]any{"odd": odd, "big": strings.Repeat(odd, 300<<10/len(odd)), "list": []any{1.0, nil, "x"}}
	var out ran
	a.act("digdag.start", map[string]any{"address": a.project + "/ok", "params": params, "wait": true, "every": "1s"}).into(&out)
	got, err := a.Attempt(a.Context(), out.Run.ID)
	if err != nil || !got.Success || out.Run.State != observe.Success || out.Existed {
		t.Errorf("%+v, %+v, %v", out, got.Done, err)
	}
	for name, want := range params {
		if fmt.Sprint(got.Params[name]) != fmt.Sprint(want) {
			t.Errorf("%s differs", name)
		}
	}
	first := out.Run.ID
	// now, twice at once: two sessions
	one, two := a.begin("digdag.start", map[string]any{"address": a.project + "/ok"}), a.begin("digdag.start", map[string]any{"address": a.project + "/ok"})
	var x, y ran
	(<-one).into(&x)
	(<-two).into(&y)
	if x.Run.ID == y.Run.ID || x.Existed || y.Existed || x.Run.ID == first {
		t.Errorf("%+v\n%+v", x, y)
	}
	// a session by its time, twice: one attempt
	at := a.project + "/ok@2026-03-08T02:30:00"
	a.act("digdag.start", map[string]any{"address": at}).into(&x)
	a.act("digdag.start", map[string]any{"address": at}).into(&y)
	if x.Existed || !y.Existed || x.Run.ID != y.Run.ID {
		t.Errorf("%+v\n%+v", x, y)
	}
	a.act("digdag.start", map[string]any{"address": at, "retry_attempt": "again"}).into(&y)
	if y.Existed || y.Run.Try != 2 || y.Run.Session != x.Run.Session {
		t.Errorf("%+v", y)
	}
	a.act("digdag.start", map[string]any{"address": a.project + "/bad", "wait": true, "every": "1s"}).fails(1, "attempt_failed", "+bad+a: Command failed with code 3 (runtime)")
	a.act("digdag.start", map[string]any{"address": a.project + "/okk"}).fails(3, "not_found", "near: ok")
	a.act("digdag.start", map[string]any{"address": a.project[:len(a.project)-1] + "/ok"}).fails(3, "not_found", "near: "+a.project)
}

func TestDigdagActRetry(t *testing.T) {
	a := actsOnDigdag(t, digdagtest.Files{
		"etl.dig":   "+a:\n  sh>: echo a >> DIR/a\n+b:\n  sh>: test -e DIR/flag\n+c:\n  sh>: echo c\n",
		"group.dig": "+g:\n  _retry: 1\n  +x:\n    sh>: echo x\n  +y:\n    sh>: test -e DIR/flag\n",
		"fine.dig":  "+a:\n  sh>: echo fine\n",
	})
	for _, w := range []string{"etl", "group", "fine"} {
		a.Wait(a.Start(a.project, w).ID)
	}
	etl := a.project + "/etl"
	var dry, out retriedAll
	a.act("digdag.retry", map[string]any{"address": etl, "dry_run": true}).into(&dry)
	if x := dry.Attempts[0]; x.New != nil || !slices.Equal(x.Tasks, []string{"+etl+b", "+etl+c"}) || x.SessionUUID == "" {
		t.Errorf("%+v", dry)
	}
	a.act("digdag.retry", map[string]any{"address": etl, "mode": "from", "from": "+c"}).fails(3, "cannot_resume", "+etl+b comes before +etl+c and is error")
	a.act("digdag.retry", map[string]any{"address": etl, "mode": "from", "from": "+bb"}).fails(3, "not_found", "near: +b")
	a.act("digdag.retry", map[string]any{"address": a.project + "/group"}).fails(3, "cannot_resume", "+group+g+x more than once", "mode all")
	var none retriedAll
	if r := a.act("digdag.retry", map[string]any{"address": a.project + "/fine"}).into(&none); none.Retried != 0 || none.Attempts[0].New != nil {
		t.Errorf("%s", r.out)
	}

	// In bulk: the group cannot be resumed, and stops nothing.
	bulk := map[string]any{"address": a.project[:len(a.project)-1] + "?", "since": "1h", "partial": true}
	a.act("digdag.retry", map[string]any{"address": bulk["address"], "since": "1h"}).fails(1, "partly_failed", "1 of 2 could not be retried")
	a.waitLatest("etl")
	if err := os.WriteFile(filepath.Join(a.dir, "flag"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	a.act("digdag.retry", bulk).into(&out)
	if out.Retried != 1 || out.Failed != 1 || out.Left != 0 || len(out.Attempts) != 2 {
		t.Fatalf("%+v", out)
	}
	for _, x := range out.Attempts {
		if x.Code == "cannot_resume" && x.New == nil && x.Old.Workflow == "group" {
			continue
		}
		if r := a.Wait(x.New.ID); !r.Success || r.Task("+etl+a").StartedAt != nil || !slices.Equal(x.Tasks, dry.Attempts[0].Tasks) {
			t.Errorf("%+v %v", x, r.States())
		}
	}
	if got := a.read("a"); got != "a\n" {
		t.Errorf("+a ran as often as there are lines: %q", got)
	}
	a.act("digdag.retry", map[string]any{"address": a.project + "/group", "mode": "all"}).into(&out)
	if r := a.Wait(out.Attempts[0].New.ID); !r.Success {
		t.Errorf("%v", r.States())
	}
	a.act("digdag.retry", map[string]any{"address": etl + "+b", "mode": "from"}).into(&out)
	if r := a.Wait(out.Attempts[0].New.ID); !r.Success || r.Task("+etl+a").StartedAt != nil || r.Task("+etl+b").StartedAt == nil {
		t.Errorf("%v", r.States())
	}
	a.act("digdag.retry", map[string]any{"address": a.project + "/*", "since": "1h", "at_most": 1}).into(&none)
	if none.Retried != 0 || none.Left != 0 {
		t.Errorf("nothing is failed any more: %+v", none)
	}
}

// waitLatest waits for the last attempt of a workflow's last session.
func (a acting) waitLatest(workflow string) {
	a.t.Helper()
	var list struct{ Attempts []digdagtest.Attempt }
	if err := a.Get(a.Context(), "/api/attempts?project="+url.QueryEscape(a.project)+"&workflow="+workflow, &list); err != nil {
		a.t.Fatal(err)
	}
	a.Wait(list.Attempts[0].ID)
}

func TestDigdagActKill(t *testing.T) {
	a := actsOnDigdag(t, digdagtest.Files{
		"long.dig":  "+s:\n  " + gated + "+after:\n  echo>: after\n",
		"daily.dig": "schedule:\n  daily>: 07:00:00\n+s:\n  " + gated,
	})
	type killed struct {
		Run    observe.Run
		RunsOn []observe.Task `json:"runs_on"`
		Left   int
		Others []observe.Run
	}
	x := a.Start(a.project, "long")
	a.await(x.SessionID + ".on")
	address := a.project + "/long@" + x.ID
	var out killed
	a.act("digdag.kill", map[string]any{"address": address}).into(&out)
	if out.Run.State != observe.Cancelling || len(out.RunsOn) != 1 || out.RunsOn[0].Name != "+long+s" || out.Left != 1 {
		t.Errorf("%+v", out)
	}
	if r := a.act("digdag.kill", map[string]any{"address": address}).into(&out); !strings.Contains(r.stderr, "nothing to do") {
		t.Errorf("once more: %s", r.stderr)
	}
	a.act("digdag.retry", map[string]any{"address": address, "mode": "all"}).fails(1, "still_running", "Digdag would run both at once")

	var bf struct {
		Schedules []struct{ Attempts []observe.Run }
	}
	fill := map[string]any{"address": a.project + "/daily", "action": "backfill", "from": time.Now().AddDate(0, 0, -5).Format(time.DateOnly), "count": 3}
	a.act("digdag.schedule", fill).into(&bf)
	attempts := bf.Schedules[0].Attempts
	if len(attempts) != 3 {
		t.Fatalf("%+v", bf)
	}
	a.act("digdag.kill", map[string]any{"address": a.project + "/daily@" + attempts[2].ID}).fails(1, "queued_backfill", "attempt "+attempts[2].ID+" waits in a backfill")
	a.release()
	a.act("digdag.wait", map[string]any{"address": address, "every": "1s"}).fails(1, "attempt_killed", "ended as killed")
	if r := a.act("digdag.kill", map[string]any{"address": address}).into(&out); out.Run.State != observe.Cancelled || len(out.RunsOn) != 0 || !strings.Contains(r.stderr, "nothing to do") {
		t.Errorf("an ended one: %+v\n%s", out, r.stderr)
	}
	for _, b := range attempts {
		a.Wait(b.ID)
	}
}

func TestDigdagActLogs(t *testing.T) {
	a := actsOnDigdag(t, digdagtest.Files{
		"talk.dig": "+one:\n  sh>: echo one said; echo again\n+oneb:\n  sh>: echo other\n+wait:\n  " + gated + "+last:\n  sh>: echo the last\n",
	})
	type read struct {
		Run   observe.Run
		Lines []struct{ Task, Text string }
		Count int
		Files []struct {
			Task  string
			Whole bool
		}
	}
	x := a.Start(a.project, "talk")
	a.await(x.SessionID + ".on")
	address := a.project + "/talk@" + x.ID
	log := &lineWatch{want: "one said", seen: make(chan struct{})}
	follow := a.command("digdag.logs", map[string]any{"address": address, "follow": true, "every": "1s"})
	follow.Stderr = log
	var printed bytes.Buffer
	follow.Stdout = &printed
	if err := follow.Start(); err != nil {
		t.Fatal(err)
	}
	log.await(a.Context(), t) // live: the attempt runs
	var out read
	a.act("digdag.logs", map[string]any{"address": address + "+one"}).into(&out)
	if out.Run.State.Ended() || len(out.Files) != 1 || out.Files[0].Task != "+talk+one" || !out.Files[0].Whole || out.Count < 2 {
		t.Errorf("%+v", out)
	}
	a.release()
	if err := follow.Wait(); err != nil {
		t.Errorf("%v\n%s", err, log.text())
	}
	if err := json.Unmarshal(printed.Bytes(), &out); err != nil || out.Run.State != observe.Success || len(out.Files) < 4 {
		t.Errorf("%v %+v", err, out)
	}
	if text := log.text(); strings.Count(text, "one said") < 1 || !strings.Contains(text, "the last") || !strings.Contains(text, "+talk+last") {
		t.Errorf("followed:\n%s", text)
	}
	a.act("digdag.logs", map[string]any{"address": address + "+onec"}).fails(3, "not_found", "near: +one")
}

func TestDigdagActSchedule(t *testing.T) {
	a := actsOnDigdag(t, digdagtest.Files{
		"daily.dig": "timezone: Asia/Tokyo\nschedule:\n  daily>: 07:00:00\n+a:\n  echo>: a\n", "plain.dig": "+a:\n  echo>: a\n",
	})
	type schedules struct {
		Schedules []struct {
			Schedule observe.Schedule
			Next     []time.Time
			Attempts []observe.Run
		}
		Changed int
	}
	address := a.project + "/daily"
	do := func(params map[string]any) (out schedules, stderr string) {
		t.Helper()
		params["address"] = address
		r := a.act("digdag.schedule", params).into(&out)
		if len(out.Schedules) != 1 {
			t.Fatalf("%v: %s", params, r.out)
		}
		return out, r.stderr
	}
	var all schedules
	a.act("digdag.schedule", map[string]any{"address": a.project}).into(&all)
	if len(all.Schedules) != 1 || all.Schedules[0].Schedule.Expression != "daily>: 07:00:00" || all.Schedules[0].Schedule.Zone != "Asia/Tokyo" || all.Schedules[0].Schedule.Off {
		t.Errorf("%+v", all)
	}
	first := all.Schedules[0].Schedule.NextSession
	out, _ := do(map[string]any{"action": "next", "count": 3})
	if n := out.Schedules[0].Next; len(n) != 3 || !n[0].Equal(first) || !n[2].Equal(first.AddDate(0, 0, 2)) {
		t.Errorf("%+v", out)
	}
	for _, c := range []struct {
		action string
		dry    bool
		off    bool
		change bool
	}{{"disable", true, true, true}, {"disable", false, true, true}, {"disable", false, true, false}, {"enable", false, false, true}, {"enable", false, false, false}} {
		out, stderr := do(map[string]any{"action": c.action, "dry_run": c.dry})
		if out.Schedules[0].Schedule.Off != c.off || (out.Changed == 1) != c.change || strings.Contains(stderr, "nothing to do") == c.change {
			t.Errorf("%+v: %+v\n%s", c, out, stderr)
		}
	}
	out, _ = do(map[string]any{"action": "skip", "count": 2})
	if n := out.Schedules[0].Schedule.NextSession; !n.Equal(first.AddDate(0, 0, 2)) {
		t.Errorf("skipped from %s to %s", first, n)
	}
	if _, stderr := do(map[string]any{"action": "skip", "to": first.Format(time.RFC3339)}); !strings.Contains(stderr, "nothing to do") {
		t.Errorf("%s", stderr)
	}
	from := first.AddDate(0, 0, -9).Format(time.DateOnly)
	out, _ = do(map[string]any{"action": "backfill", "from": from, "count": 2, "dry_run": true})
	if n := out.Schedules[0].Attempts; len(n) != 2 || n[0].ID != "" || n[0].Time.Format("2006-01-02T15:04:05-07:00") != from+"T00:00:00+09:00" {
		t.Errorf("%+v", n)
	}
	out, _ = do(map[string]any{"action": "backfill", "from": from, "count": 2, "name": "bf"})
	for _, x := range out.Schedules[0].Attempts {
		if r := a.Wait(x.ID); !r.Success || r.RetryAttemptName == nil || *r.RetryAttemptName != "bf" {
			t.Errorf("%+v", r.Attempt)
		}
	}
	a.act("digdag.schedule", map[string]any{"address": address, "action": "backfill", "from": from, "count": 2, "name": "bf"}).fails(3, "conflict", "already exists")
	a.act("digdag.schedule", map[string]any{"address": address, "action": "backfill", "from": from, "count": 999}).fails(3, "there are only")
	a.act("digdag.schedule", map[string]any{"address": a.project + "/plain"}).fails(3, "no_schedule")
}
