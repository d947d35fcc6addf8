package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/dig/digdagtest"
)

// readmeBlock is the one block of this language in the README's part on claims.
func readmeBlock(language string) (string, error) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		return "", err
	}
	_, part, _ := strings.Cut(string(text), "\n## Once, one at a time, not too many\n")
	_, block, _ := strings.Cut(part, "\n```"+language+"\n")
	block, _, ok := strings.Cut(block, "\n```\n")
	if !ok || block == "" {
		return "", fmt.Errorf("the README's part on claims has no block of %s", language)
	}
	return block + "\n", nil
}

// TestHelpShowsClaims: the lines of the README, which the tests below run, are those of
// --help.
func TestHelpShowsClaims(t *testing.T) {
	w := newWorld(t)
	for _, verb := range []string{"run", "exec", "sh"} {
		_, help, _ := ended(t, w.cmd(verb, "--help"))
		for _, language := range []string{"yaml", "python", "crontab"} {
			block, err := readmeBlock(language)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSpace(block), "\n")
			if line := strings.TrimSpace(lines[len(lines)-1]); !strings.Contains(help, line+"\n") {
				t.Errorf("%s --help lacks the %s line %s:\n%s", verb, language, line, help)
			}
		}
	}
}

// TestReadmeClaimsInDigdag runs the README's task twice in one session.
func TestReadmeClaimsInDigdag(t *testing.T) {
	d := onDigdag(t)
	dig, err := readmeBlock("yaml")
	if err != nil {
		t.Fatal(err)
	}
	project := d.Push(digdagtest.Files{"orders.dig": dig})
	a := d.Start(project, "orders")
	r := d.Wait(a.ID)
	if out := r.Output("+orders+load"); !r.Success || !strings.HasSuffix(out, "{\"message\":\"Hello, orders!\"}\n") || strings.Contains(out, "not run") {
		t.Fatalf("%v, printed\n%s", r.States(), out)
	}
	again, err := d.StartAttempt(d.Context(), digdagtest.StartRequest{WorkflowID: a.Workflow.ID, SessionTime: a.SessionTime, Params: map[string]any{}, RetryAttemptName: "again"})
	if err != nil {
		t.Fatal(err)
	}
	r = d.Wait(again.ID)
	if out := r.Output("+orders+load"); !r.Success || !strings.Contains(out, "not run: succeeded") || !strings.HasSuffix(out, "{\"message\":\"Hello, orders!\"}\n") {
		t.Errorf("%v, printed\n%s", r.States(), out)
	}
}

// TestReadmeClaimsInAirflow runs the README's DAG, and then clears its run.
func TestReadmeClaimsInAirflow(t *testing.T) {
	onAirflow(t, func(t *testing.T, a airflow) {
		if code, _, errs := ended(t, a.world.cmd("pools", "set", "warehouse", "4")); code != 0 {
			t.Fatal(errs)
		}
		r := a.triggerConf(t, "orders", nil)
		if got := task(t, r, "load"); got.State != "success" {
			t.Fatalf("%+v\n%s", got, logText(t, r, "load", 1))
		}
		if err := r.Clear(deadline(t)); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Wait(deadline(t)); err != nil {
			t.Fatal(err)
		}
		got := task(t, r, "load")
		if text := logText(t, r, "load", got.Try); got.State != "success" || got.Try != 2 || !strings.Contains(text, "not run: succeeded") {
			t.Errorf("%+v\n%s", got, text)
		}
		if out := outputs(t, r, "load"); out["message"] != "Hello, orders!" {
			t.Errorf("XCom is %v", out)
		}
	})
}

// TestReadmeClaimsInACrontab runs the README's line as cron does, twice.
func TestReadmeClaimsInACrontab(t *testing.T) {
	w := newWorld(t)
	line, err := readmeBlock("crontab")
	if err != nil {
		t.Fatal(err)
	}
	line = strings.TrimSpace(line)
	fields := strings.SplitN(line, " ", 6)
	if strings.Contains(line, "%") || len(fields) < 6 || fields[0] != "*/30" {
		t.Fatalf("cron reads %q in another way", line)
	}
	script := filepath.Join(w.home, "crawl.sh")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho crawled >>crawls\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	said := ""
	for range 3 { // at the end of a slot the second is another's first
		cmd := w.cmd()
		cmd.Path, cmd.Args, cmd.Dir = "/bin/sh", []string{"sh", "-c", fields[5]}, w.home
		cmd.Env = append(cmd.Env, "PATH="+bin+":/usr/bin:/bin")
		code, _, errs := ended(t, cmd)
		if code != 0 {
			t.Fatalf("exit %d\n%s", code, errs)
		}
		if said = errs; strings.Contains(said, "not run: succeeded") {
			break
		}
	}
	if !strings.Contains(said, "not run: succeeded") {
		t.Errorf("the line ran again and again: %s", said)
	}
	code, out, errs := ended(t, w.cmd("runs", "list", "--format", "json"))
	if code != 0 || !strings.Contains(out, `"next_due"`) {
		t.Errorf("%s%s", out, errs)
	}
}

// TestOneKeyFromDigdagAndAirflow: a job that moves from one to the other, and for a
// while is in both, is done once.
func TestOneKeyFromDigdagAndAirflow(t *testing.T) {
	w := newWorld(t)
	bodies := filepath.Join(w.home, "bodies")
	command := "OUTRIDER_STATE=" + w.state() + " outrider exec --once-key moved -- sh -c 'echo ran >>" + bodies + "'"
	d := onDigdag(t)
	r := d.Run("+job:\n  sh>: " + command + "\n")
	if !r.Success {
		t.Fatalf("%v", r.States())
	}
	onAirflow(t, func(t *testing.T, a airflow) {
		r := a.trigger(t, "once", command)
		got := task(t, r, "run")
		if text := logText(t, r, "run", 1); got.State != "success" || !strings.Contains(text, "not run: succeeded") {
			t.Errorf("%+v\n%s", got, text)
		}
	})
	if text, err := os.ReadFile(bodies); err != nil || string(text) != "ran\n" {
		t.Errorf("the bodies are %q, %v", text, err)
	}
}
