package e2e

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// found is what a pass of the checker printed, as far as tests look at it.
type found struct {
	Sources []struct {
		Name, Engine, Failure string
		Workflows, Open       int
	}
	Alerts []struct {
		Rule, Severity, Where, What string
	}
	Exit int
}

func (f found) has(rule, where string) bool {
	return slices.ContainsFunc(f.Alerts, func(a struct{ Rule, Severity, Where, What string }) bool {
		return a.Rule == rule && strings.HasPrefix(a.Where, where)
	})
}

// check makes one pass of the built checker over the server, without a config.
func (d digdag) check(flags ...string) (f found, code int, said string) {
	d.t.Helper()
	cmd := exec.Command(filepath.Join(bin, "outrider-checker"), append([]string{"check", "--digdag", d.URL, "--format", "json"}, flags...)...)
	cmd.Env = append(d.world.env(), "OUTRIDER_STATE="+filepath.Join(d.dir, "checker"))
	code, stdout, stderr := ended(d.t, cmd)
	if err := json.Unmarshal([]byte(stdout), &f); err != nil {
		d.t.Fatalf("exit %d: %v\n%s%s", code, err, stdout, stderr)
	}
	return f, code, stderr
}

// TestDigdagChecker finds a run that hangs, tells it once with the task that holds it and
// what helps, tells its end, and never minds the run that the checker itself runs in.
func TestDigdagChecker(t *testing.T) {
	d := onOwnDigdag(t)
	f, code, said := d.check()
	if code != 0 || len(f.Sources) != 1 || f.Sources[0].Engine != "digdag" || f.Sources[0].Failure != "" || !strings.Contains(said, "digdag: is watched from now on") {
		t.Fatalf("exit %d: %+v\n%s", code, f, said)
	}
	hung := d.start("observed", nil)
	d.await("begun")
	d.Until(hung.ID, "+observed+hold", "running")
	where := "digdag:outrider/observed@" + hung.ID
	for code == 0 && d.Context().Err() == nil {
		f, code, said = d.check("--threshold", "1s")
	}
	if code != 1 || !f.has("running", where) {
		t.Fatalf("exit %d: %+v\n%s", code, f, said)
	}
	for _, want := range []string{"WARNING: " + where + ": running for ", "set to 1s", "+observed+hold (sh>, running)", "outrider kill --yes " + where} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in\n%s", want, said)
		}
	}
	if f, code, said = d.check("--threshold", "1s"); code != 1 || strings.Contains(said, "WARNING") {
		t.Errorf("told again: exit %d: %+v\n%s", code, f, said)
	}

	own := d.start("checks", map[string]any{"endpoint": d.URL})
	d.Until(own.ID, "+checks+before", "running")
	d.write("check", "")
	if r := d.Wait(own.ID); !r.Success {
		t.Fatalf("%+v\n%s", r, d.read("said"))
	}
	var inside found
	if err := json.Unmarshal([]byte(d.read("found")), &inside); err != nil {
		t.Fatal(err)
	}
	if !inside.has("running", where) || inside.has("running", "digdag:outrider/checks@") {
		t.Errorf("in a task: %+v\n%s", inside, d.read("said"))
	}

	d.release()
	d.Wait(hung.ID)
	f, code, said = d.check("--threshold", "1s")
	if code != 1 || !f.has("failed", where) || f.has("running", where) || !strings.Contains(said, "resolved after ") || !strings.Contains(said, "no such table") {
		t.Errorf("exit %d: %+v\n%s", code, f, said)
	}
}
