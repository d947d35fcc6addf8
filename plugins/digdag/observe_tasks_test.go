package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/plugins/digdag/client"
	"github.com/outrider-run/outrider/sdk/observe"
)

// recordedFile is an answer of a real server; the client's are not kept twice.
func recordedFile(t *testing.T, file string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", file+".json"))
	if os.IsNotExist(err) {
		raw, err = os.ReadFile(filepath.Join("client", "testdata", file+".json"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// recorded reads what stands under a name in such an answer, "" for all of it.
func recorded[T any](t *testing.T, file, name string) T {
	t.Helper()
	raw := recordedFile(t, file)
	if name != "" {
		var whole map[string]json.RawMessage
		if err := json.Unmarshal(raw, &whole); err != nil {
			t.Fatal(err)
		}
		raw = whole[name]
	}
	var v T
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return v
}

// told in one line: name, below, state, Digdag's word, operator, seconds from the
// attempt's first start to start and end, tries, and more.
func inShort(tasks []observe.Task) (lines []string) {
	var zero time.Time
	for _, t := range tasks {
		if !t.Started.IsZero() && (zero.IsZero() || t.Started.Before(zero)) {
			zero = t.Started
		}
	}
	at := func(when time.Time) string {
		if when.IsZero() {
			return "-"
		}
		return fmt.Sprint(int(when.Sub(zero).Seconds()))
	}
	for _, t := range tasks {
		line := fmt.Sprintf("%s<%s %s/%s %s %s..%s tries %d", t.Name, t.Parent, t.State, t.Word, t.Type, at(t.Started), at(t.Ended), t.Tries)
		if t.Group {
			line += " group"
		}
		if !t.RetryAt.IsZero() {
			line += " again at " + at(t.RetryAt)
		}
		if t.Error != "" {
			line += " error " + strings.SplitN(t.Error, "\n", 2)[0]
		}
		lines = append(lines, line)
	}
	return lines
}

// TestTasksOfRecordedAttempts: names, groups, states, times, tries and errors.
func TestTasksOfRecordedAttempts(t *testing.T) {
	for file, c := range map[string]struct {
		done   bool
		want   []string
		tailed string
	}{
		"tasks_gretry": {true, []string{
			"+gretry< failed/group_error  0..3 tries 1 group",
			"+gretry+g<+gretry failed/group_error  0..2 tries 2 group",
			"+gretry+g+x<+gretry+g success/success sh> 0..2 tries 2",
			"+gretry+g+y<+gretry+g failed/error sh> 0..2 tries 2 error Command failed with code 5 (runtime)",
			"+gretry^failure-alert<+gretry success/success notify> 2..3 tries 1",
		}, "+gretry+g+y"},
		"tasks_error": {true, []string{
			"+error< failed/group_error  0..2 tries 1 group",
			"+error+fail<+error failed/error sh> 0..0 tries 1 error Command failed with code 3 (runtime)",
			"+error+never<+error skipped/blocked echo> -..- tries 0",
			"+error^failure-alert<+error success/success notify> 0..0 tries 1",
			"+error^error<+error success/success  0..2 tries 1 group",
			"+error^error+e1<+error^error success/success sh> 0..2 tries 1",
		}, "+error+fail"},
		"tasks_retry": {true, []string{
			"+retry< failed/group_error  0..4 tries 1 group",
			"+retry+r<+retry failed/error sh> 0..4 tries 3 error Command failed with code 4 (runtime)",
			"+retry^failure-alert<+retry success/success notify> 4..4 tries 1",
		}, "+retry+r"},
		"tasks_mid_rw": {false, []string{
			"+rw< running/planned  0..- tries 1 group",
			"+rw+a<+rw running/retry_waiting sh> 0..- tries 1 again at 4",
		}, "+rw+a"},
		"tasks_mid_grw": {false, []string{
			"+grw< running/planned  0..- tries 1 group",
			"+grw+g<+grw running/group_retry_waiting  0..- tries 1 group again at 4",
			"+grw+g+a<+grw+g failed/error sh> 0..0 tries 1 error Command failed with code 3 (runtime)",
		}, "+grw+g+a"},
		"tasks_mid_err": {false, []string{
			"+err< running/planned  0..- tries 1 group",
			"+err+a<+err failed/error sh> 0..0 tries 1 error Command failed with code 3 (runtime)",
			"+err+b<+err queued/blocked echo> -..- tries 0",
			"+err^failure-alert<+err success/success notify> 0..0 tries 1",
			"+err^error<+err running/planned  0..- tries 1 group",
			"+err^error+slow<+err^error running/running sh> 0..- tries 1",
		}, "+err+a"},
		"tasks_mid_wt": {false, []string{
			"+wt< running/planned  0..- tries 1 group",
			"+wt+w<+wt running/retry_waiting wait> 0..- tries 1 again at 20",
		}, "+wt+w"},
		"tasks_mid_req": {false, []string{
			"+req< running/planned  0..- tries 1 group",
			"+req+r<+req running/retry_waiting require> 0..- tries 1 again at 4",
		}, "+req+r"},
		"tasks_cancelling": {false, []string{
			"+long< cancelling/planned  0..- tries 1 group",
			"+long+s<+long cancelling/running sh> 0..- tries 1",
			"+long+after<+long skipped/blocked echo> -..- tries 0",
		}, "+long+s"},
		"tasks_killed": {true, []string{
			"+long< cancelled/canceled  0..45 tries 1 group",
			"+long+s<+long cancelled/canceled sh> 0..41 tries 1",
			"+long+after<+long skipped/blocked echo> -..- tries 0",
		}, ""},
		"tasks_no_executor": {false, []string{
			"+ok< running/planned  -..- tries 0 group",
			"+ok+a<+ok queued/blocked sh> -..- tries 0",
			"+ok+b<+ok queued/blocked sh> -..- tries 0",
		}, ""},
		"tasks_loop": {true, []string{
			"+loop< success/success  0..3 tries 1 group",
			"+loop+l<+loop success/success loop> 0..2 tries 1 group",
			"+loop+l^sub<+loop+l success/success  1..2 tries 1 group",
			"+loop+l^sub+loop-0<+loop+l^sub success/success sh> 1..2 tries 1",
			"+loop+l^sub+loop-1<+loop+l^sub success/success sh> 2..2 tries 1",
			"+loop+f<+loop success/success for_each> 2..2 tries 1 group",
			"+loop+f^sub<+loop+f success/success  2..2 tries 1 group",
			"+loop+f^sub+for-0=fruit=0=apple<+loop+f^sub success/success echo> 2..2 tries 1",
			"+loop+f^sub+for-0=fruit=1=orange<+loop+f^sub success/success echo> 2..2 tries 1",
			"+loop+i<+loop success/success if> 2..3 tries 1 group",
			"+loop+i^sub<+loop+i success/success  2..3 tries 1 group",
			"+loop+i^sub+yes<+loop+i^sub success/success echo> 2..3 tries 1",
			"+loop+p<+loop success/success  3..3 tries 1 group",
			"+loop+p+p1<+loop+p success/success sh> 3..3 tries 1",
			"+loop+p+p2<+loop+p success/success sh> 3..3 tries 1",
		}, ""},
		"tasks_slafail": {true, []string{
			"+slafail< failed/group_error  0..4 tries 1 group",
			"+slafail+s<+slafail success/success sh> 0..3 tries 1",
			"+slafail+t<+slafail success/success echo> 3..4 tries 1",
			"+slafail^sla^alert<+slafail success/success notify> 1..1 tries 1",
			"+slafail^sla^fail<+slafail failed/error fail> 1..1 tries 1 error SLA violation",
			"+slafail^sla<+slafail success/success  -..1 tries 0 group",
			"+slafail^failure-alert<+slafail success/success notify> 4..4 tries 1",
		}, "+slafail^sla^fail"},
		// Taken over from an earlier attempt, the last one has no start.
		"tasks_resume": {true, []string{
			"+retry< failed/group_error  0..3 tries 1 group",
			"+retry+r<+retry failed/error sh> 0..3 tries 3 error Command failed with code 4 (runtime)",
			"+retry^failure-alert<+retry success/success notify> -..0 tries 0",
		}, "+retry+r"},
		"tasks_queued_backfill": {false, nil, ""},
	} {
		t.Run(file, func(t *testing.T) {
			got := tasksOf(recorded[[]client.Task](t, file, "tasks"), c.done)
			if lines := inShort(got); !slices.Equal(lines, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(c.want, "\n"))
			}
			if name := tailed(got); name != c.tailed {
				t.Errorf("the log of %q, want that of %q", name, c.tailed)
			}
		})
	}
}

// TestTasksTellWhetherAnAttemptRuns: a queued one has none, and one that no executor
// takes up has none that began.
func TestTasksTellWhetherAnAttemptRuns(t *testing.T) {
	for file, want := range map[string]observe.State{
		"tasks_queued_backfill": observe.Queued, "tasks_no_executor": observe.Queued,
		"tasks_no_agent": observe.Running, // Digdag says no other
		"tasks_mid_rw":   observe.Running,
	} {
		tasks := tasksOf(recorded[[]client.Task](t, file, "tasks"), false)
		for _, taken := range []observe.State{observe.Running, observe.Queued} {
			got := withTasks(observe.Run{State: taken}, tasks)
			if got.State != want || got.Started.IsZero() != (want == observe.Queued) || len(got.Tasks) != len(tasks) {
				t.Errorf("%s, taken for %s: %s since %s, want %s", file, taken, got.State, got.Started, want)
			}
		}
	}
	for _, state := range []observe.State{observe.Cancelling, observe.Failed, observe.Success} {
		if got := withTasks(observe.Run{State: state}, nil).State; got != state {
			t.Errorf("%s became %s", state, got)
		}
	}
}

func TestTasksOfOneNameTakeTheNewest(t *testing.T) {
	tasks := []client.Task{
		{ID: "100", FullName: "+w+a", ParentID: "9", State: client.TaskSuccess, StartedAt: time.Unix(20, 0), UpdatedAt: time.Unix(30, 0)},
		{ID: "99", FullName: "+w+a", ParentID: "9", State: client.TaskFailed, StartedAt: time.Unix(10, 0), UpdatedAt: time.Unix(15, 0), Error: client.TaskError{Message: "no"}},
		{ID: "9", FullName: "+w", IsGroup: true, State: client.TaskSuccess, UpdatedAt: time.Unix(31, 0)},
	}
	got := tasksOf(tasks, true)
	if len(got) != 2 || got[1].State != observe.Success || got[1].Error != "" || got[1].Tries != 2 || got[1].Started != time.Unix(10, 0) || got[1].Ended != time.Unix(30, 0) {
		t.Errorf("%+v", got)
	}
}

func TestTailOfALog(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"empty":       {"", ""},
		"short":       {"a\nb\n", "a\nb"},
		"no last end": {"a\nb", "a\nb"},
		"many lines":  {strings.Repeat("x\n", 30) + "end\n", strings.Repeat("x\n", 19) + "end"},
		"a long line": {strings.Repeat("é", 1000) + "\nend\n", strings.Repeat("é", mostLine/2) + " …\nend"},
		"a huge one":  {strings.Repeat("y", 10*mostTail) + "\nend\n", "end"},
		"of Digdag's error": {
			"no luck\n2026-11-22 12:19:45.000 +0000 [ERROR] (0017@x) io.digdag.core.agent.OperatorManager: Task failed\njava.lang.RuntimeException: Command failed with code 4\n" +
				strings.Repeat("\tat io.digdag.core.agent.OperatorManager.run(OperatorManager.java:133)\n\tat java.base/java.lang.Thread.run(Thread.java:840)\n\tat com.google.inject.X.y(X.java:1)\n", 10) + "\t... 12 more\n",
			"no luck\n2026-11-22 12:19:45.000 +0000 [ERROR] (0017@x) io.digdag.core.agent.OperatorManager: Task failed\njava.lang.RuntimeException: Command failed with code 4",
		},
		"of the task's own Java": {"\tat com.acme.Load.run(Load.java:7)\n", "\tat com.acme.Load.run(Load.java:7)"},
		"no UTF-8":               {"\xff\xfe\n", "\uFFFD"},
	} {
		got, err := tail(strings.NewReader(c.text))
		if got != c.want || err != nil {
			t.Errorf("%s: %.80q, %v; want %.80q", name, got, err, c.want)
		}
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write([]byte("so far\n"))
	_ = z.Flush()
	if got, err := tail(client.UnpackLog(packed.Bytes())); got != "so far" || err != nil {
		t.Errorf("unfinished: %q, %v", got, err)
	}
}

func TestLastLog(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	files := []client.LogFile{
		{Name: "b1", TaskName: "+w+b", Time: at(9)},
		{Name: "a1", TaskName: "+w+a", Time: at(5)},
		{Name: "a2", TaskName: "+w+a", Time: at(7)},
		{Name: "a+1", TaskName: "+w+a+more", Time: at(8)},
	}
	if f, ok := lastLog(files, "+w+a"); f.Name != "a2" || !ok {
		t.Errorf("%+v, %v", f, ok)
	}
	if f, ok := lastLog(files, "+w"); ok {
		t.Errorf("%+v", f)
	}
}
