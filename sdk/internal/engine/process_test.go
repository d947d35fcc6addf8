package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/outrider-run/outrider/sdk/internal/client"
	"github.com/outrider-run/outrider/sdk/protocol"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// patience turns a hang into a failure; nothing is expected to need it.
const patience = 30 * time.Second

// plugin is the test plugin's path, built once.
var plugin = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "outrider-plugin-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "plugin")
	msg, err := exec.Command("go", "build", "-tags", "urfave_cli_no_docs,grpcnotrace", "-o", path, "./testdata/plugin").CombinedOutput()
	if err != nil {
		return "", errors.Join(err, errors.New(string(msg)))
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := plugin(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

type started struct {
	*client.Process
	dir    string
	stderr *safeBuffer
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func startPlugin(t testing.TB) *started {
	t.Helper()
	path, err := plugin()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := client.PrivateDir()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &started{dir: dir, stderr: &safeBuffer{}}
	s.Process, err = client.Start(t.Context(), client.Command{Path: path, Dir: dir, Stderr: s.stderr})
	if err != nil {
		t.Fatalf("%v\n%s", err, s.stderr)
	}
	t.Cleanup(s.Kill)
	return s
}

func (s *started) start(component, params string) *taskv1.Start {
	return &taskv1.Start{
		RunId: "1", Component: component, Params: []byte(params), Attempt: 1, LogLevel: "trace",
		TempDir: filepath.Join(s.dir, "tmp"), ArtifactDir: filepath.Join(s.dir, "artifacts"),
	}
}

// run runs component and returns its result and its lines from source.
func (s *started) run(t testing.TB, component, params, source string) (*taskv1.Result, []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var lines []string
	r, err := s.Execute(ctx, s.start(component, params), client.Events{Log: func(l *taskv1.LogLine) {
		if l.GetSource() == source {
			lines = append(lines, l.GetMessage())
		}
	}})
	if err != nil {
		t.Fatalf("%v\n%s", err, s.stderr)
	}
	return r, lines
}

func wantSuccess(t testing.TB, r *taskv1.Result) {
	t.Helper()
	if r.GetKind() != taskv1.Result_SUCCESS {
		t.Fatalf("result %v", r)
	}
}

func waitExit(t testing.TB, p *client.Process) {
	t.Helper()
	select {
	case <-p.Exited():
	case <-time.After(patience):
		t.Fatal("the plugin is still there")
	}
}

func TestPrintsBeforeTheHandshakeAreLogLines(t *testing.T) {
	s := startPlugin(t)
	r, lines := s.run(t, "test.nothing", `{}`, "stdout")
	wantSuccess(t, r)
	if got := strings.Join(lines, "|"); got != "printed in init|printed in main" {
		t.Errorf("lines %q", got)
	}
	if err := s.Stop(patience); err != nil {
		t.Error(err)
	}
	if got := s.Printed(); got != "" {
		t.Errorf("descriptor 1 got %q behind the handshake", got)
	}
}

func TestRawWritesToDescriptor1DoNotBlock(t *testing.T) {
	s := startPlugin(t)
	r, lines := s.run(t, "test.raw_stdout", `{}`, "stdout")
	wantSuccess(t, r)
	got := len(strings.Join(lines[2:], ""))
	if got != 400_000 {
		t.Errorf("%d bytes of 400000 were logged before the result", got)
	}
}

func TestWhatIsPrintedComesBeforeTheResult(t *testing.T) {
	for range 20 {
		s := startPlugin(t)
		r, lines := s.run(t, "test.partial_stdout", `{}`, "stdout")
		wantSuccess(t, r)
		if got := strings.Join(lines[2:], "|"); got != "by fmt|by descriptor|by a child" {
			t.Fatalf("lines %q", got)
		}
		s.Kill()
	}
}

func TestSignalsAreLeftToTheHost(t *testing.T) {
	s := startPlugin(t)
	r, _ := s.run(t, "test.signals", `{}`, "")
	wantSuccess(t, r)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if err := syscall.Kill(s.Pid(), sig); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Stop(patience); err != nil {
		t.Errorf("after the signals: %v", err)
	}
}

func TestChildrenInheritNeitherHandshakeNorIgnoredSignals(t *testing.T) {
	s := startPlugin(t)
	r, _ := s.run(t, "test.environ", `{}`, "")
	wantSuccess(t, r)
	for _, name := range []string{protocol.CookieKey + "=", protocol.LifelineEnv + "=", "PLUGIN_UNIX_SOCKET_DIR=", "PLUGIN_PROTOCOL_VERSIONS=", protocol.RunDirEnv + "=", "LIFELINE="} {
		if strings.Contains(string(r.GetOutput()), name) {
			t.Errorf("a child sees %s", name)
		}
	}
	s = startPlugin(t)
	r, _ = s.run(t, "test.ignored", `{}`, "")
	wantSuccess(t, r)
	var out struct{ Text string }
	if err := json.Unmarshal(r.GetOutput(), &out); err != nil || out.Text != ignoredHere(t) {
		t.Errorf("a child ignores the signals %s and this test %s (%v)", out.Text, ignoredHere(t), err)
	}
}

// ignoredHere is the mask of what this process was started to ignore, and so
// whatever it starts as well.
func ignoredHere(t *testing.T) string {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "SigIgn:")
	mask, err := strconv.ParseUint(strings.Fields(rest)[0], 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return strconv.FormatUint(mask, 16)
}

func TestHostGoneEndsTheTaskGracefully(t *testing.T) {
	s := startPlugin(t)
	mark := filepath.Join(t.TempDir(), "mark")
	params, _ := json.Marshal(map[string]string{"mark": mark, "delay": "300ms"})
	go s.Execute(t.Context(), s.start("test.clean_up", string(params)), client.Events{Log: func(l *taskv1.LogLine) {
		if l.GetMessage() == "ready" {
			s.Hangup()
		}
	}})
	waitExit(t, s.Process)
	if got, err := os.ReadFile(mark); err != nil || string(got) != "the host is gone" {
		t.Errorf("the component wrote %q: %v", got, err)
	}
	if _, err := os.Stat(s.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the run's folder is still there: %v", err)
	}
}

func TestHostGoneKillsTheGroupAndRemovesTheFolder(t *testing.T) {
	s := startPlugin(t)
	var child atomic.Int64
	go s.Execute(t.Context(), s.start("test.stubborn", `{}`), client.Events{Log: func(l *taskv1.LogLine) {
		if l.GetMessage() == "child" {
			var f struct{ PID int }
			json.Unmarshal(l.GetFields(), &f)
			child.Store(int64(f.PID))
			s.Hangup()
		}
	}})
	waitExit(t, s.Process)
	if child.Load() == 0 {
		t.Fatal("the component never started its child")
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if err := syscall.Kill(-s.Pid(), 0); errors.Is(err, syscall.ESRCH) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a process of the plugin's group is still there")
		}
	}
	if _, err := os.Stat(s.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the run's folder is still there: %v", err)
	}
}

func TestHostGoneBeforeTheRunEndsThePlugin(t *testing.T) {
	s := startPlugin(t)
	s.Hangup()
	waitExit(t, s.Process)
}

// go-plugin returns from Serve as soon as the host says goodbye, with handlers
// still at work.
func TestGoodbyeWaitsForTheHandler(t *testing.T) {
	s := startPlugin(t)
	mark := filepath.Join(t.TempDir(), "mark")
	params, _ := json.Marshal(map[string]string{"mark": mark, "delay": "300ms"})
	ready := make(chan struct{})
	go s.Execute(t.Context(), s.start("test.clean_up", string(params)), client.Events{Log: func(l *taskv1.LogLine) {
		if l.GetMessage() == "ready" {
			close(ready)
		}
	}})
	<-ready
	if err := s.Stop(patience); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(mark); err != nil {
		t.Errorf("the component could not clean up: %v", err)
	}
}

func TestDeathWithoutAResult(t *testing.T) {
	s := startPlugin(t)
	_, err := s.Execute(t.Context(), s.start("test.exit", `{}`), client.Events{})
	if err == nil || !strings.Contains(err.Error(), "exit status 7") {
		t.Errorf("error %v", err)
	}
}

func TestPanicOverTheWire(t *testing.T) {
	s := startPlugin(t)
	r, _ := s.run(t, "test.panic", `{}`, "")
	if r.GetKind() != taskv1.Result_FAILED || r.GetCode() != "panic" || r.GetError() != "panic: no way" ||
		!strings.Contains(r.GetStack(), "testdata/plugin/main.go") {
		t.Errorf("result %v", r)
	}
	if err := s.Stop(patience); err != nil {
		t.Errorf("the process did not outlive the panic: %v", err)
	}
}

// The largest output fits, one byte more is a failure for good.
func TestResultLimitOverTheWire(t *testing.T) {
	fits := protocol.MaxOutput - len(`{"text":""}`)
	for _, c := range []struct {
		bytes int
		code  string
	}{{fits, ""}, {fits + 1, "result_too_large"}} {
		s := startPlugin(t)
		params, _ := json.Marshal(map[string]int{"bytes": c.bytes})
		r, _ := s.run(t, "test.big", string(params), "")
		if r.GetCode() != c.code || (c.code != "") != (r.GetKind() == taskv1.Result_PERMANENT) {
			t.Errorf("%d bytes: kind %v, code %q", c.bytes, r.GetKind(), r.GetCode())
		}
		s.Kill()
	}
}

func TestParametersOfManyMegabytesArrive(t *testing.T) {
	s := startPlugin(t)
	params := `{"bytes":1` + strings.Repeat(" ", protocol.MaxParams-20) + `}`
	r, _ := s.run(t, "test.big", params, "")
	wantSuccess(t, r)
}

func TestDescribeOverTheWire(t *testing.T) {
	s := startPlugin(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	d, err := s.Task.Describe(ctx, &taskv1.DescribeRequest{})
	if err != nil || !json.Valid(d.GetManifest()) || !bytes.Contains(d.GetManifest(), []byte(`"test.raw_stdout"`)) {
		t.Errorf("describe: %v, %s", err, d.GetManifest())
	}
}

// Memory stays flat however much is logged: the peak of a run of 100 MB is near
// that of a run of 1 MB.
func TestLogsDoNotFillTheMemory(t *testing.T) {
	peak := func(lines string) int {
		s := startPlugin(t)
		r, _ := s.run(t, "test.spam", `{"lines":`+lines+`,"size":200}`, "none")
		wantSuccess(t, r)
		return peakKB(t, s.Pid())
	}
	small, large := peak("5000"), peak("500000")
	if large-small > 20<<10 {
		t.Errorf("the plugin's peak rose from %d kB to %d kB", small, large)
	}
}

func peakKB(t testing.TB, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip("needs /proc")
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmHWM:" {
			kb, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
			return kb
		}
	}
	t.Fatal("no VmHWM")
	return 0
}

func BenchmarkLogs(b *testing.B) {
	const lines, size = 1_000_000, 200
	b.SetBytes(lines * size)
	for b.Loop() {
		s := startPlugin(b)
		n := 0
		r, err := s.Execute(b.Context(), s.start("test.spam", `{"lines":1000000,"size":200}`), client.Events{
			Log: func(*taskv1.LogLine) { n++ },
		})
		if err != nil || n < lines {
			b.Fatal(r, err, n)
		}
		b.ReportMetric(float64(peakKB(b, s.Pid())), "kB-peak")
		s.Kill()
	}
}
