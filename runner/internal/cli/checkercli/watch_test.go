package checkercli_test

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// world is a folder with a config, the stand-in's answers and the state.
type world struct {
	t   *testing.T
	dir string
}

const empty = `{"engine": "stand", "at": "@0s", "requests": 1, "cursor": 8, "schedules": [], "health": [], "signals": [], "runs": []}`

const open = `{"engine": "stand", "at": "@0s", "requests": 1, "cursor": 9, "schedules": [], "health": [], "signals": [], "runs": [
 {"id": "9", "address": "etl/daily@9", "project": "etl", "workflow": "daily", "session": "9", "state": "running", "created": "@-2h", "started": "@-2h"}]}`

const oneSource = "sources: {one: {engine: stand, answer: one.json}}\nrules: [{name: long, kind: running, threshold: 1h}]\n"

func newWorld(t *testing.T, config, answer string) world {
	w := world{t, t.TempDir()}
	if err := os.CopyFS(filepath.Join(w.dir, "plugins"), os.DirFS("testdata/stand")); err != nil {
		t.Fatal(err)
	}
	w.write("outrider.yml", config)
	w.write("one.json", answer)
	return w
}

// write replaces a file whole: a program may be reading it.
func (w world) write(name, text string) {
	w.t.Helper()
	file := filepath.Join(w.dir, name)
	if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		w.t.Fatal(err)
	}
}

func (w world) command(args ...string) *exec.Cmd {
	cmd := exec.Command("outrider-checker", args...)
	cmd.Dir = w.dir
	cmd.Env = append(os.Environ(), "HOME="+w.dir, "OUTRIDER_STATE="+filepath.Join(w.dir, "state"), "OUTRIDER_CONFIG="+filepath.Join(w.dir, "outrider.yml"),
		"OUTRIDER_PLUGIN_PATH="+os.Getenv(builtEnv)+string(os.PathListSeparator)+filepath.Join(w.dir, "plugins"), "EVENTS=sesame-sesame")
	return cmd
}

// run runs it to its end.
func (w world) run(args ...string) (code int, stdout, stderr string) {
	w.t.Helper()
	var out, talk strings.Builder
	cmd := w.command(args...)
	cmd.Stdout, cmd.Stderr = &out, &talk
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		w.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), talk.String()
}

// process is a checker that runs.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	mu   sync.Mutex
	all  strings.Builder
	more chan struct{}
	read sync.WaitGroup
}

func (w world) start(args ...string) *process {
	w.t.Helper()
	p := &process{t: w.t, cmd: w.command(args...), more: make(chan struct{}, 1)}
	for _, pipe := range []func() (io.ReadCloser, error){p.cmd.StdoutPipe, p.cmd.StderrPipe} {
		r, err := pipe()
		if err != nil {
			w.t.Fatal(err)
		}
		p.read.Go(func() { p.keep(r) })
	}
	if err := p.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			_ = p.cmd.Process.Kill()
			p.end()
		}
	})
	return p
}

func (p *process) keep(r io.Reader) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		p.mu.Lock()
		p.all.WriteString(lines.Text() + "\n")
		p.mu.Unlock()
		select {
		case p.more <- struct{}{}:
		default:
		}
	}
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all.String()
}

// await waits until something was said, and returns it.
func (p *process) await(pattern string) string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	late := time.After(time.Minute)
	for {
		if found := re.FindString(p.said()); found != "" {
			return found
		}
		select {
		case <-p.more:
		case <-late:
			p.t.Fatalf("no %q in\n%s", pattern, p.said())
		}
	}
}

// end waits for the end and returns the exit code.
func (p *process) end() int {
	p.read.Wait()
	_ = p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode()
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// awaitFile waits until a file is there.
func (w world) awaitFile(name string) {
	w.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(w.dir, name)); err == nil {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("no %s", name)
		}
	}
}

func ask(t *testing.T, method, url, token, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestWatchAnswersAndTakesEvents(t *testing.T) {
	w := newWorld(t, "sources: {one: {engine: stand, answer: one.json}}\nrules:\n  - {name: queue, kind: signal, signal: queue, above: 5}\n  - {name: told, kind: signal, signal: digdag.notification, above: 0}\n", empty)
	p := w.start("watch", "--every", "1h", "--listen", "127.0.0.1:0", "--token", "env:EVENTS")
	url := strings.TrimPrefix(p.await(`answering at http://\S+`), "answering at ")
	p.await(`pass at .*: ok`)
	if code, text := ask(t, "GET", url+"/healthz", "", ""); code != 200 || text != "ok\n" {
		t.Errorf("healthz: %d %s", code, text)
	}
	if code, text := ask(t, "GET", url+"/metrics", "", ""); code != 200 || !strings.Contains(text, `outrider_checker_source_up{source="one"} 1`) {
		t.Errorf("metrics: %d %s", code, text)
	}
	const signal = `{"name": "queue", "value": 7, "labels": {"of": "etl"}}`
	for token, want := range map[string]int{"": 401, "wrong": 401, "sesame-sesame": 202} {
		if code, _ := ask(t, "POST", url+"/v1/signal", token, signal); code != want {
			t.Errorf("token %q: %d, want %d", token, code, want)
		}
	}
	p.await(`WARNING: signals@.*: queue.* is 7, above 5`)
	const notification = `{"timestamp": "2026-11-22T00:00:00Z", "message": "Workflow session attempt failed", "site_id": 0, "project_id": 1,
		"project_name": "etl", "workflow_name": "daily", "attempt_id": 12, "session_id": 3, "task_name": null}`
	if code, text := ask(t, "POST", url+"/digdag", "sesame-sesame", notification); code != 202 {
		t.Errorf("%d %s", code, text)
	}
	p.await(`WARNING: signals@.*: digdag.notification`)
	p.await(`Workflow session attempt failed`)
	p.signal(syscall.SIGTERM)
	if code := p.end(); code != 0 || !strings.HasSuffix(p.said(), "ended\n") || strings.Contains(p.said(), "sesame") {
		t.Errorf("exit %d\n%s", code, p.said())
	}
}

func TestWatchReadsTheConfigForEachPass(t *testing.T) {
	w := newWorld(t, oneSource, empty)
	p := w.start("watch", "--every", "1s")
	p.await(`pass at .*: ok, 0 firing`)
	w.write("one.json", open)
	w.write("outrider.yml", "rules: [{name: long, kind: runing}]\n")
	p.await(`the settings cannot be used, those before still hold: .*outrider.yml:1:`)
	p.await(`WARNING: one:etl/daily@9`)
	w.write("outrider.yml", strings.Replace(oneSource, "name: long", "name: longer, severity: critical", 1))
	p.await(`CRITICAL: one:etl/daily@9`)
	p.await(`pass at .*: critical, 1 firing`)
	p.signal(syscall.SIGINT)
	if code := p.end(); code != 0 {
		t.Errorf("exit %d\n%s", code, p.said())
	}
}

func TestWatchEndsThePassUnderWay(t *testing.T) {
	w := newWorld(t, oneSource, empty)
	if code, _, stderr := w.run(); code != 0 {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	w.write("one.json", "wait"+open)
	p := w.start("watch", "--every", "1h")
	w.awaitFile("one.json.waits")
	p.signal(syscall.SIGTERM)
	w.write("one.json.go", "")
	p.await(`WARNING: one:etl/daily@9`)
	p.await(`pass at .*: warning`)
	if code := p.end(); code != 0 {
		t.Errorf("exit %d\n%s", code, p.said())
	}
}

func TestWatchGivesUpAPassThatDoesNotEnd(t *testing.T) {
	w := newWorld(t, oneSource, empty)
	if code, _, stderr := w.run(); code != 0 {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	w.write("one.json", "wait"+open)
	p := w.start("watch", "--every", "1h")
	w.awaitFile("one.json.waits")
	p.signal(syscall.SIGTERM)
	if code := p.end(); code != 0 || strings.Contains(p.said(), "WARNING") {
		t.Errorf("exit %d\n%s", code, p.said())
	}
	w.write("one.json", open)
	if code, _, stderr := w.run(); code != 1 || !strings.Contains(stderr, "WARNING: one:etl/daily@9") {
		t.Errorf("what was given up is lost: exit %d\n%s", code, stderr)
	}
}

func TestAPassThatIsKilledIsMadeAgain(t *testing.T) {
	w := newWorld(t, oneSource, empty)
	if code, _, stderr := w.run(); code != 0 {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	w.write("one.json", "wait"+open)
	p := w.start()
	w.awaitFile("one.json.waits")
	p.signal(syscall.SIGKILL)
	p.end()
	w.write("one.json", open)
	if code, stdout, stderr := w.run(); code != 1 || strings.Count(stderr, "WARNING: one:etl/daily@9") != 1 || !strings.Contains(stdout, "warning") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
}

func TestASecondCheckerAnswersWithTheLastPass(t *testing.T) {
	w := newWorld(t, oneSource, "wait"+empty)
	first := w.start()
	w.awaitFile("one.json.waits")
	if code, _, stderr := w.run(); code != 3 || !strings.Contains(stderr, "another pass is under way, the first one: nothing is known yet") {
		t.Errorf("exit %d\n%s", code, stderr)
	}
	w.write("one.json.go", "")
	if code := first.end(); code != 0 {
		t.Fatalf("exit %d\n%s", code, first.said())
	}
	w.write("one.json", open)
	if code, _, stderr := w.run(); code != 1 {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	for _, name := range []string{"one.json.go", "one.json.waits"} {
		if err := os.Remove(filepath.Join(w.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	w.write("one.json", "wait"+open)
	first = w.start()
	w.awaitFile("one.json.waits")
	if code, stdout, stderr := w.run(); code != 1 || !strings.Contains(stderr, "another pass is under way; this is what the last one found at") || !strings.Contains(stdout, "one:etl/daily@9") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	w.write("one.json.go", "")
	if code := first.end(); code != 1 {
		t.Errorf("exit %d\n%s", code, first.said())
	}
}
