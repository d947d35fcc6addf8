package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/outrider-run/outrider/runner/internal/checker/deliver/slacktest"
)

// checkerWorld is a world in which the checker looks at Outrider's own runs.
type checkerWorld struct {
	world
	t *testing.T
}

func newCheckerWorld(t *testing.T, config string) checkerWorld {
	t.Helper()
	w := checkerWorld{newWorld(t), t}
	w.write("sources: {outrider: {engine: outrider}}\n" + config)
	return w
}

func (w checkerWorld) path(name string) string { return filepath.Join(w.home, name) }

func (w checkerWorld) write(config string) {
	w.t.Helper()
	if err := os.WriteFile(w.path("outrider.yml"), []byte(config), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// env has the programs on PATH, as where they are installed.
func (w checkerWorld) env(more ...string) []string {
	env := append(w.world.env(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "OUTRIDER_CONFIG="+w.path("outrider.yml"))
	return append(env, more...)
}

func (w checkerWorld) checker(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(bin, "outrider-checker"), args...)
	cmd.Env = w.env()
	return cmd
}

// check makes a pass.
func (w checkerWorld) check(args ...string) (code int, stdout, stderr string) {
	w.t.Helper()
	return ended(w.t, w.checker(append([]string{"check"}, args...)...))
}

// fails has a job fail, after a pass, so that it is news.
func (w checkerWorld) fails(name string) {
	w.t.Helper()
	if code, _, stderr := w.check(); code != 0 {
		w.t.Fatalf("the first pass: exit %d: %s", code, stderr)
	}
	if code, _, _ := ended(w.t, w.cmd("exec", "--name", name, "--", "false")); code != 1 {
		w.t.Fatalf("false exits with %d", code)
	}
}

// installed is text of a shipped file with the places where things are installed replaced
// by those of the world.
func (w checkerWorld) installed(text string) string {
	return strings.NewReplacer(
		"/usr/local/bin/", bin+"/", "/etc/outrider/", w.home+"/", "/var/lib/outrider", w.state(), "/var/log/", w.home+"/",
	).Replace(text)
}

// monitorFile is a file of examples/monitor.
func monitorFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), "examples", "monitor", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestCheckerUnits: systemd takes the units, and what they start works with no more in its
// environment than they give.
func TestCheckerUnits(t *testing.T) {
	w := newCheckerWorld(t, "")
	paths, err := filepath.Glob(filepath.Join(root(t), "examples", "monitor", "*.[st][ei][rm]*"))
	if err != nil || len(paths) != 3 {
		t.Fatalf("%q, %v", paths, err)
	}
	verify := []string{"verify", "--man=no"}
	for _, path := range paths {
		to := w.path(filepath.Base(path))
		if err := os.WriteFile(to, []byte(w.installed(monitorFile(t, filepath.Base(path)))), 0o600); err != nil {
			t.Fatal(err)
		}
		verify = append(verify, to)
	}
	if code, out, said := ended(t, exec.Command("systemd-analyze", verify...)); code != 0 || out+said != "" {
		t.Errorf("systemd-analyze verify: exit %d: %s%s", code, out, said)
	}
	unit := w.installed(monitorFile(t, "outrider-checker.service"))
	cmd := exec.Command("/bin/sh", "-c", unitLine(t, unit, "ExecStart"))
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", unitLine(t, unit, "Environment")}
	if code, out, said := ended(t, cmd); code != 0 || !strings.Contains(out, "outrider") {
		t.Errorf("%v: exit %d: %s%s", cmd.Args, code, out, said)
	}
	w.fails("nightly")
	if code, _, said := w.check(); code != 1 || unitLine(t, unit, "SuccessExitStatus") != "1 2" {
		t.Errorf("with an alert: exit %d: %s", code, said)
	}
}

// unitLine is the value of a setting of a unit.
func unitLine(t *testing.T, unit, name string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + name + `=(.*)$`).FindStringSubmatch(unit)
	if m == nil {
		t.Fatalf("no %s in\n%s", name, unit)
	}
	return m[1]
}

// TestCheckerWatch starts what the unit of the sidecar starts, and stops it as systemd does.
func TestCheckerWatch(t *testing.T) {
	w := newCheckerWorld(t, "")
	w.write("sources: {outrider: {engine: outrider}}\nrules: [{name: queue, kind: signal, signal: queue_length, above: 5}]\n" +
		"receivers: {log: {file: " + w.path("log") + "}}\nroutes: [{receiver: log}]\n")
	start := unitLine(t, w.installed(monitorFile(t, "outrider-watch.service")), "ExecStart")
	cmd := exec.Command("/bin/sh", "-c", "exec "+strings.Replace(start, "127.0.0.1:9469", "127.0.0.1:0 --token env:TOKEN", 1))
	cmd.Env = w.env("TOKEN=sesame")
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	talk := bufio.NewScanner(said)
	await := func(pattern string) string {
		t.Helper()
		for re := regexp.MustCompile(pattern); talk.Scan(); {
			if m := re.FindStringSubmatch(talk.Text()); m != nil {
				return m[len(m)-1]
			}
		}
		t.Fatalf("it never said %s", pattern)
		return ""
	}
	url := await(`answering at (http://\S+)`)
	await(`pass at .* ok, 0 firing`)
	get := func(path, want string) {
		t.Helper()
		resp, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		if text, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(text), want) {
			t.Errorf("%s: %s: %s, %v", path, resp.Status, text, err)
		}
	}
	get("/healthz", "ok")
	get("/metrics", `outrider_checker_source_up{source="outrider"} 1`)
	post, err := http.NewRequest(http.MethodPost, url+"/v1/signal", strings.NewReader(`{"name": "queue_length", "value": 7}`))
	if err != nil {
		t.Fatal(err)
	}
	post.Header.Set("Authorization", "Bearer sesame")
	resp, err := http.DefaultClient.Do(post)
	if err != nil || resp.StatusCode != http.StatusAccepted {
		t.Fatalf("%v, %v", resp, err)
	}
	await(`pass at .* warning, 1 firing, 1 told`) // long before the next is due
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	await(`: ended$`)
	if err := cmd.Wait(); err != nil {
		t.Errorf("stopped, it exits with %v", err)
	}
	if log, err := os.ReadFile(w.path("log")); err != nil || !strings.Contains(string(log), "queue_length") {
		t.Errorf("told: %s, %v", log, err)
	}
}

// TestCheckerCrontab runs the lines of the crontab as cron does: they print, which makes a
// mail, when nobody could look, and nothing otherwise.
func TestCheckerCrontab(t *testing.T) {
	w := newCheckerWorld(t, "")
	var lines []string
	for line := range strings.Lines(monitorFile(t, "crontab")) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.SplitN(strings.TrimSpace(line), " ", 6)
		if len(fields) != 6 || strings.Contains(line, "%") { // which is a line's end to cron
			t.Fatalf("no line of a crontab: %s", line)
		}
		lines = append(lines, w.installed(fields[5]))
	}
	if len(lines) != 2 {
		t.Fatalf("%q", lines)
	}
	run := func(line, want string) {
		t.Helper()
		cmd := exec.Command("/bin/sh", "-c", line)
		cmd.Env = w.env()
		if _, out, said := ended(t, cmd); out != want || said != "" && want == "" {
			t.Errorf("%s\nprints %q and %q, want %q", line, out, said, want)
		}
	}
	run(lines[1], "nobody watches Digdag and Airflow\n")
	run(lines[0], "")
	run(lines[1], "")
	w.fails("nightly")
	run(lines[0], "")
	if _, out, _ := w.check(); !strings.Contains(out, "nightly") {
		t.Errorf("the failure is not found: %s", out)
	}
	log, err := os.ReadFile(w.path("outrider-checker.log"))
	if err != nil {
		t.Fatal(err)
	}
	for told, want := range map[string]int{"see its log": 0, "run it again": 1} {
		m := regexp.MustCompile(`(?m)^  ` + told + `: (.*)$`).FindSubmatch(log)
		if m == nil {
			t.Fatalf("no line says how to %s:\n%s", told, log)
		}
		cmd := exec.Command("/bin/sh", "-c", string(m[1]))
		cmd.Env = w.env()
		if code, out, said := ended(t, cmd); code != want {
			t.Errorf("%s: exit %d: %s%s", m[1], code, out, said)
		}
	}
	w.write("sources: 7\n")
	run(lines[0], "outrider-checker could not look, see "+w.path("outrider-checker.log")+"\n")
	if log, err := os.ReadFile(w.path("outrider-checker.log")); err != nil || !strings.Contains(string(log), "outrider.yml:1:10") {
		t.Errorf("the log says %q, %v", log, err)
	}
}

// TestCheckerNagios: a monitoring system gets a line, performance data and an exit code.
func TestCheckerNagios(t *testing.T) {
	w := newCheckerWorld(t, "")
	line := regexp.MustCompile(`^OUTRIDER (OK|WARNING|UNKNOWN) - [^|\n]+( \| ('?[a-z_]+'?=[0-9.]+s?(;[0-9.]*){0,4} ?)+)?\n`)
	look := func(want int, word, text string) {
		t.Helper()
		code, out, said := w.check("--format", "nagios")
		m := line.FindStringSubmatch(out)
		if code != want || m == nil || m[1] != word || !strings.Contains(out, text) {
			t.Errorf("exit %d: %s%s", code, out, said)
		}
	}
	look(0, "OK", "warning=0;1;;0")
	if code, _, _ := ended(t, w.cmd("exec", "--name", "nightly|load", "--", "false")); code != 1 {
		t.Fatal(code)
	}
	look(1, "WARNING", "warning=1;1;;0")
	if code, out, _ := w.check("--exit-zero"); code != 0 || !strings.Contains(out, "failed") {
		t.Errorf("with --exit-zero: exit %d: %s", code, out)
	}
	w.write("sources: {digdag: {engine: digdag, endpoint: 'http://127.0.0.1:1'}}\n")
	look(3, "UNKNOWN", "no source answered: digdag: ")
}

// pinged is a server that is asked for a sign of life.
type pinged struct {
	mu    sync.Mutex
	asked []string
}

func (p *pinged) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, r.Method+" "+r.URL.Path)
}

// TestCheckerPing: a dead man's switch hears of each complete pass, and of one that cannot
// be made. The textfile is of the last that was.
func TestCheckerPing(t *testing.T) {
	life := &pinged{}
	server := httptest.NewServer(life)
	t.Cleanup(server.Close)
	w := newCheckerWorld(t, "ping: env:LIFE\n")
	pass := func(want int) {
		t.Helper()
		cmd := w.checker("check", "--textfile", w.path("outrider.prom"))
		cmd.Env = append(cmd.Env, "LIFE="+server.URL+"/secret-place")
		code, out, said := ended(t, cmd)
		if code != want || strings.Contains(out+said, "secret-place") {
			t.Errorf("exit %d: %s%s", code, out, said)
		}
	}
	pass(0)
	text, err := os.ReadFile(w.path("outrider.prom"))
	if err != nil || !strings.Contains(string(text), `outrider_checker_source_up{source="outrider"} 1`) {
		t.Errorf("the textfile: %s, %v", text, err)
	}
	for _, file := range []string{"checker.db", "checker.db-wal", "checker.db-shm"} {
		if err := os.RemoveAll(filepath.Join(w.state(), file)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(w.state(), "checker.db"), 0o700); err != nil {
		t.Fatal(err)
	}
	pass(3)
	if again, err := os.ReadFile(w.path("outrider.prom")); err != nil || string(again) != string(text) {
		t.Errorf("the textfile of a pass that was not made: %s, %v", again, err)
	}
	if got := fmt.Sprint(life.asked); got != "[GET /secret-place GET /secret-place/fail]" {
		t.Errorf("asked %s", got)
	}
}

// TestCheckerInit: the config that is written for what is found is right.
func TestCheckerInit(t *testing.T) {
	w := checkerWorld{newWorld(t), t}
	env := func(more ...string) []string { return append(w.env("OUTRIDER_CONFIG="), more...) }
	init := func(file string, more ...string) string {
		t.Helper()
		cmd := w.checker("init", file)
		cmd.Env = env(more...)
		if code, out, said := ended(t, cmd); code != 0 || out != file+"\n" {
			t.Fatalf("init: exit %d: %s%s", code, out, said)
		}
		cmd = w.checker("config", "check", file)
		cmd.Env = env()
		if code, out, said := ended(t, cmd); code != 0 || !strings.HasPrefix(out, file+": ok: ") {
			t.Errorf("config check: exit %d: %s%s", code, out, said)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	// Nothing answers there; an engine on this machine's usual ports is not asked.
	none := []string{"OUTRIDER_DIGDAG_ENDPOINT=http://127.0.0.1:1", "OUTRIDER_AIRFLOW_ENDPOINT=http://127.0.0.1:1"}
	if text := init(w.path("none/outrider.yml"), none...); strings.Count(text, "# It did not answer") != 2 {
		t.Errorf("of engines that do not answer: %s", text)
	}
	engine := func(path string) string {
		mux := http.NewServeMux()
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"version": "1"}`) })
		s := httptest.NewServer(mux)
		t.Cleanup(s.Close)
		return s.URL
	}
	digdag, airflow := engine("/api/version"), engine("/api/v2/version")
	text := init(w.path("both/outrider.yml"), "OUTRIDER_DIGDAG_ENDPOINT="+digdag, "OUTRIDER_AIRFLOW_ENDPOINT="+airflow)
	if !strings.Contains(text, digdag) || !strings.Contains(text, airflow) || strings.Contains(text, "did not answer") {
		t.Errorf("of both: %s", text)
	}
	cmd := w.checker("init", w.path("both/outrider.yml"))
	cmd.Env = env(none...)
	if code, _, said := ended(t, cmd); code != 3 || !strings.Contains(said, "is there already") {
		t.Errorf("again: exit %d: %s", code, said)
	}
}

// TestCheckerTestNotify: what is told arrives, and what does not is an error.
func TestCheckerTestNotify(t *testing.T) {
	slack := slacktest.New(t, "#data")
	w := newCheckerWorld(t, fmt.Sprintf("receivers:\n  team: {component: slack.post, params: {token: env:SLACK_TOKEN, channel: '#data', api_url: %q}}\n", slack.URL))
	tell := func(token string) (int, string) {
		cmd := w.checker("test-notify", "team")
		cmd.Env = append(cmd.Env, "SLACK_TOKEN="+token)
		code, _, said := ended(t, cmd)
		return code, said
	}
	if code, said := tell(slacktest.Token); code != 0 || !strings.Contains(said, "team was told") {
		t.Errorf("exit %d: %s", code, said)
	}
	if all := slack.Messages(); len(all) != 1 || !strings.Contains(all[0].Seen(), "this is a test") {
		t.Errorf("%+v", all)
	}
	if code, said := tell("xoxb-forged-token"); code != 3 || !strings.Contains(said, "invalid_auth") || strings.Contains(said, "xoxb-forged-token") {
		t.Errorf("with a wrong token: exit %d: %s", code, said)
	}
}
