package e2e

import (
	"regexp"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/dig/digdagtest"
)

// TestDigdagShellIsTheSame runs tasks by Digdag's own shell and by outrider sh:
// outputs, exit codes, folder, environment, stdin and all else that a process can
// see of itself must be the same.
func TestDigdagShellIsTheSame(t *testing.T) {
	d := onDigdag(t)
	r := d.run("same", nil)
	for name, has := range map[string]string{
		"looks": "stdin ended with 124\n", "order": "out 299\nerr 299\nxxx", "ends": "", "killed": "",
		"missing": "not found", "syntax": "Syntax error", "bash": "/bin/bash ehuB\n", "daemon": "started\n",
	} {
		plain, ours := r.Task("+same+plain+"+name), r.Task("+same+ours+"+name)
		if plain.State != ours.State || plain.Error.Message != ours.Error.Message {
			t.Errorf("%s is %s (%s), by the shell alone %s (%s)", name, ours.State, ours.Error.Message, plain.State, plain.Error.Message)
		}
		want, got := look(r, plain), look(r, ours)
		if got != want {
			t.Errorf("%s: %s", name, firstDifference(got, want))
		}
		if !strings.Contains(want, has) {
			t.Errorf("%s shows nothing: no %q in\n%s", name, has, want)
		}
	}
	if x := r.Task("+same+ours+killed"); x.Error.Message != "Command failed with code 137 (runtime)" {
		t.Errorf("killed: %s", x.Error.Message)
	}
	d.await("daemon") // what is left in the background lives on
}

var (
	ids   = regexp.MustCompile(`digdag-sh-\d+-\d+|\d+_same_\d+_\d+_\d+`)
	extra = regexp.MustCompile(`(?m)^(OUTRIDER_(TMPDIR|RUN)|shell|sh)=.*\n`)
)

// look is what a task printed but for the names of task and workspace, what
// outrider adds to the environment, and what the .dig file says of the shell.
func look(r digdagtest.Result, x digdagtest.Task) string {
	text := r.Output(x.FullName)
	text = strings.ReplaceAll(text, x.FullName, "TASK")
	return extra.ReplaceAllString(ids.ReplaceAllString(text, "ID"), "")
}

func firstDifference(got, want string) string {
	g, w := strings.SplitAfter(got, "\n"), strings.SplitAfter(want, "\n")
	for i := range g {
		if i >= len(w) {
			return "more lines: " + g[i]
		}
		if g[i] != w[i] {
			return "got " + g[i] + " by the shell alone " + w[i]
		}
	}
	return "fewer lines: " + w[len(g)]
}

// TestDigdagWaitsForAHolder: the task lasts as long as somebody holds its output,
// and who that is is said after two seconds.
func TestDigdagWaitsForAHolder(t *testing.T) {
	d := onDigdag(t)
	a := d.start("holder", nil)
	said := func() bool { return strings.Contains(d.read("a.err"), "still held open by sh (process ") }
	d.await("a.err")
	d.until(said)
	if x := d.Until(a.ID, "+holder+a", "running"); x.State != "running" {
		t.Errorf("the task is %s", x.State)
	}
	d.release()
	r := d.Wait(a.ID)
	if got := r.Output("+holder+a"); !r.Success || got != "started\nlate\n" {
		t.Errorf("%v, printed %q", r.States(), got)
	}
	if got := r.Output("+holder+b"); !strings.Contains(got, "\noutrider: the command has ended, but its output is still held open by sleep (process ") {
		t.Errorf("the log names no holder:\n%s", got)
	}
}
