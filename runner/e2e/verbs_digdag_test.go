package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/dig/digdagtest"
)

// verb runs a verb of the host on a Digdag.
func (d digdag) verb(code int, args ...string) (stdout, stderr string) {
	d.t.Helper()
	cmd := d.world.cmd(args...)
	cmd.Env = append(cmd.Env, "OUTRIDER_DIGDAG_ENDPOINT="+d.URL)
	got, stdout, stderr := ended(d.t, cmd)
	if got != code {
		d.t.Fatalf("%q: exit %d, want %d\n%s\n%s", args, got, code, stdout, stderr)
	}
	return stdout, stderr
}

func (d digdag) says(text string, patterns ...string) {
	d.t.Helper()
	for _, p := range patterns {
		if !regexp.MustCompile(`(?m)` + p).MatchString(text) {
			d.t.Errorf("no %q in\n%s", p, text)
		}
	}
}

// follow begins to follow the log of an attempt, and later reads it to its end.
func (d digdag) follow(address string) (rest func() string) {
	d.t.Helper()
	cmd := d.world.cmd("logs", address, "--follow")
	cmd.Env = append(cmd.Env, "OUTRIDER_DIGDAG_ENDPOINT="+d.URL)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = cmd.Process.Kill() }) // it may have ended
	return func() string {
		d.t.Helper()
		if err := cmd.Wait(); err != nil {
			d.t.Errorf("logs --follow: %v\n%s", err, errs.String())
		}
		return out.String()
	}
}

const verbsDig = `timezone: UTC
+load:
  sh>: outrider exec --once -- sh -c 'echo "loads $n"; echo loaded >>"$dir/loads"'
+sum:
  sh>: echo "sums up"; test -e "$dir/fixed"
`

// TestDigdagVerbs: a failed workflow is started, looked at, retried and killed by its
// name alone.
func TestDigdagVerbs(t *testing.T) {
	d := onDigdag(t)
	project := d.Push(digdagtest.Files{"daily.dig": verbsDig, "long.dig": "+long:\n  sh>: echo \"first line\"; touch \"$dir/runs\"; until [ -e \"$dir/release\" ]; do sleep 0.05; done\n"})
	at := "digdag:" + project + "/daily"
	dir, _ := json.Marshal(map[string]any{"dir": d.dir, "n": 7})

	_, errs := d.verb(1, "start", at, "--params", string(dir), "--wait")
	d.says(errs, `^outrider: start `+regexp.QuoteMeta(at)+`: failed \(attempt_failed\): `)
	out, _ := d.verb(0, "status", at)
	d.says(out, `^state +failed$`, `^  \+load +success `, `^  \+sum +failed \(error\) .*exit|code 1`)
	out, _ = d.verb(0, "status", "--format", "timeline", at)
	d.says(out, `^  \+load +\|.*█.*\|  success`, `in all$`)
	out, _ = d.verb(0, "logs", at+"+load")
	d.says(out, `^==> \+daily\+load <==$`, `^loads 7$`)

	// The retry runs what failed; with --mode all and --forget what was done once, too.
	out, _ = d.verb(0, "retry", at, "--dry-run")
	d.says(out, `\+daily\+sum`)
	pattern := at[:len(at)-len("-12345678/daily")] + "*" // of the project's name
	out, _ = d.verb(0, "retry", pattern, "--state", "failed", "--since", "1h", "--at-most", "4", "--dry-run")
	d.says(out, `^retried +1$`, regexp.QuoteMeta(project)+`.*\+daily\+sum`)
	if err := os.WriteFile(filepath.Join(d.dir, "fixed"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d.verb(0, "retry", at)
	d.verb(0, "wait", at)
	d.verb(0, "retry", at, "--mode", "all")
	d.verb(0, "wait", at)
	if got := strings.Count(d.read("loads"), "loaded"); got != 1 {
		t.Errorf("loaded %d times before --forget, want 1", got)
	}
	_, errs = d.verb(0, "retry", "--forget", at, "--mode", "all")
	d.says(errs, `the success under "digdag/.*daily.*load/exec" is forgotten`)
	d.verb(0, "wait", at)
	if got := strings.Count(d.read("loads"), "loaded"); got != 2 {
		t.Errorf("loaded %d times after --forget, want 2", got)
	}

	// A kill asks first, and tells what runs on.
	long := "digdag:" + project + "/long"
	d.verb(0, "start", long, "--params", string(dir))
	d.await("runs")
	follow := d.follow(long)
	d.verb(2, "kill", long)
	out, _ = d.verb(0, "kill", long, "--yes")
	d.says(out, `\+long\+long`)
	d.release()
	d.says(follow(), `^==> \+long\+long <==$`, `^first line$`)
	_, errs = d.verb(1, "wait", long)
	d.says(errs, `attempt_killed`)

	_, errs = d.verb(3, "status", "digdag:"+project+"/dialy")
	d.says(errs, `near: daily|did you mean.*daily`)
}
