package digdagtest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// expect compares what happened to the tasks, by id.
func expect(t *testing.T, r Result, status string, want ...string) {
	t.Helper()
	if got := r.States(); r.Status != status || !slices.Equal(got, want) {
		t.Errorf("attempt is %s, want %s\ngot  %s\nwant %s", r.Status, status, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

func TestSequence(t *testing.T) {
	r := onShared(t).Run(`
+one: {echo>: 1}
+group:
  +two: {echo>: 2}
  +three: {echo>: 3}
+four: {echo>: 4}
`)
	expect(t, r, "success", "+w success", "+w+one success", "+w+group success", "+w+group+two success", "+w+group+three success", "+w+four success")
	root, group, four := r.Tasks[0], r.Task("+w+group"), r.Task("+w+four")
	if root.ParentID != nil || root.StartedAt != nil || !root.IsGroup || !group.IsGroup || *group.ParentID != root.ID || group.StartedAt != nil {
		t.Errorf("root %+v, group %+v", root, group)
	}
	if four.IsGroup || four.StartedAt == nil || !slices.Equal(four.Upstreams, []string{group.ID}) || len(r.Task("+w+one").Upstreams) != 0 {
		t.Errorf("four %+v", four)
	}
	if r.FinishedAt == nil || r.Index != 1 || r.RetryAttemptName != nil {
		t.Errorf("%+v", r.Attempt)
	}
}

func TestFailureBlocksWhatFollows(t *testing.T) {
	r := onShared(t).Run(`
+ok: {echo>: ok}
+group:
  +bad: {fail>: "no ${1 + 1} go"}
  +after: {echo>: never}
+last: {echo>: never}
`)
	expect(t, r, "error", "+w group_error", "+w+ok success", "+w+group group_error", "+w+group+bad error", "+w+group+after blocked",
		"+w+last blocked", "+w^failure-alert success")
	if bad := r.Task("+w+group+bad"); bad.Error.Message != "no 2 go" || bad.Error.Stacktrace != "" {
		t.Errorf("%+v", bad.Error)
	}
	if alert := r.Task("+w^failure-alert"); string(alert.Config) != `{"_type":"notify","_command":"Workflow session attempt failed"}` {
		t.Errorf("%s", alert.Config)
	}
}

func TestParallelTasksRunAtATime(t *testing.T) {
	dir := t.TempDir()
	meet := func(me, other string) string {
		return fmt.Sprintf("touch %[1]s/%[2]s; until [ -e %[1]s/%[3]s ]; do sleep 0.02; done; echo met", dir, me, other)
	}
	r := onShared(t).Run(fmt.Sprintf(`
_parallel: true
+a: {sh>: "%s"}
+b: {sh>: "%s"}
`, meet("a", "b"), meet("b", "a")))
	expect(t, r, "success", "+w success", "+w+a success", "+w+b success")
}

func TestOrderOfParallelTasks(t *testing.T) {
	r := onShared(t).Run(`
+limited:
  _parallel: {limit: 2}
  +a: {echo>: a}
  +b: {echo>: b}
  +c: {echo>: c}
  +d: {echo>: d}
  +e: {echo>: e}
+after:
  _parallel: true
  +a: {echo>: a}
  +b: {echo>: b}
  +c: {echo>: c, _after: [+a, +b]}
+background:
  +a: {echo>: a, _background: true}
  +b: {echo>: b, _background: true}
  +c: {echo>: c}
  +d: {echo>: d}
`)
	if !r.Success {
		t.Fatalf("%v", r.States())
	}
	for name, want := range map[string]string{
		"+limited+a": "", "+limited+b": "", "+limited+c": "+limited+a +limited+b", "+limited+d": "+limited+a +limited+b",
		"+limited+e": "+limited+c +limited+d", "+after+b": "", "+after+c": "+after+a +after+b",
		"+background+b": "", "+background+c": "+background+a +background+b", "+background+d": "+background+c",
	} {
		var ups []string
		for _, id := range r.Task("+w" + name).Upstreams {
			for _, x := range r.Tasks {
				if x.ID == id {
					ups = append(ups, strings.TrimPrefix(x.FullName, "+w"))
				}
			}
		}
		if got := strings.Join(ups, " "); got != want {
			t.Errorf("%s waits for %q, want %q", name, got, want)
		}
	}
	if c := string(r.Task("+w+after+c").Config); c != `{"echo>":"c"}` {
		t.Errorf("_after is left: %s", c)
	}
}

func TestDisabledTask(t *testing.T) {
	r := onShared(t).Run("+off: {fail>: never, _disable: true}\n+on: {echo>: on}\n")
	expect(t, r, "success", "+w success", "+w+off success", "+w+on success")
	if off := r.Task("+w+off"); string(off.Config) != `{"_disable":true}` || !off.IsGroup {
		t.Errorf("%+v", off)
	}
}

func TestTaskIsRetried(t *testing.T) {
	count := filepath.Join(t.TempDir(), "count")
	s := onShared(t)
	r := s.Run(fmt.Sprintf(`
+a:
  _retry: {limit: 3, interval: 1}
  sh>: echo x >> %s; [ $(wc -l < %[1]s) = 3 ]
`, count))
	expect(t, r, "success", "+w success", "+w+a success")
	a := r.Task("+w+a")
	if a.StateParams["retry_count"] != 2.0 || a.RetryAt != nil || !a.StartedAt.Before(a.UpdatedAt) {
		t.Errorf("%+v", a)
	}
	files, err := s.LogFiles(s.Context(), r.ID, "+w+a")
	if err != nil || len(files) != 3 {
		t.Errorf("%d log files, want one for each of 3 runs; %v", len(files), err)
	}
}

func TestTaskFailsWhenItsRetriesAreUsedUp(t *testing.T) {
	r := onShared(t).Run("+a: {sh>: exit 4, _retry: 1}\n+f: {echo>: never}\n")
	expect(t, r, "error", "+w group_error", "+w+a error", "+w+f blocked", "+w^failure-alert success")
	if a := r.Task("+w+a"); a.Error.Message != "Command failed with code 4 (runtime)" || a.StateParams["retry_count"] != 1.0 {
		t.Errorf("%+v", a)
	}
}

func TestTaskWaitsForItsRetry(t *testing.T) {
	s := onShared(t)
	a := s.Start(s.Push(Files{"w.dig": "+a: {sh>: exit 4, _retry: {limit: 1, interval: 3}}\n"}), "w")
	x := s.Until(a.ID, "+w+a", "retry_waiting")
	if x.RetryAt == nil || x.StartedAt == nil || x.StateParams["retry_count"] != 1.0 || x.Error.Message != "" {
		t.Errorf("%+v", x)
	}
	if r := s.Wait(a.ID); r.Status != "error" {
		t.Errorf("%v", r.States())
	}
}

func TestGroupIsRetriedAsAWhole(t *testing.T) {
	count := filepath.Join(t.TempDir(), "count")
	generates := program(t, `echo '{"subtask_config":{"+made":{"echo>":"made"}}}' > "$5"`)
	r := onShared(t).Run(fmt.Sprintf(`
+g:
  _retry: 3
  +ok: {py>: x, python: [%s, py]}
  +deeper:
    +bad: {sh>: "echo x >> %s; [ $(wc -l < %[2]s) = 3 ]"}
`, generates, count))
	// Each retry copies what stood in the file, and no copy and no generated task.
	var want []string
	for _, generation := range []string{"error", "error", "success"} {
		group := strings.Replace(generation, "error", "group_error", 1)
		want = append(want, "+w+g+ok success", "+w+g+deeper "+group, "+w+g+deeper+bad "+generation, "+w+g+ok^sub success", "+w+g+ok^sub+made success")
	}
	expect(t, r, "success", append([]string{"+w success", "+w+g success"}, want...)...)
	deeper, bad := r.Task("+w+g+deeper"), r.Task("+w+g+deeper+bad")
	if *bad.ParentID != deeper.ID || !slices.Equal(deeper.Upstreams, []string{r.Task("+w+g+ok").ID}) {
		t.Errorf("copies hang wrong: %+v", r.Tasks)
	}
	if g := r.Task("+w+g"); g.StateParams["retry_count"] != 2.0 || g.StartedAt != nil {
		t.Errorf("%+v", g)
	}
}

func TestErrorTasks(t *testing.T) {
	s := onShared(t)
	project := s.Push(Files{
		"root.dig": `
_error:
  +e: {echo>: "saw ${error.message}"}
+bad: {fail>: broken}
`,
		"single.dig": `
_error: {echo>: "saw ${error.message}"}
+bad: {fail>: broken}
`,
		"task.dig": `
+bad:
  fail>: broken
  _error: {echo>: "saw ${error.message}"}
`,
	})
	root := s.Wait(s.Start(project, "root").ID)
	expect(t, root, "error", "+root group_error", "+root+bad error", "+root^failure-alert success", "+root^error success", "+root^error+e success")
	single := s.Wait(s.Start(project, "single").ID)
	expect(t, single, "error", "+single group_error", "+single+bad error", "+single^failure-alert success", "+single^error success")
	task := s.Wait(s.Start(project, "task").ID)
	expect(t, task, "error", "+task group_error", "+task+bad error", "+task+bad^error success", "+task^failure-alert success")
	for prefix, r := range map[string]Result{"+root^error+e": root, "+single^error": single, "+task+bad^error": task} {
		if got := strings.TrimSpace(r.Output(prefix)); got != "saw broken" {
			t.Errorf("%s printed %q", prefix, got)
		}
	}
	if g := root.Task("+root^error"); !g.IsGroup || !strings.Contains(string(g.Config), `"_export":{"error":{"message":"broken"`) {
		t.Errorf("%s", g.Config)
	}
}

func TestFailedTaskIsPlannedWhileItsErrorTaskRuns(t *testing.T) {
	s, release := onShared(t), filepath.Join(t.TempDir(), "release")
	a := s.Start(s.Push(Files{"w.dig": fmt.Sprintf(`
+bad:
  fail>: broken
  _error: {sh>: "until [ -e %s ]; do sleep 0.02; done"}
`, release)}), "w")
	s.Until(a.ID, "+w+bad^error", "running")
	during := s.Result(must2(t)(s.Attempt(s.Context(), a.ID)))
	if bad := during.Task("+w+bad"); during.Done || during.Status != "running" || bad.State != "planned" || bad.Error.Message != "broken" {
		t.Errorf("%+v, %+v", during.Attempt, bad)
	}
	if err := os.WriteFile(release, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, s.Wait(a.ID), "error", "+w group_error", "+w+bad error", "+w+bad^error success", "+w^failure-alert success")
}

func TestCheckTasks(t *testing.T) {
	r := onShared(t).Run(`
+good:
  echo>: done
  _check: {echo>: checked}
+bad:
  echo>: done
  _check: {fail>: "does not hold"}
`)
	expect(t, r, "error", "+w group_error", "+w+good success", "+w+bad group_error", "+w+good^check success", "+w+bad^check error", "+w^failure-alert success")
}
