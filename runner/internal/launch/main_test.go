package launch

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// TestMain is also the main of the plugins and hosts that the tests start: they
// are this binary with a role as its first argument.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 {
		switch os.Args[1] {
		case "plugin":
			pluginMain(os.Args[2])
			return
		case "host":
			hostMain(os.Args[2:])
			return
		}
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if builtIn != "" {
			_ = os.RemoveAll(builtIn)
		}
		os.Exit(code)
	}))
}

// hang turns a hang into a failure; no test depends on its length.
const hang = 60 * time.Second

// bench is where a test's plugins run. Everything they start inherits a mark, by
// which what is left of them is found.
type bench struct {
	t    *testing.T
	mark string
	said *recorder
	o    Options
}

const markEnv = "OUTRIDER_LAUNCH_TEST"

func newBench(t *testing.T, fault string) *bench {
	t.Helper()
	b := &bench{t: t, mark: strconv.Itoa(os.Getpid()) + t.Name(), said: &recorder{}}
	b.o = Options{
		Command: Command{Path: executable(t), Args: []string{"plugin", fault}},
		Dir:     shortDir(t),
		Env:     append(Environ(os.Environ(), nil), markEnv+"="+b.mark),
		Stop:    StopBudget{Cancel: 300 * time.Millisecond, Kill: 300 * time.Millisecond, Reap: hang / 4},
		Lines:   b.said.line,
	}
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		noneLeft(t, b.mark)
		goleak.VerifyNone(t, before)
	})
	return b
}

func executable(t testing.TB) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

// shortDir is a folder whose path leaves room for a socket.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "orl")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (b *bench) start() *Plugin {
	b.t.Helper()
	p, err := Start(b.t.Context(), b.o)
	if err != nil {
		b.t.Fatalf("start: %v", err)
	}
	b.t.Cleanup(p.Close)
	return p
}

// startFails returns the error of a start that must fail.
func (b *bench) startFails() *Error {
	b.t.Helper()
	p, err := Start(b.t.Context(), b.o)
	if err == nil {
		p.Close()
		b.t.Fatal("it started")
	}
	return asError(b.t, err)
}

// run executes one task and ends the plugin.
func (b *bench) run(ctx context.Context) (*taskv1.Result, error) {
	b.t.Helper()
	p := b.start()
	r, err := b.execute(ctx, p)
	inTime(b.t, "Close", p.Close)
	return r, err
}

func (b *bench) execute(ctx context.Context, p *Plugin) (r *taskv1.Result, err error) {
	b.t.Helper()
	inTime(b.t, "Execute", func() {
		r, err = p.Execute(ctx, &taskv1.Start{RunId: "r", Component: "test.task", Params: []byte(`{}`), Attempt: 1}, b.said)
	})
	return r, err
}

// succeeds runs one task to its success and returns its output.
func (b *bench) succeeds() string {
	b.t.Helper()
	r, err := b.run(b.t.Context())
	if err != nil || r.GetKind() != taskv1.Result_SUCCESS {
		b.t.Fatalf("result %v, error %v", r, err)
	}
	return string(r.GetOutput())
}

// fails runs one task to an error.
func (b *bench) fails() *Error {
	b.t.Helper()
	r, err := b.run(b.t.Context())
	if err == nil {
		b.t.Fatalf("result %v", r)
	}
	return asError(b.t, err)
}

func asError(t testing.TB, err error) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is a %T", err, err)
	}
	return e
}

func (e *Error) want(t testing.TB, code string, texts ...string) {
	t.Helper()
	if e.Code != code {
		t.Errorf("code %q, want %q", e.Code, code)
	}
	for _, text := range texts {
		if !strings.Contains(e.Error(), text) {
			t.Errorf("error %q does not say %q", e, text)
		}
	}
}

// inTime fails the whole test binary's test when do hangs.
func inTime(t testing.TB, what string, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-done:
	case <-time.After(hang):
		t.Fatalf("%s hangs", what)
	}
}

// marked lists the living processes that carry mark, on systems with /proc.
func marked(mark string) []int {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	var pids []int
	for _, f := range files {
		env, err := os.ReadFile(f) // empty for a zombie
		if err != nil || !bytes.Contains(env, []byte(markEnv+"="+mark+"\x00")) {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		pids = append(pids, pid)
	}
	return pids
}

func noneLeft(t testing.TB, mark string) {
	t.Helper()
	if pids := marked(mark); len(pids) > 0 {
		for _, pid := range pids {
			args, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
			t.Errorf("left behind: process %d %q", pid, args)
			if p, err := os.FindProcess(pid); err == nil {
				_ = p.Kill()
			}
		}
	}
}

// recorder keeps what a plugin said and answers as told.
type recorder struct {
	mu     sync.Mutex
	lines  []*taskv1.LogLine
	events []string
	said   chan string // every event, unless nil
	block  chan struct{}
	answer error
}

func (r *recorder) line(l *taskv1.LogLine) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, l)
}

func (r *recorder) event(s string) {
	r.mu.Lock()
	r.events = append(r.events, s)
	said := r.said
	r.mu.Unlock()
	if said != nil {
		said <- s
	}
	if r.block != nil {
		<-r.block
	}
}

func (r *recorder) Log(l *taskv1.LogLine) { r.event("log " + l.GetMessage()) }
func (r *recorder) Alive()                { r.event("alive") }

func (r *recorder) Progress(done, total float64, note string) {
	r.event("progress " + strconv.FormatFloat(done/total, 'f', 2, 64) + " " + note)
}

func (r *recorder) Checkpoint(_ context.Context, v []byte) error {
	r.event("checkpoint " + string(v))
	return r.answer
}

func (r *recorder) Artifact(_ context.Context, a *taskv1.Artifact) error {
	r.event("artifact " + a.GetName())
	return r.answer
}

func (r *recorder) Open(_ context.Context, task, name string) (string, error) {
	r.event("open " + task + " " + name)
	return "/where/it/is", r.answer
}

// printed returns the text of the lines of a source, and their number.
func (r *recorder) printed(source string) (string, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var s strings.Builder
	n := 0
	for _, l := range r.lines {
		if l.GetSource() == source {
			s.WriteString(l.GetMessage())
			s.WriteString("\n")
			n++
		}
	}
	return s.String(), n
}

// find returns the line with that text.
func (r *recorder) find(t testing.TB, text string) *taskv1.LogLine {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.lines {
		if strings.Contains(l.GetMessage(), text) {
			return l
		}
	}
	t.Fatalf("no line %q among %d", text, len(r.lines))
	return nil
}
