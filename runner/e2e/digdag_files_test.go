package e2e

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/dig/digdagtest"
	"github.com/outrider-run/outrider/runner/internal/ledger"
)

// shippedDig reads a .dig file that users copy.
func shippedDig(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), "dig", name+".dig"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// edited is a shipped file as a user edits it: an export wins over what a start gives.
func edited(t *testing.T, name string, oldnew ...string) string {
	t.Helper()
	text := shippedDig(t, name)
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(text, oldnew[i]) {
			t.Fatalf("dig/%s.dig holds no %q", name, oldnew[i])
		}
		text = strings.ReplaceAll(text, oldnew[i], oldnew[i+1])
	}
	return text
}

// here is the server that the files name, and hooked the one that gets notices.
const (
	here   = "http://127.0.0.1:65432"
	hooked = "http://127.0.0.1:9000/notice"
)

// alone starts a shipped workflow as the only one of a project.
func (d digdag) alone(name, text string, params map[string]any) digdagtest.Attempt {
	d.t.Helper()
	return d.startIn(d.Push(digdagtest.Files{name + ".dig": text}), name, params)
}

func (d digdag) startIn(project, workflow string, params map[string]any) digdagtest.Attempt {
	d.t.Helper()
	a, err := d.StartWorkflow(d.Context(), project, workflow, params)
	if err != nil {
		d.t.Fatal(err)
	}
	return a
}

// done waits for the end of an attempt, which must be a success.
func (d digdag) done(a digdagtest.Attempt) digdagtest.Result {
	d.t.Helper()
	r := d.Wait(a.ID)
	if r.Success {
		return r
	}
	for _, x := range r.Tasks {
		if x.Error.Message != "" {
			d.t.Errorf("%s: %s\n%s", x.FullName, x.Error.Message, r.Output(x.FullName))
		}
	}
	d.t.Fatalf("%v", r.States())
	return r
}

// TestDigdagFileETL: values go from task to task, and the month is in the database.
func TestDigdagFileETL(t *testing.T) {
	d := onDigdag(t)
	files := digdagtest.Files{"etl.dig": shippedDig(t, "etl")}
	beside := filepath.Join(root(t), "examples", "etl")
	for _, name := range []string{"orders.csv", "orders_load.component.yml", "orders_load.py", "orders_transform.component.yml", "orders_transform.py"} {
		text, err := os.ReadFile(filepath.Join(beside, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(text)
	}
	r := d.done(d.startIn(d.Push(files), "etl", map[string]any{"month": "2026-03", "work": d.dir}))
	db, err := sql.Open("sqlite", filepath.Join(d.dir, "shop.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var rows int
	if err := db.QueryRow(`SELECT count(*) FROM sales`).Scan(&rows); err != nil || rows == 0 {
		t.Errorf("%d rows, %v", rows, err)
	}
	if got, want := r.Output("+etl+some"), fmt.Sprintf("%d rows of 2026-03, ", rows); !strings.Contains(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

// TestDigdagFileAwait: it waits for the task of another project that is under way.
func TestDigdagFileAwait(t *testing.T) {
	d := onDigdag(t)
	upstream, err := d.Server.Push(d.Context(), "ingest-"+filepath.Base(d.dir)+strconv.Itoa(os.Getpid()), ingest(t))
	if err != nil {
		t.Fatal(err)
	}
	first := d.startIn(upstream.Name, "daily", map[string]any{"dir": d.dir})
	d.await("loads")
	a := d.alone("await", edited(t, "await", here, d.URL, "ingest/daily", upstream.Name+"/daily"), nil)
	d.Until(a.ID, "+await+upstream", "running")
	d.release()
	if r := d.done(a); !strings.Contains(r.Output("+await+report"), "the data of "+a.SessionTime.UTC().Format("2006-01-02")+" is there") {
		t.Errorf("%q", r.Output("+await+report"))
	}
	if d.read("ended") != "" {
		t.Error("the upstream task had not ended when the wait did")
	}
	d.done(first)
}

// ingest is a project whose task waits to be released.
func ingest(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	const dig = "timezone: UTC\n+load:\n  sh>: touch \"$dir/loads\"; until [ -e \"$dir/release\" ]; do sleep 0.05; done; touch \"$dir/ended\"\n"
	if err := os.WriteFile(filepath.Join(dir, "daily.dig"), []byte(dig), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestDigdagFileLock: each task ran under what it claims, and a retry charges nobody twice.
func TestDigdagFileLock(t *testing.T) {
	d := onDigdag(t)
	if code, _, errs := ended(t, d.world.cmd("pools", "set", "warehouse", "4")); code != 0 {
		t.Fatalf("exit %d: %s", code, errs)
	}
	a := d.alone("lock", shippedDig(t, "lock"), nil)
	r := d.done(a)
	for task, want := range map[string]string{
		"+lock+load": "loads orders of " + a.SessionTime.UTC().Format("2006-01-02"), "+lock+many+eu": "aggregates eu",
		"+lock+many+us": "aggregates us", "+lock+many+asia": "aggregates asia", "+lock+charge": "charges the customers",
	} {
		if got := "\n" + strings.TrimSpace(r.Output(task)); !strings.HasSuffix(got, "\n"+want) {
			t.Errorf("%s printed %q, want %q in the end", task, got, want)
		}
	}
	again, err := d.StartAttempt(d.Context(), digdagtest.StartRequest{
		WorkflowID: a.Workflow.ID, SessionTime: a.SessionTime, RetryAttemptName: "again", Params: map[string]any{},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := d.done(again).Output("+lock+charge"); strings.Contains(got, "charges") || !strings.Contains(got, "not run: succeeded") {
		t.Errorf("the retry printed %q", got)
	}
}

// TestDigdagFileWrap: an old project's tasks are recorded, and print what they printed.
func TestDigdagFileWrap(t *testing.T) {
	d := onDigdag(t)
	r := d.done(d.alone("wrap", shippedDig(t, "wrap"), nil))
	if got := strings.TrimSpace(r.Output("+wrap+count")); got != "2" {
		t.Errorf("count printed %q", got)
	}
	runs, err := d.store().open(t).List(d.Context(), ledger.Filter{Workflow: "wrap"})
	if err != nil {
		t.Fatal(err)
	}
	of := 0
	for _, x := range runs {
		if x.Caller.Session == r.SessionUUID && x.Component == "sh" {
			of++
		}
	}
	if of != 4 {
		t.Errorf("%d runs are recorded, want 4: %+v", of, runs)
	}
}

// TestDigdagFileKillsafe: a kill of the attempt ends the long task.
func TestDigdagFileKillsafe(t *testing.T) {
	d := onDigdag(t)
	command := fmt.Sprintf("sh -c 'echo $PPID' >'%[1]s/pid.new'; mv '%[1]s/pid.new' '%[1]s/pid'; exec sleep 3600", d.dir)
	a := d.alone("killsafe", edited(t, "killsafe", here, d.URL, "command: sleep 3600", "command: "+strconv.Quote(command)), nil)
	d.await("pid")
	pid, err := strconv.Atoi(strings.TrimSpace(d.read("pid")))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Kill(d.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
	d.until(func() bool { return !alive(pid) })
	if r := d.Wait(a.ID); r.Success || r.Task("+killsafe+long").State == "success" {
		t.Errorf("%v", r.States())
	}
}

// hook is a server that gets notices, and hands on their texts.
func hook(t *testing.T) (url string, texts <-chan string) {
	t.Helper()
	got := make(chan string, 16)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		var notice struct{ Text string }
		_ = json.Unmarshal(raw, &notice)
		got <- notice.Text
	}))
	t.Cleanup(s.Close)
	return s.URL, got
}

// TestDigdagFileNotice: the notice names the failed task, why, and holds the end of its
// log.
func TestDigdagFileNotice(t *testing.T) {
	d := onDigdag(t)
	url, texts := hook(t)
	const self = "digdag-file-notice"
	text := edited(t, "notice", here, d.URL, hooked, url, "etl/notice", self+"/notice")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "notice.dig"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Server.Push(d.Context(), self, dir); err != nil {
		t.Fatal(err)
	}
	a := d.startIn(self, "notice", nil)
	if r := d.Wait(a.ID); r.Success || r.Task("+notice^error+tell").State != "success" {
		for _, x := range r.Tasks {
			t.Logf("%s %s: %s", x.FullName, x.State, x.Error.Message)
		}
		t.Fatalf("%v", r.States())
	}
	notice := <-texts
	for _, want := range []string{self + "/notice+notice+load failed: ", "no such table"} {
		if !strings.Contains(notice, want) {
			t.Errorf("the notice holds no %q:\n%s", want, notice)
		}
	}
}

// TestDigdagFileBackfill: a dry one starts nothing; then all sessions of the gap are
// started, once.
func TestDigdagFileBackfill(t *testing.T) {
	d := onDigdag(t)
	const daily = "timezone: UTC\nschedule: {daily>: 07:00:00}\n+load:\n  echo>: loads\n"
	const project = "digdag-file-backfill"
	push := func(oldnew ...string) {
		dir := t.TempDir()
		for name, text := range map[string]string{"backfill": edited(t, "backfill", append(oldnew, here, d.URL, "etl/daily", project+"/daily")...), "daily": daily} {
			if err := os.WriteFile(filepath.Join(dir, name+".dig"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := d.Server.Push(d.Context(), project, dir); err != nil {
			t.Fatal(err)
		}
	}
	sessions := func() (n int) {
		var all struct{ Attempts []digdagtest.Attempt }
		if err := d.Get(d.Context(), "/api/attempts?include_retried=true&project="+project+"&workflow=daily", &all); err != nil {
			t.Fatal(err)
		}
		return len(all.Attempts)
	}
	params := map[string]any{"from": "2026-11-01", "count": 3}
	push("dry: false", "dry: true")
	d.done(d.startIn(project, "backfill", params))
	if n := sessions(); n != 0 {
		t.Fatalf("dry: %d attempts", n)
	}
	push()
	r := d.done(d.startIn(project, "backfill", params))
	if n := sessions(); n != 3 {
		t.Errorf("%d attempts, want 3: %v", n, r.States())
	}
	waited := map[any]bool{}
	for _, x := range r.Tasks {
		if run, ok := x.StoreParams["run"].(map[string]any); ok {
			waited[run["id"]] = true
		}
	}
	if len(waited) != 3 {
		t.Errorf("it waited for %v", waited)
	}
}

// TestDigdagFileSLA: what takes too long is told.
func TestDigdagFileSLA(t *testing.T) {
	d := onDigdag(t)
	url, texts := hook(t)
	text := edited(t, "sla", hooked, url, "duration: 00:30 ", "duration: 00:00:01 ")
	a := d.alone("sla", text, map[string]any{"seconds": 4})
	if notice, want := <-texts, "session "+a.SessionTime.UTC().Format("2006-01-02")+" of attempt "+a.ID; !strings.HasPrefix(notice, want) {
		t.Errorf("told %q, want %q", notice, want)
	}
	d.done(a)
}
