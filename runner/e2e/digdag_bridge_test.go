package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/run"
)

// TestDigdagBridge: py> and rb> run components, whose outputs later tasks have, and
// whose subtasks run.
func TestDigdagBridge(t *testing.T) {
	d := onDigdag(t)
	a := d.start("bridge", map[string]any{"who": "you", "n": 5, "tags": []string{"a", "b,c"}})
	r := d.Wait(a.ID)
	if !r.Success {
		for _, x := range r.Tasks {
			if x.State == "error" {
				t.Errorf("%s: %s\n%s", x.FullName, x.Error.Message, r.Output(x.FullName))
			}
		}
		t.Fatalf("%v", r.States())
	}
	day := a.SessionTime.Format("2006-01-02")
	for name, want := range map[string]string{
		"greet": `{"message":"Hello, you!"}`,
		"typed": `{"flag":true,"map":{"k":"` + day + `"},"number":5,"tags":["a","b,c"],"text":"Hello, you!"}`,
		"ruby":  `{"message":"Tag, 5!"}`,
		"skip":  `{}`,
		"tasks": `{"day":"one"}`,
		"list":  `{}`,
	} {
		if got, _ := json.Marshal(r.Task("+bridge+" + name).StoreParams); string(got) != want {
			t.Errorf("%s stored %s, want %s", name, got, want)
		}
	}
	got, _ := json.Marshal(r.Task("+bridge+caller").StoreParams)
	want := `{"attempt":1,"engine":"digdag","link":"","logical_time":"` + a.SessionTime.Format(time.RFC3339) + `","project":"` + a.Project.ID +
		`","task":"+bridge+caller","workflow":"bridge"}`
	if string(got) != want {
		t.Errorf("the caller is %s, want %s", got, want)
	}
	for name, want := range map[string]string{"again": `Hello, you!|5|["a","b,c"]`, "say": "Tag, 5!\n"} {
		if got := r.Output("+bridge+" + name); strings.TrimSpace(got) != strings.TrimSpace(want) {
			t.Errorf("%s printed %q, want %q", name, got, want)
		}
	}
	if got := r.Task("+bridge+tasks^sub+a").StoreParams["message"]; got != "Hello, sub!" {
		t.Errorf("a subtask stored %v", got)
	}
	if got := d.read("b") + " " + d.read("list"); got != "one 12" {
		t.Errorf("subtasks wrote %q", got)
	}
}

// TestDigdagBridgeFailures: what went wrong stands in Digdag's own error, in its form.
func TestDigdagBridgeFailures(t *testing.T) {
	r := onDigdag(t).run("bridgefails", nil)
	for name, want := range map[string]string{
		"fail":      `code 1.*: no such "table"\nin 漢 \(failed\)\n\tfrom run [0-9A-Z]+, see: outrider runs show [0-9A-Z]+ \(runtime\)$`,
		"permanent": `code 3.*: because \(permanent\)\n\tfrom run `,
		"code":      `code 1.*: because \(stable_code\)\n\tfrom run `,
		"panic":     `code 1.*: .*because.* \(panic\)\n\tfrom (?s:.*)\n\tfrom run `,
		"crash":     `code 5.*: (?s:.*) \(crashed\)\n\tfrom run `,
		"timeout":   `code 124.*: ran into its timeout of 1s.* \(timeout\)\n\tfrom run `,
		"unknown":   `code 2.*: .*hello.gret.*hello.greet.* \(usage\)`,
		"module":    `code 2.*: .*tasks.load.*but here stands tasks.py: if py> is to call that, set python: on this task only, e.g. python: python3 \(usage\)`,
		"ruby":      `code 2.*: .*Tasks.load.*but here stands tasks.rb: if rb> is to call that, set ruby: on this task only, e.g. ruby: ruby \(usage\)`,
		"params":    `code 2.*: hello.greet: bad parameters: (?s:.*)nmae(?s:.*) \(usage\)`,
		"beside":    `code 2.*: hello.greet: bad parameters: (?s:.*)name(?s:.*); parameters stand under with: \(usage\)`,
		"nothing":   `code 2.*: .*with: holds .*, want an object(?s:.*) \(usage\)`,
		"flag":      `code 2.*: there is no flag --onse.* \(usage\)`,
		"subtasks":  `code 5.*: output subtasks: "load" is no name of a task; .* \(bad_output\)`,
		"none":      `code 2.*: no interpreter python>=98.7 on this machine; found: .*python3.* [0-9.]+.* \(usage\)`,
	} {
		language := "Python"
		if name == "ruby" || name == "code" || name == "flag" {
			language = "Ruby"
		}
		x := r.Task("+bridgefails+" + name)
		message := strings.ReplaceAll(x.Error.Message, "\nError messages from python", "") // of py> alone
		if x.State != "error" || !regexp.MustCompile("^"+language+" command failed with "+want).MatchString(message) {
			t.Errorf("%s is %s: %q\nwant %s", name, x.State, x.Error.Message, want)
		}
	}
}

// TestDigdagBridgeValues sends text that templates, JSON and shells each read in their
// own way, and more than an environment or a command line holds.
func TestDigdagBridgeValues(t *testing.T) {
	const odd = "it's \"quoted\" `id` $(id) $HOME \\n {{ x }} %s\n\tsecond line; ünïcödé 漢字 🎉 & <tag> | * ?"
	for name, text := range map[string]string{"odd": odd, "300 KB": strings.Repeat(odd, 300_000/len(odd)+1)} {
		r := onDigdag(t).run("bridgevalue", map[string]any{"value": text})
		for _, task := range []string{"in", "out"} {
			x := r.Task("+bridgevalue+" + task)
			tags, _ := json.Marshal(x.StoreParams["tags"])
			want, _ := json.Marshal([]string{text, "a,b"})
			if x.StoreParams["text"] != text || string(tags) != string(want) {
				t.Errorf("%s: %s is %s: %.300s\n%.300v", name, task, x.State, x.Error.Message, x.StoreParams)
			}
		}
	}
}

// TestDigdagBridgeText: what looks like a template in an output is text, and breaks no
// later task.
func TestDigdagBridgeText(t *testing.T) {
	d := onDigdag(t)
	r := d.done(d.start("bridgetext", nil))
	const want = "cost ${nope.a} of 5"
	for _, file := range []string{"sh", "template"} {
		if got := d.read(file); got != want {
			t.Errorf("%s had %q, want %q", file, got, want)
		}
	}
	if got := strings.TrimSpace(r.Output("+bridgetext+echo")); got != want {
		t.Errorf("echo> printed %q, want %q", got, want)
	}
	if out := r.Task("+bridgetext+out").StoreParams; fmt.Sprint(out["tags"]) != "[${'$'}{nope.b}]" || fmt.Sprint(out["text"]) != "cost ${'$'}{nope.a} of 5" {
		t.Errorf("the next component stored %v", out)
	}
}

// TestDigdagBridgeClaims: --once, --lock and the memory of what failed for good hold
// for py> and rb> as for run.
func TestDigdagBridgeClaims(t *testing.T) {
	d := onDigdag(t)
	r := d.run("bridgeclaims", nil)
	once := told(t, filepath.Join(d.dir, "once"))
	if count(once, "begin") != 1 {
		t.Errorf("once: the bodies told %+v", once)
	} else if got := d.read("runs"); got != once[0].run+once[0].run {
		t.Errorf("once: later tasks had the runs %q, want %s twice", got, once[0].run)
	}
	locked := told(t, filepath.Join(d.dir, "locked"))
	if count(locked, "end") != 3 || count(locked, "overlap") != 0 {
		t.Errorf("locked: the bodies told %+v", locked)
	}
	l := d.store().open(t)
	if n := len(labelled(t, l, "of", r.SessionUUID)); n != 1 {
		t.Errorf("remembered: %d bodies, want 1", n)
	}
	x := r.Task("+bridgeclaims+remembered")
	if !strings.Contains(x.Error.Message, "failed with code 3") || !strings.Contains(x.Error.Message, "no such table") {
		t.Errorf("remembered: %s: %q", x.State, x.Error.Message)
	}
	if text := r.Output("+bridgeclaims+remembered"); strings.Count(text, "not run: an earlier try") != 2 {
		t.Errorf("remembered printed\n%s", text)
	}
}

// TestDigdagBridgeRedelivered: the copies that the next server makes of py> and rb>
// tasks take the outputs of the first.
func TestDigdagBridgeRedelivered(t *testing.T) {
	for name, ended := range map[string]bool{"running": false, "ended": true} {
		t.Run(name, func(t *testing.T) {
			d := onDigdagWith(t, map[string]string{
				"agent.lock-retention-time": "3", "agent.heartbeat-interval": "1", "database.queue.expireLockInterval": "1",
			})
			a := d.start("bridgetwice", nil)
			d.await("py", "rb")
			if err := d.Kill9(); err != nil {
				t.Fatal(err)
			}
			l := d.store().open(t)
			if ended {
				d.release()
				d.until(func() bool { return d.runs(l, run.Success) == 2 })
			}
			if err := d.Restart(d.Context()); err != nil {
				t.Fatal(err)
			}
			if !ended {
				d.until(func() bool { return d.runs(l, run.Waiting) == 2 })
				d.release()
			}
			r := d.Wait(a.ID)
			if !r.Success {
				t.Errorf("%v", r.States())
			}
			for _, name := range []string{"py", "rb"} {
				events := told(t, filepath.Join(d.dir, name))
				stored := r.Task("+bridgetwice+both+" + name).StoreParams["run"]
				if len(events) != 2 || stored != events[0].run {
					t.Errorf("%s: the bodies told %+v, the task stored %v", name, events, stored)
				}
			}
			if got := d.read("run"); got == "" {
				t.Error("the next task had no outputs")
			}
		})
	}
}
