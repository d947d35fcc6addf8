package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/dig/digdagtest"
	"github.com/outrider-run/outrider/plugins/digdag/client"
)

// The client of plugins/digdag on a Digdag, real or double. What no real one can be
// made to show is tested beside the client, on recorded answers.

// clientOf makes a client of d; requests are tried again quickly.
func clientOf(d digdag, o client.Options) *client.Client {
	d.t.Helper()
	if o.Endpoints == nil {
		o.Endpoints = []string{d.URL}
	}
	o.Retry = client.Retry{Tries: 3, Wait: time.Millisecond, MaxWait: time.Millisecond}
	c, err := client.New(o)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(c.Close)
	return c
}

// sure takes the error off a result.
func sure[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// listOf is all of a list, which must not fail.
func listOf[T any](t *testing.T, list iter.Seq2[T, error]) (all []T) {
	t.Helper()
	for v, err := range list {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

// codeOf is the code of a client's error, "" of none.
func codeOf(err error) string {
	if e, ok := errors.AsType[*client.Error](err); ok {
		return e.Code
	}
	return fmt.Sprint(err)
}

// definition is the newest of a workflow.
func definition(d digdag, c *client.Client, project, workflow string) client.Workflow {
	d.t.Helper()
	p := sure[client.Project](d.t)(c.ProjectNamed(d.Context(), project))
	return sure[client.Workflow](d.t)(c.WorkflowNamed(d.Context(), p, workflow))
}

func TestDigdagClientReads(t *testing.T) {
	d := onDigdag(t)
	c, ctx := clientOf(d, client.Options{}), d.Context()
	project := d.Push(digdagtest.Files{
		"good.dig": "timezone: Asia/Tokyo\n+a: {echo>: a}\n+b: {echo>: b}\n",
		"bad.dig":  "+a: {fail>: 'no luck'}\n",
	})
	d.Push(digdagtest.Files{"good.dig": "timezone: Asia/Tokyo\n+a: {echo>: a}\n+b: {echo>: b}\n", "bad.dig": "+a: {fail>: 'no luck'}\n"})
	good := d.Wait(d.Start(project, "good").ID)
	bad := d.Wait(d.Start(project, "bad").ID)

	if v := sure[string](t)(c.Version(ctx)); !strings.HasPrefix(v, "0.10.") {
		t.Errorf("version %q", v)
	}
	p := sure[client.Project](t)(c.ProjectNamed(ctx, project))
	if again := sure[client.Project](t)(c.Project(ctx, p.ID)); again != p || p.Name != project || p.CreatedAt.IsZero() || !p.DeletedAt.IsZero() {
		t.Errorf("project %+v, %+v", p, again)
	}
	if !slices.Contains(listOf(t, c.Projects(ctx)), p) {
		t.Error("the project is not in the list")
	}
	if revs := sure[[]client.Revision](t)(c.Revisions(ctx, p.ID)); len(revs) != 2 || revs[0].Revision != p.Revision {
		t.Errorf("revisions %+v of %+v", revs, p)
	}
	w := definition(d, c, project, "good")
	if again := sure[client.Workflow](t)(c.Workflow(ctx, w.ID)); !reflect.DeepEqual(again, w) || w.Timezone != "Asia/Tokyo" || w.Project.ID != p.ID || !strings.Contains(string(w.Config), "echo>") {
		t.Errorf("workflow %+v, %+v", w, again)
	}
	if all := sure[[]client.Workflow](t)(c.Workflows(ctx, p.ID, "")); len(all) != 2 {
		t.Errorf("workflows %+v", all)
	}
	if old := sure[[]client.Workflow](t)(c.Workflows(ctx, p.ID, sure[[]client.Revision](t)(c.Revisions(ctx, p.ID))[1].Revision)); len(old) != 2 || old[0].ID == w.ID {
		t.Errorf("workflows of the first revision %+v", old)
	}
	if !slices.ContainsFunc(listOf(t, c.AllWorkflows(ctx)), func(x client.Workflow) bool { return x.ID == w.ID }) {
		t.Error("the workflow is not in the list")
	}

	a := sure[client.Attempt](t)(c.Attempt(ctx, client.ID(good.ID)))
	if a.State() != client.Success || a.Index != 1 || a.Project != (client.Ref{ID: p.ID, Name: project}) || a.RetryAttemptName != "" || a.FinishedAt.IsZero() ||
		!a.SessionTime.Equal(good.SessionTime) || !strings.HasSuffix(a.SessionTime.Format(time.RFC3339), "+09:00") {
		t.Errorf("attempt %+v of %+v", a, good.Attempt)
	}
	s := sure[client.Session](t)(c.Session(ctx, a.SessionID))
	if s.LastAttempt.ID != a.ID || s.SessionUUID != a.SessionUUID || s.LastAttempt.State() != client.Success || !s.SessionTime.Equal(a.SessionTime) {
		t.Errorf("session %+v", s)
	}
	sessions := listOf(t, c.Sessions(ctx, client.SessionFilter{Project: p.ID}))
	if len(sessions) != 2 || sessions[1].ID != s.ID {
		t.Errorf("sessions %+v", sessions)
	}
	if only := listOf(t, c.Sessions(ctx, client.SessionFilter{Project: p.ID, Workflow: "good"})); len(only) != 1 || only[0].ID != s.ID {
		t.Errorf("sessions of good %+v", only)
	}
	if page := sure[[]client.Session](t)(c.SessionsPage(ctx, client.SessionFilter{PageSize: 1})); len(page) != 1 {
		t.Errorf("a page of one: %+v", page)
	}
	for name, list := range map[string][]client.Attempt{
		"attempts":            listOf(t, c.Attempts(ctx, client.AttemptFilter{Project: project, Workflow: "good"})),
		"attempts of session": listOf(t, c.SessionAttempts(ctx, s.ID)),
		"retries":             sure[[]client.Attempt](t)(c.Retries(ctx, a.ID)),
	} {
		if len(list) != 1 || !reflect.DeepEqual(list[0], a) {
			t.Errorf("%s: %+v, want %+v", name, list, a)
		}
	}
	tasks := sure[[]client.Task](t)(c.Tasks(ctx, client.ID(bad.ID)))
	if x := tasks[1]; x.FullName != "+bad+a" || x.State != client.TaskFailed || !strings.Contains(x.Error.Message, "no luck") || x.ParentID != tasks[0].ID || x.StartedAt.IsZero() {
		t.Errorf("the failed task is %+v", x)
	}
	if last := sure[[]client.Task](t)(c.Tasks(ctx, a.ID)); len(last) != 3 || !slices.Equal(last[2].Upstreams, []client.ID{last[1].ID}) || !last[0].StartedAt.IsZero() || last[0].State != client.TaskSuccess {
		t.Errorf("tasks %+v", last)
	}
}

func TestDigdagClientMisses(t *testing.T) {
	d := onDigdag(t)
	c, ctx := clientOf(d, client.Options{}), d.Context()
	project := d.Push(digdagtest.Files{"daily.dig": "+a: {echo>: a}\n"})
	p := sure[client.Project](t)(c.ProjectNamed(ctx, project))
	_, noProject := c.ProjectNamed(ctx, project+"x")
	_, noWorkflow := c.WorkflowNamed(ctx, p, "dayly")
	_, noAttempt := c.Attempt(ctx, "999999999")
	_, noTasks := c.Tasks(ctx, "999999999")
	_, noSession := c.Session(ctx, "999999999")
	_, noSchedule := c.Schedule(ctx, "999999999")
	_, noOfProject := c.AttemptsPage(ctx, client.AttemptFilter{Project: project + "x"})
	_, noID := c.Attempt(ctx, "9999999999999999999")
	_, noKill := c.Kill(ctx, "999999999")
	_, noStart := c.Start(ctx, client.StartRequest{Workflow: "999999999", SessionTime: time.Now()})
	_, noLogs := c.LogFiles(ctx, "999999999", "")
	for i, err := range []error{noProject, noWorkflow, noAttempt, noTasks, noSession, noSchedule, noOfProject, noID, noKill, noStart, noLogs} {
		if codeOf(err) != client.CodeNotFound {
			t.Errorf("%d: %v", i, err)
		}
	}
	if e, _ := errors.AsType[*client.Error](noProject); !slices.Contains(e.Near, project) || !strings.Contains(noProject.Error(), "; near: ") {
		t.Errorf("near %v: %v", e.Near, noProject)
	}
	if e, _ := errors.AsType[*client.Error](noWorkflow); !slices.Equal(e.Near, []string{"daily"}) {
		t.Errorf("near %v: %v", e.Near, noWorkflow)
	}
	if none := listOf(t, c.Sessions(ctx, client.SessionFilter{Project: p.ID, Workflow: "dayly"})); len(none) != 0 {
		t.Errorf("sessions of no workflow: %+v", none)
	}
	elsewhere := clientOf(d, client.Options{Endpoints: []string{d.URL + "/not-there"}})
	if _, err := elsewhere.Version(ctx); !strings.Contains(codeOf(err), "not_") || !strings.Contains(err.Error(), "is this the base URL of a Digdag server") {
		t.Errorf("a wrong base URL: %v", err)
	}
}

func TestDigdagClientStart(t *testing.T) {
	d := onDigdag(t)
	c, ctx := clientOf(d, client.Options{}), d.Context()
	project := d.Push(digdagtest.Files{"w.dig": "timezone: Asia/Tokyo\n+a: {echo>: a}\n+b: {sh>: 'test \"$go\" = true'}\n+c: {echo>: c}\n"})
	w := definition(d, c, project, "w")
	when := time.Date(2026, 3, 4, 5, 6, 7, 999_000_000, time.FixedZone("", -3*60*60))
	params := map[string]any{"quotes": `"'` + "`", "dollar": "$x ${y} $$", "lines": "a\nb\r\n\tc", "unicode": "日本 🚀 ünï", "long": strings.Repeat("0123456789", 30<<10), "deep": map[string]any{"list": []any{1.5, nil, true}}}
	first, err := c.Start(ctx, client.StartRequest{Workflow: w.ID, SessionTime: when, Params: params})
	if err != nil || first.Existed {
		t.Fatal(first, err)
	}
	if a := first.Attempt; !a.SessionTime.Equal(when.Truncate(time.Second)) || a.SessionTime.Format(time.RFC3339) != "2026-03-04T17:06:07+09:00" {
		t.Errorf("the session time is %s", a.SessionTime)
	}
	d.Wait(string(first.Attempt.ID))
	a := sure[client.Attempt](t)(c.Attempt(ctx, first.Attempt.ID))
	var got map[string]any
	if err := json.Unmarshal(a.Params, &got); err != nil || !reflect.DeepEqual(got, params) {
		t.Errorf("the params came back as %.300s, %v", a.Params, err)
	}
	if a.State() != client.Failed {
		t.Fatalf("the attempt is %s", a.State())
	}

	again, err := c.Start(ctx, client.StartRequest{Workflow: w.ID, SessionTime: when.UTC(), Params: map[string]any{"other": 1}})
	if err != nil || !again.Existed || again.Unsure || again.Attempt.ID != a.ID || string(again.Attempt.Params) != string(a.Params) {
		t.Errorf("a second start: %+v, %v", again, err)
	}

	go1 := map[string]any{"go": true}
	resumed, err := c.Start(ctx, client.StartRequest{Workflow: w.ID, SessionTime: when, RetryAttemptName: "two", Params: go1, Resume: &client.Resume{Attempt: a.ID}})
	if err != nil || resumed.Existed || resumed.Attempt.Index != 2 || resumed.Attempt.RetryAttemptName != "two" || resumed.Attempt.SessionID != a.SessionID {
		t.Fatalf("resume failed: %+v, %v", resumed, err)
	}
	d.Wait(string(resumed.Attempt.ID))
	from, err := c.Start(ctx, client.StartRequest{Workflow: w.ID, SessionTime: when, RetryAttemptName: "three", Params: go1, Resume: &client.Resume{Attempt: resumed.Attempt.ID, From: "+c"}})
	if err != nil || from.Attempt.Index != 3 {
		t.Fatalf("resume from: %+v, %v", from, err)
	}
	d.Wait(string(from.Attempt.ID))
	if same, err := c.Start(ctx, client.StartRequest{Workflow: w.ID, SessionTime: when, RetryAttemptName: "three"}); err != nil || !same.Existed || same.Attempt.ID != from.Attempt.ID {
		t.Errorf("the same retry again: %+v, %v", same, err)
	}
	want := []client.ID{from.Attempt.ID, resumed.Attempt.ID, a.ID}
	idsOf := func(list []client.Attempt) (all []client.ID) {
		for _, x := range list {
			all = append(all, x.ID)
		}
		return all
	}
	if got := idsOf(listOf(t, c.Attempts(ctx, client.AttemptFilter{Project: project, IncludeRetried: true}))); !slices.Equal(got, want) {
		t.Errorf("all attempts %v, want %v", got, want)
	}
	if got := idsOf(listOf(t, c.Attempts(ctx, client.AttemptFilter{Project: project}))); !slices.Equal(got, want[:1]) {
		t.Errorf("the last attempts %v, want %v", got, want[:1])
	}
	if got := idsOf(listOf(t, c.SessionAttempts(ctx, a.SessionID))); !slices.Equal(got, want) {
		t.Errorf("the session's attempts %v, want %v", got, want)
	}
	slices.Reverse(want)
	if got := idsOf(sure[[]client.Attempt](t)(c.Retries(ctx, a.ID))); !slices.Equal(got, want) {
		t.Errorf("retries %v, want %v", got, want)
	}
	if _, err := c.Start(ctx, client.StartRequest{Workflow: w.ID, SessionTime: when, RetryAttemptName: "four", Resume: &client.Resume{Attempt: a.ID, From: "+nothing"}}); codeOf(err) != client.CodeBadRequest {
		t.Errorf("resume from no task: %v", err)
	}
}

func TestDigdagClientKillAndLogs(t *testing.T) {
	d := onDigdag(t)
	c, ctx := clientOf(d, client.Options{}), d.Context()
	project := d.Push(digdagtest.Files{"w.dig": "+a:\n  sh>: echo begun; touch $dir/begun; while [ ! -e $dir/end ]; do sleep 0.1; done; echo over\n+b: {echo>: b}\n"})
	w := definition(d, c, project, "w")
	started := sure[client.Started](t)(c.Start(ctx, client.StartRequest{Workflow: w.ID, SessionTime: time.Now(), Params: map[string]any{"dir": d.dir}}))
	id := started.Attempt.ID
	d.await("begun")

	files := sure[[]client.LogFile](t)(c.LogFiles(ctx, id, "+w+a"))
	if len(files) != 1 || files[0].TaskName != "+w+a" || files[0].AgentID == "" || files[0].Time.IsZero() {
		t.Fatalf("log files %+v", files)
	}
	log := client.UnpackLog(sure[[]byte](t)(c.LogFile(ctx, id, files[0].Name)))
	if text, err := io.ReadAll(log); err != nil || log.Whole() || strings.Contains(string(text), "over") {
		t.Errorf("the log of a running task: %q, whole %v, %v", text, log.Whole(), err)
	}
	for range 2 { // a second kill is as good as the first
		if k, err := c.Kill(ctx, id); err != nil || !k.Accepted || !k.Attempt.CancelRequested || k.Attempt.Done || k.Attempt.State() != client.Running {
			t.Errorf("kill: %+v, %v", k, err)
		}
	}
	d.write("end", "")
	d.Wait(string(id))
	if k, err := c.Kill(ctx, id); err != nil || k.Accepted || k.Attempt.State() != client.Killed {
		t.Errorf("kill of what is over: %+v, %v", k, err)
	}
	tasks := sure[[]client.Task](t)(c.Tasks(ctx, id))
	if tasks[1].State != client.TaskCanceled || !tasks[1].CancelRequested {
		t.Errorf("the killed task is %+v", tasks[1])
	}
	files = sure[[]client.LogFile](t)(c.LogFiles(ctx, id, ""))
	log = client.UnpackLog(sure[[]byte](t)(c.LogFile(ctx, id, files[0].Name)))
	if text, err := io.ReadAll(log); err != nil || !log.Whole() || !strings.Contains(string(text), "begun\n") || !strings.Contains(string(text), "over\n") {
		t.Errorf("the log of a task that is over: %q, whole %v, %v", text, log.Whole(), err)
	}
	if _, err := c.LogFile(ctx, id, "+w+none@0.1@h.log.gz"); codeOf(err) != client.CodeNotFound {
		t.Errorf("a log that is not: %v", err)
	}
}

func (d digdag) write(file, text string) {
	d.t.Helper()
	if err := os.WriteFile(filepath.Join(d.dir, file), []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// TestDigdagClientLimits is on a server that allows small pages, two attempts and one
// user.
func TestDigdagClientLimits(t *testing.T) {
	d := onDigdagWith(t, map[string]string{
		"executor.attempt_max_run": "2", "api.max_attempts_page_size": "2", "api.max_sessions_page_size": "3",
		"server.authenticator.basic.username": "ann", "server.authenticator.basic.password": "geheim",
	})
	c, ctx := clientOf(d, client.Options{User: "ann", Password: "geheim"}), d.Context()
	project := d.Push(digdagtest.Files{"quick.dig": "+a: {echo>: a}\n", "long.dig": "+a:\n  sh>: while [ ! -e $dir/end ]; do sleep 0.1; done\n"})
	quick, long := definition(d, c, project, "quick"), definition(d, c, project, "long")
	start := func(w client.Workflow, n int) (client.Started, error) {
		return c.Start(ctx, client.StartRequest{Workflow: w.ID, SessionTime: time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC), Params: map[string]any{"dir": d.dir}})
	}
	for n := 1; n <= 7; n++ {
		d.Wait(string(sure[client.Started](t)(start(quick, n)).Attempt.ID))
	}
	for _, size := range []int{0, 1, 2, 3, 100} {
		if all := listOf(t, c.Attempts(ctx, client.AttemptFilter{PageSize: size})); len(all) != 7 || all[0].ID.Compare(all[6].ID) < 0 {
			t.Errorf("pages of %d: %d attempts", size, len(all))
		}
		if all := listOf(t, c.Sessions(ctx, client.SessionFilter{PageSize: size})); len(all) != 7 {
			t.Errorf("pages of %d: %d sessions", size, len(all))
		}
	}
	for n := 1; n <= 2; n++ {
		sure[client.Started](t)(start(long, n))
	}
	_, err := start(long, 3)
	if codeOf(err) != client.CodeTooManyAttempts || !strings.Contains(err.Error(), "Limit: 2, Current: 2; wait until some have ended") {
		t.Errorf("one attempt too many: %v", err)
	}
	// The limit goes before the 409: that the session is there is not told.
	if _, err := start(long, 1); codeOf(err) != client.CodeTooManyAttempts {
		t.Errorf("at the limit, of a session that there is: %v", err)
	}
	d.write("end", "")
	for _, a := range listOf(t, c.Attempts(ctx, client.AttemptFilter{})) {
		d.Wait(string(a.ID))
	}
	for says, o := range map[string]client.Options{
		"401: Missing Authorization header; set user and password":          {},
		"401: unauthorized; check user \"ann\" and the password":            {User: "ann", Password: "wrong"},
		"a Digdag server takes no empty password":                           {User: "ann"},
		"500 internal server error, with a page":                            {Headers: map[string]string{"Authorization": "Bearer x"}},
		"a Digdag server with basic authentication answers so to any other": {Headers: map[string]string{"Authorization": "Bearer x"}},
	} {
		other := clientOf(d, o)
		if _, err := other.AttemptsPage(ctx, client.AttemptFilter{}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v\nwant %s", err, says)
		}
		if v, err := other.Version(ctx); o.Headers == nil && (err != nil || v == "") {
			t.Errorf("the version: %q, %v", v, err)
		}
	}
}
