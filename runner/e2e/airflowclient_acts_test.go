package e2e

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/dags/airflowtest"
	"github.com/outrider-run/outrider/plugins/airflow/client"
)

func TestAirflowClientTriggers(t *testing.T) {
	onAsker(t, func(a asker) {
		t, ctx := a.t, a.ctx
		big := map[string]any{"quotes": `'"\\ $(x) {{ y }}`, "unicode": "日本語 \u2028 \U0001F600", "long": strings.Repeat("0123456789", 30<<10), "n": 1.5}
		conf, err := json.Marshal(big)
		if err != nil {
			t.Fatal(err)
		}
		want := client.Trigger{DAG: "client_listed", ID: "scheduled+like:1.2~" + rand.Text(), Conf: conf, Note: "from a test"}
		r, existed, err := a.Client.Trigger(ctx, want)
		if err != nil || existed || r.ID != want.ID || r.State != "queued" || r.Ended() {
			t.Fatalf("%+v, %t, %v", r, existed, err)
		}
		a.endLater(r)
		got := sure[client.DAGRun](t)(a.Run(ctx, want.DAG, want.ID))
		var back map[string]any
		if err := json.Unmarshal(got.Conf, &back); err != nil || len(got.Conf) < 300<<10 || got.Note != want.Note {
			t.Errorf("%d bytes of conf, %v, note %q", len(got.Conf), err, got.Note)
		}
		for name, value := range big {
			if back[name] != value {
				t.Errorf("%s came back as %.60v", name, back[name])
			}
		}
		if again, existed, err := a.Client.Trigger(ctx, want); err != nil || !existed || again.ID != r.ID || !again.Start.IsZero() {
			t.Errorf("again: %+v, %t, %v", again, existed, err)
		}

		// A date that another run has.
		day := time.Date(2001, 2, 3, 4, 5, 6, 789_000_000, time.UTC).Add(time.Duration(time.Now().UnixNano()) % (1000 * time.Hour)).Truncate(time.Microsecond)
		dated := client.Trigger{DAG: "client_listed", ID: "dated-" + rand.Text(), Logical: day}
		if r, existed, err = a.Client.Trigger(ctx, dated); err != nil || existed || !r.Logical.Equal(day) {
			t.Fatalf("%+v, %t, %v", r, existed, err)
		}
		a.endLater(r)
		if found := listOf(t, a.Runs(ctx, client.RunFilter{DAG: dated.DAG, LogicalFrom: day, LogicalTo: day})); len(found) != 1 || found[0].ID != dated.ID {
			t.Errorf("runs of %s: %+v", day, found)
		}
		other := dated
		other.ID += "-other"
		_, existed, err = a.Client.Trigger(ctx, other)
		var e *client.Error
		if existed || !errors.As(err, &e) || e.Code != client.CodeConflict || !slices.Equal(e.Near, []string{dated.ID}) || !strings.Contains(err.Error(), dated.ID) {
			t.Errorf("a date that is taken: %t, %v", existed, err)
		}

		for id, says := range map[string]string{"with blank": "allowed_run_id_pattern", "with/slash": "has a slash", "~": "for all"} {
			if a.v3() && id == "with blank" {
				says = "does not match regex pattern"
			}
			_, _, err := a.Client.Trigger(ctx, client.Trigger{DAG: "client_listed", ID: id})
			if codeOf(err) != client.CodeBadRequest || !strings.Contains(err.Error(), says) {
				t.Errorf("id %q: %v", id, err)
			}
		}
		// No id: the server names it.
		r, existed, err = a.Client.Trigger(ctx, client.Trigger{DAG: "client_listed"})
		if err != nil || existed || !strings.HasPrefix(r.ID, "manual__") {
			t.Errorf("without an id: %+v, %v", r, err)
		}
		if r = sure[client.DAGRun](t)(a.SetRun(ctx, r.DAG, r.ID, "failed")); r.State != "failed" {
			t.Errorf("marked %+v", r)
		}
		// An id with + and : is one in every path.
		if again := sure[client.DAGRun](t)(a.Run(ctx, r.DAG, r.ID)); again.ID != r.ID {
			t.Errorf("%+v", again)
		}
	})
}

func TestAirflowClientClears(t *testing.T) {
	onAsker(t, func(a asker) {
		t, ctx := a.t, a.ctx
		mark := filepath.Join(t.TempDir(), "mended")
		r := a.run("test -e " + mark)
		if r.State != "failed" {
			t.Fatalf("%+v", r)
		}
		// What had no try has no log, which Airflow 2 says with a 200.
		if last := sure[client.TaskInstance](t)(a.Task(ctx, r.DAG, r.ID, "a_last", -1)); last.State != "upstream_failed" {
			t.Errorf("%+v", last)
		} else if lines, err := a.Log(ctx, last, 1); codeOf(err) != client.CodeNotFound || !strings.Contains(err.Error(), "no log of try 1") {
			t.Errorf("its log: %v, %v", lines, err)
		}
		failed := client.Clear{DAG: r.DAG, Run: r.ID, OnlyFailed: true, DryRun: true}
		would := sure[[]client.Cleared](t)(a.Client.Clear(ctx, failed))
		var names []string
		for _, c := range would {
			names = append(names, c.Task)
			if (c.State != "") != a.v3() {
				t.Errorf("would clear %+v", c)
			}
		}
		// Those that had no try since another failed before them count as failed.
		if slices.Sort(names); !slices.Contains(names, "first") || !slices.Contains(names, "a_last") {
			t.Errorf("would clear %v", names)
		}
		if r := sure[client.DAGRun](t)(a.Run(ctx, r.DAG, r.ID)); r.State != "failed" {
			t.Fatalf("only asked, and it is %+v", r)
		}
		if err := os.WriteFile(mark, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		failed.DryRun = false
		if did := sure[[]client.Cleared](t)(a.Client.Clear(ctx, failed)); len(did) != len(would) {
			t.Errorf("cleared %+v, not %+v", did, would)
		}
		if r = a.ended(r); r.State != "success" {
			t.Fatalf("%+v", r)
		}
		first := sure[client.TaskInstance](t)(a.Task(ctx, r.DAG, r.ID, "first", -1))
		if first.Try != 3 || first.MaxTries < 3 {
			t.Errorf("after the clear it is %+v", first)
		}
		if tries := sure[[]client.TaskInstance](t)(a.Tries(ctx, first)); len(tries) != 3 || tries[1].State != "failed" || tries[2].State != "success" {
			t.Errorf("tries %+v", tries)
		}
		a.hasLog(first, 2, "Command exited with return code 1")
		a.hasLog(first, 3, "Command exited with return code 0")

		// One of a mapped task, which Airflow 2 cannot name.
		did := sure[[]client.Cleared](t)(a.Client.Clear(ctx, client.Clear{DAG: r.DAG, Run: r.ID, Tasks: []string{"many"}, MapIndexes: []int{1}}))
		if want := map[bool]int{true: 1, false: 3}[a.v3()]; len(did) != want || did[0].Task != "many" || a.v3() && did[0].MapIndex != 1 {
			t.Errorf("cleared %+v", did)
		}
		a.ended(r)
		// From a task on.
		did = sure[[]client.Cleared](t)(a.Client.Clear(ctx, client.Clear{DAG: r.DAG, Run: r.ID, Tasks: []string{"many"}, Downstream: true, DryRun: true}))
		if !slices.ContainsFunc(did, func(c client.Cleared) bool { return c.Task == "a_last" }) || slices.ContainsFunc(did, func(c client.Cleared) bool { return c.Task == "first" }) {
			t.Errorf("from many on: %+v", did)
		}

		for range 2 { // the second time it is so already, which 3 answers with a 409
			if err := a.SetTask(ctx, first, "failed"); err != nil {
				t.Error(err)
			}
		}
		if first = sure[client.TaskInstance](t)(a.Task(ctx, r.DAG, r.ID, "first", -1)); first.State != "failed" {
			t.Errorf("marked %+v", first)
		}
		one := sure[client.TaskInstance](t)(a.Task(ctx, r.DAG, r.ID, "many", 2))
		if err := a.SetTask(ctx, one, "failed"); err != nil {
			t.Error(err)
		}
		if one = sure[client.TaskInstance](t)(a.Task(ctx, r.DAG, r.ID, "many", 2)); one.State != "failed" {
			t.Errorf("marked %+v", one)
		}
	})
}

func TestAirflowClientPauses(t *testing.T) {
	onAsker(t, func(a asker) {
		for _, paused := range []bool{false, true} {
			d := sure[client.DAG](a.t)(a.Pause(a.ctx, "client_listed", paused))
			if again := sure[client.DAG](a.t)(a.DAG(a.ctx, "client_listed")); d.Paused != paused || again.Paused != paused {
				a.t.Errorf("paused %t: %+v, %+v", paused, d, again)
			}
		}
	})
}

func TestAirflowClientNames(t *testing.T) {
	onAsker(t, func(a asker) {
		t, ctx := a.t, a.ctx
		r := a.run("true")
		near := func(err error, says string, near ...string) {
			t.Helper()
			var e *client.Error
			if !errors.As(err, &e) || e.Code != client.CodeNotFound || !strings.Contains(err.Error(), says) || len(near) > 0 && !slices.Contains(e.Near, near[0]) {
				t.Errorf("%v\nwant %s near %v", err, says, near)
			}
		}
		_, err := a.DAG(ctx, "clientt")
		near(err, `no dag "clientt" at http`, "client")
		_, err = a.Run(ctx, "clientt", r.ID)
		near(err, `no dag "clientt" at http`, "client")
		_, err = a.Run(ctx, "client", r.ID+"x")
		near(err, `no run "`+r.ID+`x" of dag client at http`, r.ID)
		_, err = a.Tasks(ctx, "client", r.ID+"x")
		near(err, "no run", r.ID)
		_, err = a.Task(ctx, "client", r.ID, "frist", -1)
		near(err, `no task "frist" in run `+r.ID+` of dag client`, "first")
		_, err = a.Task(ctx, "client", r.ID+"x", "first", -1)
		near(err, "no run", r.ID)
		_, err = a.Task(ctx, "client", r.ID, "many", 7)
		near(err, `no map index 7 of task "many"`)
		_, err = a.Task(ctx, "client", r.ID, "many", -1)
		near(err, "without a map index, of which it has 0 to 2")
		_, err = a.Task(ctx, "client", r.ID, "first", 0)
		near(err, "which is not mapped")
		_, err = a.Pause(ctx, "clientt", true)
		near(err, "no dag", "client")
		_, err = a.TaskNames(ctx, "clientt")
		near(err, "no dag", "client")
		_, err = a.SetRun(ctx, "client", r.ID+"x", "failed")
		near(err, "no run", r.ID)
		_, err = a.Client.Clear(ctx, client.Clear{DAG: "client", Run: r.ID + "x", DryRun: true})
		near(err, "no run", r.ID)
		_, _, err = a.Client.Trigger(ctx, client.Trigger{DAG: "clientt"})
		near(err, "no dag", "client")

		for _, err := range []error{
			func() error { _, err := a.Run(ctx, "client", "a/b"); return err }(),
			func() error { _, _, err := a.RunsPage(ctx, client.RunFilter{States: []string{"faild"}}); return err }(),
			func() error { _, err := a.TasksIn(ctx, "runing"); return err }(),
		} {
			if codeOf(err) != client.CodeBadRequest {
				t.Error(err)
			}
		}
	})
}

// TestAirflowClientSlash is why a name with a slash is not sent: both versions take %2F
// for the end of it, so that a run "x/taskInstances" would be the tasks of run x.
func TestAirflowClientSlash(t *testing.T) {
	onAsker(t, func(a asker) {
		r := a.run("true")
		o := client.Options{User: airflowtest.User, Password: a.Password, Transport: rewrite(func(rq *http.Request) {
			if strings.HasSuffix(rq.URL.Path, "/dagRuns/"+r.ID) {
				rq.URL.Path += "/taskInstances"
				rq.URL.RawPath = strings.TrimSuffix(rq.URL.Path, "/taskInstances") + "%2FtaskInstances"
			}
		})}
		_, err := a.client(a.t, o).Run(a.ctx, r.DAG, r.ID)
		if codeOf(err) != client.CodeBadAnswer {
			a.t.Errorf("a run with %%2F in its id: %v", err)
		}
	})
}

// rewrite changes requests before they are sent.
type rewrite func(*http.Request)

func (f rewrite) RoundTrip(r *http.Request) (*http.Response, error) {
	f(r)
	return http.DefaultTransport.RoundTrip(r)
}

func TestAirflowClientLogins(t *testing.T) {
	onAsker(t, func(a asker) {
		t, ctx := a.t, a.ctx
		// Nobody sees the version and health, and nothing else.
		nobody := a.client(t, client.Options{})
		sure[client.Version](t)(nobody.Version(ctx))
		sure[[]client.Part](t)(nobody.Health(ctx))
		for says, o := range map[string]client.Options{
			"set user and password":             {},
			`check user "admin" and the passwo`: {User: airflowtest.User, Password: "wr0ng-secret"},
			"check the token":                   {Token: "wr0ng-secret"},
			"check the header Authorization":    {Headers: map[string]string{"authorization": "Bearer wr0ng-secret"}},
			"check what the token command":      {TokenCommand: []string{"echo", "wr0ng-secret"}},
		} {
			_, err := a.client(t, o).DAG(ctx, "client")
			if codeOf(err) != client.CodeUnauthorized || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "wr0ng") {
				t.Errorf("%v\nwant %s", err, says)
			}
		}
		if a.HasCredentials() == nobody.HasCredentials() {
			t.Error("both have credentials, or neither")
		}
		if !a.v3() {
			return
		}
		// A token of a password, and one of a command, which is run again when the server
		// does not take what it printed.
		token := filepath.Join(t.TempDir(), "token")
		command := []string{"sh", "-c", `if test -e "$1"; then cat "$1"; else echo not.a.token; fi`, "sh", token}
		c := a.client(t, client.Options{TokenCommand: command})
		if _, err := c.DAG(ctx, "client"); codeOf(err) != client.CodeUnauthorized || !strings.Contains(err.Error(), "Invalid JWT") {
			t.Errorf("with no token: %v", err)
		}
		body, _ := json.Marshal(map[string]string{"username": airflowtest.User, "password": a.Password})
		got, err := http.Post(a.URL+"/auth/token", "application/json", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(got.Body)
		_ = got.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(token, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if d, err := c.DAG(ctx, "client"); err != nil || d.ID != "client" {
			t.Errorf("with a token at last: %+v, %v", d, err)
		}
		var has struct {
			Token string `json:"access_token"`
		}
		if err := json.Unmarshal(text, &has); err != nil {
			t.Fatal(err)
		}
		if d, err := a.client(t, client.Options{Token: has.Token}).DAG(ctx, "client"); err != nil || d.ID != "client" {
			t.Errorf("with a token: %+v, %v", d, err)
		}
	})
}

// TestAirflowClientWrongURLs: what else stands at an Airflow's address is no API.
func TestAirflowClientWrongURLs(t *testing.T) {
	onAsker(t, func(a asker) {
		for _, base := range []string{a.URL + "/elsewhere", a.URL + "/api/v2/dags"} {
			_, err := a.client(a.t, client.Options{Endpoints: []string{base}}).Version(a.ctx)
			if codeOf(err) != client.CodeNotAirflow || !strings.Contains(err.Error(), "is this the base URL of an Airflow") {
				a.t.Errorf("%s: %v", base, err)
			}
		}
		for _, base := range []string{a.URL + "/", a.URL + "/api/v1", a.URL + "/api/v2/"} {
			if _, err := a.client(a.t, client.Options{Endpoints: []string{base}}).Version(a.ctx); err != nil {
				a.t.Errorf("%s: %v", base, err)
			}
		}
	})
}
