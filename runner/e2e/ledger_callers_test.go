package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/outrider-run/outrider/runner/internal/db/dbtest"
)

// airflowTask is what Airflow tells a task; logical is empty where it has none.
func airflowTask(dag, runID, task, logical string) []string {
	env := []string{"AIRFLOW_CTX_DAG_ID=" + dag, "AIRFLOW_CTX_DAG_RUN_ID=" + runID, "AIRFLOW_CTX_TASK_ID=" + task, "AIRFLOW_CTX_TRY_NUMBER=1"}
	if logical != "" {
		env = append(env, "AIRFLOW_CTX_LOGICAL_DATE="+logical)
	}
	return env
}

func digdagTask(project, session, attempt string) []string {
	return []string{
		"project_id=" + project, "session_uuid=" + session, "attempt_id=" + attempt, "task_name=+daily+load",
		"session_time=2026-01-02T00:00:00+09:00",
	}
}

// TestOnceIsNeverAnothers: tasks that look alike but are not the same each run, and
// each gets its own outputs ever after.
func TestOnceIsNeverAnothers(t *testing.T) {
	const day = "2026-01-02T00:00:00+00:00"
	cases := map[string]struct {
		engine string
		env    []string
		lasts  string // the one parameter that differs between mapped tasks
	}{
		"mapped 0":              {"airflow", airflowTask("d", "scheduled__1", "load", day), "1ms"},
		"mapped 1":              {"airflow", airflowTask("d", "scheduled__1", "load", day), "2ms"},
		"another task":          {"airflow", airflowTask("d", "scheduled__1", "store", day), "1ms"},
		"another DAG":           {"airflow", airflowTask("e", "scheduled__1", "load", day), "1ms"},
		"another run":           {"airflow", airflowTask("d", "manual__1", "load", day), "1ms"},
		"no logical date":       {"airflow", airflowTask("d", "manual__2", "load", ""), "1ms"},
		"no logical date again": {"airflow", airflowTask("d", "manual__3", "load", ""), "1ms"},
		"slashes":               {"airflow", airflowTask("d/manual__3", "", "load", ""), "1ms"},
		"project 1":             {"digdag", digdagTask("1", "5f0a-1", "7"), "1ms"},
		"project 2":             {"digdag", digdagTask("2", "5f0a-2", "8"), "1ms"},
		"another instance":      {"digdag", append(digdagTask("2", "5f0a-2", "8"), "OUTRIDER_INSTANCE=other"), "1ms"},
	}
	onEachStore(t, func(t *testing.T, s store) {
		file := filepath.Join(s.home, "told")
		outputs, runs := map[string]string{}, 0
		for _, again := range []bool{false, true} {
			for name, c := range cases {
				cmd := s.cmd("run", "--engine", c.engine, "--on-orphan", "finish", "--once", "probe.body", "--file", file, "--for", c.lasts)
				cmd.Env = append(cmd.Env, c.env...)
				code, out, errs := ended(t, cmd)
				if name == "slashes" { // without a run there is no key to make
					if code != 2 {
						t.Errorf("%s: exit %d\n%s", name, code, errs)
					}
					continue
				}
				var got struct{ Run string }
				if err := json.Unmarshal([]byte(out), &got); code != 0 || err != nil {
					t.Errorf("%s: exit %d, %v\n%s", name, code, err, errs)
				}
				before, there := outputs[got.Run]
				if there != again || again && before != name {
					t.Errorf("%s, again: %v, got the outputs of %q", name, again, before)
				}
				outputs[got.Run] = name
				runs++
			}
		}
		if n := count(told(t, file), "begin"); n != len(cases)-1 {
			t.Errorf("%d bodies, want %d", n, len(cases)-1)
		}
		t.Logf("%d calls of %d tasks: %d bodies, each got its own outputs", runs, len(cases)-1, count(told(t, file), "begin"))
	})
}

// TestNestedClaims: what a run above holds is not waited for.
func TestNestedClaims(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store) {
		must(t, s.open(t).SetPool(t.Context(), "p", 1))
		outrider := filepath.Join(bin, "outrider")
		for name, c := range map[string]struct {
			outer, inner []string
			code         int
		}{
			"lock":       {[]string{"--lock", "a"}, []string{"--lock", "a"}, 2},
			"pool":       {[]string{"--pool", "p"}, []string{"--pool", "p"}, 2},
			"key":        {[]string{"--once-key", "k"}, []string{"--once-key", "k"}, 2},
			"one of two": {[]string{"--lock", "a"}, []string{"--lock", "b", "--lock", "a"}, 2},
			"another":    {[]string{"--lock", "a"}, []string{"--lock", "b"}, 0},
		} {
			for depth, between := range map[string][]string{"child": nil, "grandchild": {outrider, "exec", "--"}} {
				args := append(append([]string{"exec"}, c.outer...), "--")
				args = append(append(append(args, between...), outrider, "exec"), c.inner...)
				code, out, errs := ended(t, s.cmd(append(args, "--", "echo", "ran")...))
				if code != c.code || (out == "ran\n") != (c.code == 0) || c.code == 2 && !strings.Contains(errs, "held by a run that this one is part of") {
					t.Errorf("%s, %s: exit %d, %q\n%s", name, depth, code, out, errs)
				}
			}
		}
	})
}

// user is the start of a command that makes what follows a user's.
func (s store) user(t *testing.T, name string) []string {
	t.Helper()
	if os.Geteuid() != 0 || name == "root" {
		return []string{"env", "USER=" + name}
	}
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		t.Fatal(err)
	}
	must(t, os.Chown(s.home, uid, -1))
	return []string{"setpriv", "--reuid", u.Uid, "--clear-groups", "env", "USER=" + name}
}

// TestTwoUsersOnTwoHosts use one PostgreSQL: they keep out of each other's way, and
// say who and where they are.
func TestTwoUsersOnTwoHosts(t *testing.T) {
	server := dbtest.New(t)
	proxy, url := server.Cut(t) // whose socket every user can reach
	must(t, os.Chmod(proxy.Dir, 0o755))
	must(t, os.Chmod(filepath.Join(proxy.Dir, ".s.PGSQL.5432"), 0o777))
	must(t, os.Chmod(bin, 0o755))
	type side struct {
		store
		host, user string
	}
	one, two := side{onServer(t, url), "one", "root"}, side{onServer(t, url), "two", "nobody"}
	call := func(x side, args ...string) *exec.Cmd {
		cmd := exec.Command("unshare", "--uts")
		if os.Geteuid() != 0 {
			cmd.Args = append(cmd.Args, "--map-root-user")
		}
		cmd.Args = append(append(append(cmd.Args, "sh", "-c", `hostname "$0"; exec "$@"`, x.host), x.store.user(t, x.user)...), filepath.Join(bin, "outrider"))
		cmd.Args = append(cmd.Args, args...)
		cmd.Env, cmd.Dir = append(x.world.env(), x.env...), "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{}
		return cmd
	}
	shared, err := os.MkdirTemp("", "shared")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(shared) })
	must(t, os.Chmod(shared, 0o777)) //nolint:gosec // both users tell there
	file := filepath.Join(shared, "told")
	must(t, os.WriteFile(file, nil, 0o666))
	must(t, os.Chmod(file, 0o666))

	mark := one.fifo(t, "mark")
	holder := call(one, "run", "--lock", "a", "--label", "who=holder", "probe.body", "--file", file, "--until", "--mark", mark)
	var errs bytes.Buffer
	holder.Stderr = &errs
	must(t, holder.Start())
	pidFrom(t, mark)
	code, _, said := ended(t, call(two, "run", "--lock", "a", "--on-busy", "fail", "probe.body", "--file", file))
	if want := "process " + strconv.Itoa(holder.Process.Pid) + " on one"; code != 75 || !strings.Contains(said, want) {
		t.Errorf("exit %d, want 75 and %q\n%s", code, want, said)
	}
	const waiters = 4
	ends := make(chan struct{}, 2*waiters)
	for range waiters {
		for _, x := range []side{one, two} {
			go func() {
				if code, _, errs := ended(t, call(x, "run", "--lock", "a", "--label", "who=waiter", "probe.body", "--file", file, "--for", "10ms")); code != 0 {
					t.Errorf("exit %d\n%s", code, errs)
				}
				ends <- struct{}{}
			}()
		}
	}
	l := one.open(t)
	for n := 0; n < 2*waiters; {
		locks, err := l.Locks(t.Context())
		must(t, err)
		n = len(locks[0].Waiters)
	}
	must(t, holder.Process.Signal(syscall.SIGTERM))
	_ = holder.Wait() // it was stopped
	for range 2 * waiters {
		<-ends
	}
	events := told(t, file)
	if count(events, "overlap") > 0 || count(events, "begin") != 2*waiters+1 {
		t.Errorf("%+v", events)
	}
	where := map[string]int{}
	for _, r := range labelled(t, l, "who", "waiter") {
		where[r.User+"@"+r.Host]++
	}
	if where["root@one"] != waiters || where["nobody@two"] != waiters || len(where) != 2 {
		t.Errorf("recorded: %v", where)
	}
	_, first, _ := ended(t, call(one, "run", "--once-key", "k", "probe.body", "--file", file))
	code, second, said := ended(t, call(two, "run", "--once-key", "k", "probe.body", "--file", file))
	if code != 0 || first == "" || second != first || !strings.Contains(said, "not run") {
		t.Errorf("exit %d, outputs %q, want %q\n%s", code, second, first, said)
	}
	t.Logf("%d bodies of two users on two hosts, 0 overlaps: %v", 2*waiters+1, where)
}
