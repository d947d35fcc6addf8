package checkercli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/runner/internal/db/dbtest"
)

const standInEngine = `name: ENGINE.observe
doc: Stands in for an engine.
interpreter: python3
command: [stand_observe.py]
params:
  type: object
  properties:
    answer: {type: string, default: one.json, description: The file with the answer}
    endpoint: {type: string, description: Where it is}
    deep: {type: boolean, description: All}
    cursor: {description: Of the pass before}
    details: {type: array, items: {type: string}, description: Runs}
    history_from: {type: string, description: A time}
    limit: {type: integer, description: How many}
output: {type: object, additionalProperties: true}
`

// TestTheSecondWatcherOfTheMonitors: the line that the headers of the shipped monitors give
// to a second watcher, as it stands, is about the checker that the monitors run.
func TestTheSecondWatcherOfTheMonitors(t *testing.T) {
	for name, env := range map[string][]string{
		"dig/monitor.dig": {"endpoint=http://127.0.0.1:65432", "airflow=", "channel=#data", "threshold=usual"},
		"dags/monitor.py": {"AIRFLOW=http://127.0.0.1:8080", "DIGDAG=", "CHANNEL=#data", "THRESHOLD=usual"},
	} {
		t.Run(name, func(t *testing.T) {
			page, err := os.ReadFile(filepath.Join("../../../..", name))
			if err != nil {
				t.Fatal(err)
			}
			for _, kv := range env { // they are what stands in the file
				if _, value, _ := strings.Cut(kv, "="); !strings.Contains(string(page), value) {
					t.Errorf("%s is not in %s", value, name)
				}
			}
			check := pieces.ReplaceAllString(regexp.MustCompile(`(outrider-checker check .*\n.*)`).FindString(string(page)), "")
			check, _, _ = strings.Cut(strings.TrimSuffix(strings.TrimSpace(check), "',"), "\n")
			second := regexp.MustCompile(`outrider-checker last-pass [^\n#` + "`" + `]*`).FindString(string(page))
			w := newWorld(t, "", strings.ReplaceAll(empty, "stand", "digdag"))
			w.standIns()
			t.Setenv("SLACK_TOKEN", "xoxb-1")
			sh := func(line string) (int, string) { return w.sh(line, env...) }
			if code, said := sh(second); code != 2 {
				t.Errorf("before: exit %d of %s\n%s", code, second, said)
			}
			if code, said := w.sh("outrider-checker --ledger"); code != 0 {
				t.Errorf("another check: exit %d\n%s", code, said)
			}
			if code, said := sh(second); code != 2 {
				t.Errorf("it takes another's: exit %d of %s\n%s", code, second, said)
			}
			if code, said := sh(check); code != 0 {
				t.Errorf("exit %d of %s\n%s", code, check, said)
			}
			if code, said := sh(second); code != 0 {
				t.Errorf("after: exit %d of %s\n%s", code, second, said)
			}
		})
	}
}

// pieces are where Python joins two texts to one.
var pieces = regexp.MustCompile(`'\n *'`)

// standIns are of the engines; both have the answer one.json.
func (w world) standIns() {
	w.t.Helper()
	for _, engine := range []string{"digdag", "airflow"} {
		w.write("plugins/"+engine+"_observe.component.yml", strings.ReplaceAll(standInEngine, "ENGINE", engine))
	}
}

// sh runs a line as somebody does who copies it, and returns what it printed.
func (w world) sh(line string, env ...string) (code int, said string) {
	w.t.Helper()
	cmd := w.command()
	cmd.Args = []string{"sh", "-c", line}
	var err error
	if cmd.Path, err = exec.LookPath("sh"); err != nil {
		w.t.Fatal(err)
	}
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		w.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// TestTheLinesOfAMessageOnAServer: where checkers keep what they know on PostgreSQL, the
// lines of a message act on the one that told it.
func TestTheLinesOfAMessageOnAServer(t *testing.T) {
	t.Setenv("OUTRIDER_LEDGER", dbtest.Postgres(t))
	w := newWorld(t, "", strings.ReplaceAll(empty, "stand", "digdag"))
	w.standIns()
	checks := [][]string{{"--threshold", "1h", "--digdag", "http://a"}, {"--threshold", "1h", "--digdag", "http://b"}}
	for _, check := range checks {
		if code, _, talk := w.run(check...); code != 0 {
			t.Fatalf("exit %d\n%s", code, talk)
		}
	}
	w.write("one.json", strings.ReplaceAll(open, "stand", "digdag"))
	_, _, told := w.run(checks[0]...)
	if code, stdout, talk := w.run(checks[1]...); code != 1 || !strings.Contains(stdout, "warning") { // it has looked last
		t.Fatalf("exit %d\n%s%s", code, stdout, talk)
	}
	for _, step := range []struct {
		line, state string
		code        int
	}{{"acknowledge it", "warning, acknowledged", 1}, {"silence it for two hours", "warning, muted", 0}} {
		line := regexp.MustCompile(`(?m)^ *` + step.line + `: (.*)$`).FindStringSubmatch(told)
		if line == nil {
			t.Fatalf("no line to %s in\n%s", step.line, told)
		}
		if code, said := w.sh(line[1]); code != 0 {
			t.Errorf("exit %d of %s\n%s", code, line[1], said)
		}
		if code, stdout, _ := w.run(checks[0]...); code != step.code || !strings.Contains(stdout, step.state) {
			t.Errorf("after %s: exit %d\n%s", line[1], code, stdout)
		}
		if code, stdout, _ := w.run(checks[1]...); code != 1 || strings.Contains(stdout, step.state) {
			t.Errorf("%s acts on another checker: exit %d\n%s", line[1], code, stdout)
		}
	}
}
