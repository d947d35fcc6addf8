package action

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
	"syscall"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
)

// bin is the folder with the built programs.
var bin string

func TestMain(m *testing.M) { os.Exit(withPrograms(m)) }

func withPrograms(m *testing.M) int {
	var err error
	if bin, err = os.MkdirTemp("", "action"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(bin) }()
	for name, pkg := range map[string]string{
		"outrider": "runner/cmd/outrider", "outrider-guard": "runner/cmd/outrider-guard", "outrider-plugin-script": "plugins/script",
	} {
		cmd := exec.Command("go", "build", "-tags", "urfave_cli_no_docs,grpcnotrace", "-o", filepath.Join(bin, name), "github.com/outrider-run/outrider/"+pkg)
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build %s: %v\n%s", pkg, err, out)
			return 1
		}
	}
	return m.Run()
}

// scripts are the components of these tests: shell programs that get their params in a
// file and note what they did in $NOTES.
var scripts = map[string]string{
	"note.down": `cat "$OUTRIDER_PARAMS_FILE" >> "$NOTES"; echo >> "$NOTES"; printf '{"outrider":1,"output":{"id":"n1"}}\n' >&3`,
	"note.fail": `echo "no such unit" >&2; exit 3`,
	"note.skip": `exit 99`,
	"note.stay": `echo $$ >> "$NOTES"; exec sleep 600`,
}

// program is one whose components are the scripts, with a state of its own.
func program(t *testing.T) (p *Program, notes string) {
	t.Helper()
	dir := t.TempDir()
	notes = filepath.Join(dir, "notes")
	for name, text := range scripts {
		file := filepath.Join(dir, name)
		write(t, file+".sh", "#!/bin/sh\nNOTES='"+notes+"'\n"+text+"\n", 0o700)
		write(t, file+".component.yml", fmt.Sprintf("name: %s\ndoc: Notes.\ncommand: [./%s.sh]\nparams:\n  type: object\n  additionalProperties: true\noutput:\n  type: object\n  additionalProperties: true\nexit_codes: {3: permanent, 99: skip}\n", name, name), 0o600)
	}
	env := append(os.Environ(), "OUTRIDER_PLUGIN_PATH="+dir+":"+bin, "OUTRIDER_STATE="+filepath.Join(dir, "state"), "HOME="+dir, "OUTRIDER_FORCE=1")
	if err := os.Mkdir(filepath.Join(dir, "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	return &Program{Path: filepath.Join(bin, "outrider"), Env: env}, notes
}

func write(t *testing.T, file, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func lines(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return strings.Fields(string(text))
}

func TestTheProgramRunsOnceForAKey(t *testing.T) {
	p, notes := program(t)
	labels := map[string]string{"alert": "a,b=c {{x}}\x00"}
	for range 2 {
		run, out, err := p.Run(t.Context(), "action a k%7B%7B 1", labels, "note.down", []byte(`{"a":"b"}`))
		if err != nil || run == "" || string(out) != `{"id":"n1"}` {
			t.Fatalf("got %q, %s, %v", run, out, err)
		}
	}
	if got := lines(t, notes); !slices.Equal(got, []string{`{"a":"b"}`}) {
		t.Errorf("noted %q", got)
	}
	list := exec.Command(p.Path, "runs", "list", "--format", "json")
	list.Env = p.Env
	out, err := list.Output()
	if err != nil || !strings.Contains(string(out), `a,b=c {{x}}`) {
		t.Errorf("the ledger has %s, %v", out, err)
	}
}

func TestTheProgramFails(t *testing.T) {
	p, _ := program(t)
	for component, want := range map[string]string{
		"note.fail": "failed: ", "note.nix": `there is no component "note.nix"`,
	} {
		run, _, err := p.Run(t.Context(), "k "+component, nil, component, []byte(`{}`))
		if err == nil || !strings.Contains(err.Error(), want) || (run == "") == (component == "note.fail") {
			t.Errorf("%s: run %q, %v", component, run, err)
		}
	}
	if _, out, err := p.Run(t.Context(), "k", nil, "note.skip", []byte(`{}`)); err != nil || string(out) != "{}" {
		t.Errorf("a skip: %s, %v", out, err)
	}
	p.Config = "/no/such/file"
	if _, _, err := p.Run(t.Context(), "k2", nil, "note.down", []byte(`{}`)); err == nil || !strings.Contains(err.Error(), "/no/such/file") {
		t.Errorf("a config that is not there: %v", err)
	}
	p.Path = filepath.Join(bin, "nix")
	if _, _, err := p.Run(t.Context(), "k3", nil, "note.down", nil); err == nil {
		t.Error("a program that is not there runs")
	}
}

// TestEndingTheContextEndsTheStep with all that it started.
func TestEndingTheContextEndsTheStep(t *testing.T) {
	p, notes := program(t)
	if err := syscall.Mkfifo(notes, 0o600); err != nil { // read when the step has begun
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error)
	go func() {
		_, _, err := p.Run(ctx, "k", nil, "note.stay", []byte(`{}`))
		ended <- err
	}()
	var pid int
	if _, err := fmt.Sscan(lines(t, notes)[0], &pid); err != nil {
		t.Fatal(err)
	}
	cancel(errors.New("the checker stops"))
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "the checker stops") {
		t.Errorf("got %v", err)
	}
	list := exec.Command(p.Path, "runs", "list", "--format", "json")
	list.Env = p.Env
	if out, err := list.Output(); err != nil || !strings.Contains(string(out), `"cancelled"`) {
		t.Errorf("the ledger has %s, %v", out, err)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the step lives on: %v", err)
	}
}

// TestTwoCheckersActOnce: at the same moment, each with what it knew before.
func TestTwoCheckersActOnce(t *testing.T) {
	p, notes := program(t)
	action := restart(t, func(a *Action) {
		a.Do = []Step{step("note.down", `{"a":"{{.Alert.Part}}"}`), step("note.down", `{"b":"{{ (index .Outputs 0).id }}"}`)}
	})
	want := []string{`{"a":"scheduler"}`, `{"b":"n1"}`}
	for _, c := range []struct {
		name   string
		shared bool // they share a store, not the ledger alone
	}{{"with one store", true}, {"with one ledger", false}} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.RemoveAll(notes); err != nil {
				t.Fatal(err)
			}
			one, two := newStage(t, action), newStage(t, action)
			if c.shared {
				two.records = one.records
			} else {
				one.now, two.now = t0.Add(time.Hour), t0.Add(time.Hour) // other events than before
			}
			one.step(0, scheduler())
			two.book, two.events = one.book, one.events
			var both sync.WaitGroup
			for _, s := range []*stage{one, two} {
				s.actor.Host, s.actor.Records = p, s.records
				both.Go(func() {
					if err := s.actor.Act(t.Context(), s.book, s.events); err != nil {
						t.Error(err)
					}
				})
			}
			both.Wait()
			if got := lines(t, notes); !slices.Equal(got, want) {
				t.Errorf("noted %q, want %q", got, want)
			}
			if s := one.state(); s != Done {
				t.Errorf("it is %s: %s", s, one.acts[0].Note)
			}
			told := 0
			for _, e := range one.told {
				if e.Kind == alert.Acted {
					told++
				}
			}
			// Without a turn in the store the second may take up what the first does just now,
			// and then both tell its end.
			if told < 1 || told > 2 {
				t.Errorf("told %q", one.notes())
			}
		})
	}
}

func TestFindProgram(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", bin)
	for _, c := range []struct{ beside, want string }{
		{filepath.Join(bin, "outrider-checker"), filepath.Join(bin, "outrider")},
		{filepath.Join(dir, "outrider-checker"), filepath.Join(bin, "outrider")},
	} {
		if got, err := FindProgram(c.beside); err != nil || got != c.want {
			t.Errorf("%s: %s, %v", c.beside, got, err)
		}
	}
	t.Setenv("PATH", dir)
	if got, err := FindProgram(filepath.Join(dir, "outrider-checker")); err == nil || !strings.Contains(err.Error(), "on PATH") {
		t.Errorf("got %s, %v", got, err)
	}
}

// TestStderrIsBounded, and the outcome is its last line all the same.
func TestStderrIsBounded(t *testing.T) {
	w := &tail{most: 100}
	for range 1000 {
		fmt.Fprintln(w, "a line of the log")
	}
	line, err := json.Marshal(outcome{Run: "r1", State: "failed", Code: "x", Error: "y"})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(w, string(line))
	o, ok := outcomeIn(w.text)
	if len(w.text) > 100 || !ok || o.line() != "failed (x): y" {
		t.Errorf("got %+v in %d bytes", o, len(w.text))
	}
}
