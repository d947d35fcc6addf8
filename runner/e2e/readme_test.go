package e2e

import (
	"bytes"
	"debug/elf"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/dig/digdagtest"
)

// step is a command of the README and what it prints on stdout.
type step struct{ command, want string }

// steps reads the ```console blocks: "$ " begins a command, the rest is stdout.
func steps(readme string) []step {
	var all []step
	inside := false
	for line := range strings.Lines(readme) {
		switch {
		case strings.HasPrefix(line, "```"):
			inside = strings.TrimSpace(line) == "```console"
		case !inside:
		case strings.HasPrefix(line, "$ "):
			all = append(all, step{command: strings.TrimSpace(line[2:])})
		default:
			all[len(all)-1].want += line
		}
	}
	return all
}

// TestReadme runs every command of the README, in its order, in a copy of the
// repository, and compares stdout where the README shows it.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root(t), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	all := steps(string(text))
	if len(all) < 5 {
		t.Fatalf("only %d commands found", len(all))
	}
	w := newWorld(t)
	repo := filepath.Join(w.home, "outrider")
	copyRepository(t, repo)
	env := append(w.env(), "GOCACHE="+goenv(t, "GOCACHE"), "GOMODCACHE="+goenv(t, "GOMODCACHE"), "GOFLAGS=-buildvcs=false")
	for _, s := range all {
		cmd := exec.Command("bash", "-c", s.command)
		cmd.Dir, cmd.Env = repo, env
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil {
			t.Fatalf("$ %s\n%v\n%s%s", s.command, err, out.String(), errs.String())
		}
		if s.want != "" && out.String() != s.want {
			t.Errorf("$ %s\nprinted:\n%sthe README says:\n%s", s.command, out.String(), s.want)
		}
	}
	checkBuilt(t, filepath.Join(repo, "bin"))
}

// checkBuilt looks at what the README's `make build` made: every binary that is
// promised, none of them linked dynamically.
func checkBuilt(t *testing.T, dir string) {
	t.Helper()
	for _, name := range []string{"outrider", "outrider-guard", "outrider-checker", "outrider-plugin-hello", "outrider-plugin-script", "outrider-plugin-weather"} {
		f, err := elf.Open(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, p := range f.Progs {
			if p.Type == elf.PT_INTERP {
				t.Errorf("%s is linked dynamically", name)
			}
		}
		_ = f.Close()
	}
}

// telling are the tests behind each row of the README's table of what the checker tells, by
// how the row begins.
func telling() map[string]string {
	return map[string]string{
		"A run takes longer than it should": "TestCheckerDigdagHang",
		"An old attempt hangs":              "TestCheckerDigdagBuried",
		"A task of a DAG hangs":             "TestCheckerAirflow",
		"A run failed":                      "TestCheckerDigdagRetried",
		"A run is late":                     "TestCheckerDigdagLate",
		"A run never came":                  "TestCheckerDigdagMissing",
		"The scheduler is dead":             "TestCheckerAirflowRestart",
		"The server does not answer":        "TestCheckerDigdagKilled",
		"A DAG cannot be read":              "TestCheckerAirflow",
		"A pool is full":                    "TestCheckerAirflowPool",
		"The report is not there":           "TestDeadline",
		"A run waits for too long":          "TestCheckerDigdagWaits",
		"Nothing begins or ends":            "TestCheckerDigdagWaits",
		"A number is too high":              "TestCheckerWatch",
		"A crontab line":                    "TestCheckerCrontab",
		"An owner knows better":             "TestCheckerDigdagOwner",
		"A hundred things at once":          "TestAStormIsOneDigest",
		"The checker is dead":               "TestCheckerPing",
		"What is critical cannot be":        "TestTheSignOfLife",
		"All is as it was":                  "TestCheckerCrontab",
	}
}

// gains are the tests behind each row of the README's tables, by how the row begins.
func gains(engine string) map[string]string {
	if engine == "BashOperator" {
		return map[string]string{
			"What a task returns is":        "TestDAGs",
			`"Skip", "failed for good" and`: "TestDAGs",
			"A typo in a parameter":         "TestOperatorManifest",
			"What a killed task started":    "TestOperatorKills",
			"A pool is one Airflow's":       "TestDAGs",
			"Mapped tasks want a list":      "TestDAGs",
			"A job that moves from Digdag":  "TestDAGs",
			"What follows Digdag's work":    "TestDAGs",
			"A failure's notice has no log": "TestDAGs",
			"Clearing a night's failures":   "TestAirflowActClearMany",
			"A paused DAG takes a trigger":  "TestAirflowActPaused",
			"A wait for another DAG hangs":  "TestAirflowWaitOutlastsServers",
			"A dead scheduler and":          "TestDAGs",
			"What runs, hangs or is late":   "TestAirflowObserve",
		}
	}
	return map[string]string{
		"A killed attempt leaves":         "TestDigdagFileKillsafe",
		"A `sh>` task hands no value":     "TestDigdagFileETL",
		"A typo in a parameter":           "TestDigdagBridgeFailures",
		"Status and retry want ids":       "TestDigdagVerbs",
		"A list of attempts ends":         "TestDigdagObserve",
		"To wait for another project's":   "TestDigdagFileAwait",
		"A failure notice says":           "TestDigdagFileNotice",
		"A retry does all again":          "TestDigdagVerbs",
		"Nothing is one at a time":        "TestDigdagFileLock",
		"A dead server's tasks":           "TestDigdagRedeliveredTaskTakesItsFirstCopysResult",
		"A workflow that is retried":      "TestDigdagRemembersWhatFailedForGood",
		"An old project has to":           "TestDigdagFileWrap",
		"A gap is filled by hand":         "TestDigdagFileBackfill",
		"`sla:` tells somebody, somehow ": "TestDigdagFileSLA",
		"A dead or slow run is":           "TestCheckerDigdagMonitor",
		"What follows Airflow's work":     "TestDigdagFileAwaitAirflow",
	}
}

// TestReadmeGains: each row of the tables has a test behind it, and each file in dig and
// dags a row and a test.
func TestReadmeGains(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root(t), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	tests := testsIn(t, ".")
	for engine, files := range map[string]struct{ folder, ext, run string }{
		"Digdag":       {"dig", ".dig", `(t, "%s"`},
		"BashOperator": {"dags", ".py", `"%s": a.dag`},
	} {
		_, table, _ := strings.Cut(string(readme), "| "+engine+" alone | With Outrider |\n|---|---|\n")
		table, _, found := strings.Cut(table, "\n\n")
		if !found {
			t.Fatalf("the README has no table of what is gained over %s", engine)
		}
		proven(t, table, gains(engine), tests)
		paths, err := filepath.Glob(filepath.Join(root(t), files.folder, "*"+files.ext))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%q, %v", paths, err)
		}
		for _, path := range paths {
			file := filepath.Base(path)
			if !strings.Contains(table, "("+files.folder+"/"+file+")") {
				t.Errorf("%s has no row", file)
			}
			if !strings.Contains(tests, fmt.Sprintf(files.run, strings.TrimSuffix(file, files.ext))) {
				t.Errorf("%s is run by no test", file)
			}
		}
	}
}

// TestReadmeTold: each row of what the checker tells has a test behind it.
func TestReadmeTold(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root(t), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(readme), "| What happens | What it tells you |\n|---|---|\n")
	table, _, found := strings.Cut(table, "\n\n")
	if !found {
		t.Fatal("the README has no table of what the checker tells")
	}
	checker := filepath.Join(root(t), "runner", "internal", "checker")
	proven(t, table, telling(), testsIn(t, ".", filepath.Join(checker, "judge"), filepath.Join(checker, "alert"), filepath.Join(checker, "watch")))
}

// testsIn is the text of all tests of packages.
func testsIn(t *testing.T, dirs ...string) string {
	t.Helper()
	var all strings.Builder
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("tests in %s: %q, %v", dir, files, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(text)
		}
	}
	return all.String()
}

// proven: each row of a table has a test that there is.
func proven(t *testing.T, table string, gains map[string]string, tests string) {
	t.Helper()
	left := maps.Clone(gains)
	for row := range strings.Lines(table) {
		proven := false
		for begin, test := range gains {
			if strings.HasPrefix(row, "| "+begin) {
				proven = strings.Contains(tests, "\nfunc "+test+"(t *testing.T)")
				delete(left, begin)
			}
		}
		if !proven {
			t.Errorf("no test is behind %s", row)
		}
	}
	for begin := range left {
		t.Errorf("no row begins with %q", begin)
	}
}

// TestReadmeComponentInDigdag runs the README's task that is a component.
func TestReadmeComponentInDigdag(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root(t), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	begin := strings.Index(string(readme), "```yaml\n+greet:\n")
	if begin < 0 {
		t.Fatal("the README shows no py> task")
	}
	block, _, _ := strings.Cut(string(readme)[begin+len("```yaml\n"):], "```\n")
	d := onDigdag(t)
	r := d.done(d.startIn(d.Push(digdagtest.Files{"w.dig": block}), "w", nil))
	if got := r.Output("+w+say"); strings.TrimSpace(got) != "Hello, you!" {
		t.Errorf("say printed %q", got)
	}
}

// TestReadmeNamesTheTestCommand keeps .ci/run and the README together.
func TestReadmeNamesTheTestCommand(t *testing.T) {
	for file, want := range map[string]string{"README.md": "```sh\nmake test\n```", ".ci/run": "\nmake test\n"} {
		text, err := os.ReadFile(filepath.Join(root(t), file))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), want) {
			t.Errorf("%s does not hold %q", file, want)
		}
	}
}

func copyRepository(t *testing.T, to string) {
	t.Helper()
	cmd := exec.Command("bash", "-euo", "pipefail", "-c",
		`git ls-files -z --cached --others --exclude-standard --deduplicate | while IFS= read -r -d '' f; do [ -e "$f" ] && printf '%s\0' "$f"; done | tar -c --null -T - | tar -x -C "$0"`, to)
	cmd.Dir = root(t)
	if err := os.MkdirAll(to, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("copy the repository: %v\n%s", err, out)
	}
}

func goenv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
