package invoke_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/outrider-run/outrider/runner/internal/catalog"
	"github.com/outrider-run/outrider/runner/internal/config"
	"github.com/outrider-run/outrider/runner/internal/invoke"
	"github.com/outrider-run/outrider/runner/internal/run"
	"github.com/outrider-run/outrider/runner/internal/state"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// plugins is the folder with the built test plugin.
var plugins string

func TestMain(m *testing.M) {
	code, err := withPlugins(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func withPlugins(m *testing.M) (code int, err error) {
	if plugins, err = os.MkdirTemp("", "plugins"); err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(plugins) }()
	build := exec.Command("go", "build", "-tags", "urfave_cli_no_docs,grpcnotrace",
		"-o", filepath.Join(plugins, "outrider-plugin-probe"), "github.com/outrider-run/outrider/runner/e2e/probe")
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("build the probe: %w\n%s", err, out)
	}
	return m.Run(), nil
}

// host is a Caller with a state folder of its own.
type host struct {
	*invoke.Caller
	t     *testing.T
	state state.Dir
	root  string
}

func newHost(t *testing.T, options catalog.Options, env ...string) host {
	t.Helper()
	h := host{t: t, root: t.TempDir()}
	var err error
	if h.state, err = state.Open(func(name string) string { return map[string]string{"OUTRIDER_STATE": h.root}[name] }); err != nil {
		t.Fatal(err)
	}
	options.Dirs = []catalog.Dir{{Path: plugins, Origin: "the test"}}
	h.Caller = invoke.New(catalog.Open(options), config.Config{}, h.state, append(os.Environ(), env...), func(_ hclog.Level, format string, args ...any) { t.Logf(format, args...) })
	return h
}

// empty checks that nothing of a call is left: no folder, no lock, no record.
func (h host) empty() {
	h.t.Helper()
	err := filepath.WalkDir(h.root, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			h.t.Errorf("%s is left", path)
		}
		return err
	})
	if err != nil {
		h.t.Error(err)
	}
	if dead, err := os.ReadDir(filepath.Join(h.state.Runs(), "tmp")); err == nil && len(dead) > 0 {
		h.t.Errorf("%v are left", dead)
	}
}

func TestRun(t *testing.T) {
	defer goleak.VerifyNone(t)
	h := newHost(t, catalog.Options{})
	o := h.Run(t.Context(), "probe.say", json.RawMessage(`{"output": {"n": 1}}`))
	if o.State != run.Success || string(o.Output) != `{"n":1}` {
		t.Errorf("%+v", o)
	}
	for kind, want := range map[string]run.Outcome{
		"fail":      {State: run.Failed, Message: "because"},
		"permanent": {State: run.Failed, Permanent: true, Message: "because"},
		"code":      {State: run.Failed, Code: "stable_code", Message: "because"},
		"skip":      {State: run.Skipped, Message: "because"},
		"panic":     {State: run.Failed, Code: "panic", Message: "because"},
		"segv":      {State: run.Crashed, Code: "crashed", Broken: true},
	} {
		o := h.Run(t.Context(), "probe.end", json.RawMessage(`{"kind": "`+kind+`"}`))
		if o.State != want.State || o.Code != want.Code || o.Permanent != want.Permanent || o.Broken != want.Broken || !strings.Contains(o.Message, want.Message) {
			t.Errorf("%s: %+v", kind, o)
		}
	}
	h.empty()
}

// TestEnds: with them a call leaves its plugin and its folder to whoever waits for them.
func TestEnds(t *testing.T) {
	defer goleak.VerifyNone(t)
	h := newHost(t, catalog.Options{})
	var ends sync.WaitGroup
	h.Ends = &ends
	for range 3 {
		if o := h.Run(t.Context(), "probe.say", json.RawMessage(`{"output": {"n": 1}}`)); o.State != run.Success {
			t.Errorf("%+v", o)
		}
	}
	if o := h.Run(t.Context(), "probe.end", json.RawMessage(`{"kind": "segv"}`)); o.State != run.Crashed {
		t.Errorf("%+v", o)
	}
	ends.Wait()
	h.empty()
}

// TestRefused: what does not come to a plugin says why, and that asking again does not
// help.
func TestRefused(t *testing.T) {
	h := newHost(t, catalog.Options{})
	for _, c := range []struct{ component, params, code, says string }{
		{"probe.nope", "{}", invoke.CodeNoComponent, "probe.nope"},
		{"probe.end", `{"kind": "maybe"}`, invoke.CodeBadParams, "maybe"},
		{"probe.end", `{"knd": "ok"}`, invoke.CodeBadParams, "knd"},
		{"probe.end", `{`, invoke.CodeBadParams, "probe.end: "},
		{"probe.echo", `{"token": "env:NOT_THERE_AT_ALL"}`, invoke.CodeBadParams, "NOT_THERE_AT_ALL"},
	} {
		o := h.Run(t.Context(), c.component, json.RawMessage(c.params))
		if o.State != run.Failed || o.Code != c.code || !o.Misused || !o.Permanent || !strings.Contains(o.Message, c.says) {
			t.Errorf("%s %s: %+v", c.component, c.params, o)
		}
	}
	h.empty()
}

// TestLocked: a plugin that is not as the lock file has it is not started.
func TestLocked(t *testing.T) {
	other := &catalog.LockFile{Format: 1, Files: []catalog.LockedFile{{
		Path: filepath.Join(plugins, "outrider-plugin-probe"), SHA256: strings.Repeat("0", 64), Components: []string{"probe.say"},
	}}}
	o := newHost(t, catalog.Options{Lock: other}).Run(t.Context(), "probe.say", json.RawMessage(`{"output": {}}`))
	if o.State != run.Failed || o.Code != invoke.CodeLocked || !o.Broken || !strings.Contains(o.Message, "outrider-plugin-probe") {
		t.Errorf("%+v", o)
	}
}

// TestSecrets: what a reference leads to reaches the component, and comes back in
// nothing that it says, in no form.
func TestSecrets(t *testing.T) {
	const secret = `s3cr3t "and" more/ä`
	h := newHost(t, catalog.Options{}, "PROBE_TOKEN=first", "PROBE_TOKEN="+secret)
	var mu sync.Mutex
	var said []string
	heard := invoke.Heard{Log: func(l *taskv1.LogLine) {
		mu.Lock()
		defer mu.Unlock()
		said = append(said, l.GetMessage(), string(l.GetFields()))
	}}
	for _, well := range []bool{true, false} {
		o := h.Hear(t.Context(), "probe.echo", json.RawMessage(fmt.Sprintf(`{"token": "env:PROBE_TOKEN", "well": %v}`, well)), heard)
		if (o.State == run.Success) != well {
			t.Fatalf("%+v", o)
		}
		said = append(said, o.Message, string(o.Output))
	}
	all := strings.Join(said, "\n")
	for _, form := range []string{"s3cr3t", "czNjcjN0", "more"} {
		if strings.Contains(all, form) {
			t.Errorf("%q is in what was said:\n%s", form, all)
		}
	}
	if n := strings.Count(all, "***"); n < 20 || !slices.Contains(said, "raw ***") {
		t.Errorf("%d masks in\n%s", n, all)
	}
	h.empty()
}

// TestRaw: the output is as the component gave it, the rest is masked, and so is the
// output by what comes with it.
func TestRaw(t *testing.T) {
	h := newHost(t, catalog.Options{}, "PROBE_TOKEN=airflow")
	o, secrets := h.Raw(t.Context(), "probe.echo", json.RawMessage(`{"token": "env:PROBE_TOKEN", "well": true}`), invoke.Heard{})
	if o.State != run.Success || !strings.Contains(string(o.Output), "airflow") || strings.Contains(string(secrets.JSON(o.Output)), "airflow") {
		t.Errorf("%+v", o)
	}
	o, _ = h.Raw(t.Context(), "probe.echo", json.RawMessage(`{"token": "env:PROBE_TOKEN", "well": false}`), invoke.Heard{})
	if o.State == run.Success || strings.Contains(o.Message, "airflow") || !strings.Contains(o.Message, "***") {
		t.Errorf("%+v", o)
	}
	if o, secrets := h.Raw(t.Context(), "probe.nope", nil, invoke.Heard{}); o.Code != invoke.CodeNoComponent || secrets.String("airflow") != "airflow" {
		t.Errorf("%+v", o)
	}
}

func TestProgressIsHeard(t *testing.T) {
	var got []string
	o := newHost(t, catalog.Options{}).Hear(t.Context(), "probe.steps", json.RawMessage(`{"steps": 2}`), invoke.Heard{
		Progress: func(done, total float64, note string) {
			got = append(got, fmt.Sprintf("%v of %v %s", done, total, note))
		},
	})
	if o.State != run.Success || !slices.Equal(got, []string{"1 of 2 step 1", "2 of 2 step 2"}) {
		t.Errorf("%+v, %q", o, got)
	}
}

// TestGivenUp: a component that is told to stop and does not is ended all the same.
func TestGivenUp(t *testing.T) {
	defer goleak.VerifyNone(t)
	h := newHost(t, catalog.Options{})
	for _, obey := range []bool{true, false} {
		ctx, cancel := context.WithCancelCause(t.Context())
		mark := filepath.Join(t.TempDir(), "mark")
		if err := unix.Mkfifo(mark, 0o600); err != nil {
			t.Fatal(err)
		}
		ended := make(chan run.Outcome, 1)
		go func() {
			ended <- h.Run(ctx, "probe.stay", json.RawMessage(fmt.Sprintf(`{"obey": %v, "mark": %q}`, obey, mark)))
		}()
		if _, err := os.ReadFile(mark); err != nil { // it runs
			t.Fatal(err)
		}
		cancel(&run.Cause{State: run.TimedOut, Code: run.CodeTimeout, Reason: "no answer within 1m0s"})
		if o := <-ended; o.State != run.TimedOut || o.Code != run.CodeTimeout || !strings.Contains(o.Message, "no answer within 1m0s") {
			t.Errorf("obey %v: %+v", obey, o)
		}
		h.empty()
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("over"))
	if o := h.Run(ctx, "probe.say", json.RawMessage(`{"output": {}}`)); o.State != run.Cancelled {
		t.Errorf("begun after the end: %+v", o)
	}
}

func TestManyAtOnce(t *testing.T) {
	h := newHost(t, catalog.Options{})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			want := fmt.Sprintf(`{"n":%d}`, i)
			if o := h.Run(t.Context(), "probe.say", json.RawMessage(`{"output": `+want+`}`)); string(o.Output) != want {
				t.Errorf("%d: %+v", i, o)
			}
		})
	}
	wg.Wait()
	h.empty()
}
