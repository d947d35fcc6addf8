package launch

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

func TestPrintsBeforeTheHandshake(t *testing.T) {
	for fault, want := range map[string]string{
		"prints first":         "welcome\nto | the | show | 1\n",
		"prints first unended": "loading 1\n",
	} {
		t.Run(fault, func(t *testing.T) {
			b := newBench(t, fault)
			b.succeeds()
			if got, _ := b.said.printed("stdout"); got != want {
				t.Errorf("logged %q, want %q", got, want)
			}
		})
	}
	t.Run("1 MB", func(t *testing.T) {
		b := newBench(t, "prints 1 MB first")
		b.succeeds()
		got, n := b.said.printed("stdout")
		if text := strings.ReplaceAll(got, "\n", ""); text != strings.Repeat("x", 1<<20) || n != 16 {
			t.Errorf("%d lines of %d bytes", n, len(text))
		}
	})
}

func TestPrintsOnDescriptor1(t *testing.T) {
	b := newBench(t, "400 KB on fd 1")
	b.succeeds()
	if got, _ := b.said.printed("stdout"); strings.ReplaceAll(got, "\n", "") != strings.Repeat("y", 400<<10) {
		t.Errorf("%d bytes came", len(got))
	}
}

func TestPrintsOnStdoutOfGo(t *testing.T) {
	b := newBench(t, "prints on os.Stdout")
	p := b.start()
	if _, err := b.execute(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	// go-plugin carries this on a stream of its own that Close cuts off.
	for deadline := time.Now().Add(hang); ; time.Sleep(time.Millisecond) {
		if got, _ := b.said.printed("stdout"); got == "printed within\n" {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("logged %q", got)
		}
	}
}

func TestLongLines(t *testing.T) {
	b := newBench(t, "1 MB on stderr")
	b.succeeds()
	got, n := b.said.printed("stderr")
	if text := strings.ReplaceAll(got, "\n", ""); text != strings.Repeat("é", 1<<19) {
		t.Errorf("%d bytes came, %d of them not as sent", len(text), strings.Count(text, "\uFFFD"))
	}
	if n < 16 || n > 18 {
		t.Errorf("in %d pieces", n)
	}

	b = newBench(t, "1 MB line")
	b.succeeds()
	if len(b.said.events) != 1 || b.said.events[0] != "log "+strings.Repeat("z", 1<<20) {
		t.Errorf("%d events", len(b.said.events))
	}
}

func TestStderrIsLogged(t *testing.T) {
	b := newBench(t, "stderr")
	b.succeeds()
	for text, want := range map[string]string{
		`{"@message":5}`:     "info",
		`"@timestamp":null}`: "info",
		"disk is full":       "warn",
		"bad \uFFFD bytes":   "info",
		"no end":             "info",
	} {
		if l := b.said.find(t, text); l.GetLevel() != want || l.GetSource() != "stderr" {
			t.Errorf("%v", l)
		}
	}
	l := b.said.find(t, "disk is full")
	if l.GetMessage() != "disk is full" || string(l.GetFields()) != `{"free":0}` ||
		l.GetUnixNano() != time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC).UnixNano() {
		t.Errorf("%v", l)
	}
}

func TestHostileStderrBeforeTheHandshake(t *testing.T) {
	b := newBench(t, "hostile stderr first")
	b.succeeds()
	b.said.find(t, `{"@message":5}`)
}

func TestDiesWithin(t *testing.T) {
	for fault, want := range map[string]struct {
		code   int
		signal syscall.Signal
		texts  []string
	}{
		"panic":                        {2, 0, []string{"died: exit status 2", `"panic: boom`}},
		"nil":                          {2, 0, []string{"died: exit status 2", "nil pointer dereference"}},
		"exit 7":                       {7, 0, []string{"died: exit status 7"}},
		"segfault":                     {-1, syscall.SIGSEGV, []string{"killed by SIGSEGV"}},
		"grandchild, then exit 7":      {7, 0, []string{"died: exit status 7"}},
		"grandchild away, then exit 7": {7, 0, []string{"died: exit status 7"}},
		"grandchild holds the stream":  {7, 0, []string{"died: exit status 7"}},
	} {
		t.Run(fault, func(t *testing.T) {
			b := newBench(t, fault)
			t.Cleanup(func() { endAway(b.mark) })
			e := b.fails()
			e.want(t, CodeCrashed, want.texts...)
			if e.Exit == nil || e.Exit.Code != want.code || e.Exit.Signal != want.signal {
				t.Errorf("exit %v", e.Exit)
			}
			if fault == "panic" {
				if !strings.Contains(e.Tail, "panic: boom") || !strings.Contains(e.Tail, "goroutine ") {
					t.Errorf("tail %q", e.Tail)
				}
				if l := b.said.find(t, "panic: boom"); l.GetLevel() != "error" {
					t.Errorf("%v", l)
				}
			}
		})
	}
}

func TestReportOfACrashIsWhole(t *testing.T) {
	b := newBench(t, "talks, then exits 7")
	n := 0
	b.o.Lines = func(*taskv1.LogLine) {
		n++
		time.Sleep(20 * time.Microsecond) // slower than the plugin is
	}
	e := b.fails()
	e.want(t, CodeCrashed, "exit status 7", `"line 2999"`)
	if n != 3000 || !strings.HasSuffix(e.Tail, "line 2998\nline 2999\n") {
		t.Errorf("%d lines, tail ends %.100q", n, e.Tail[max(0, len(e.Tail)-100):])
	}
}

// endAway ends what left its group on purpose, which nothing ties to us. One that
// was only just started may still bear the plugin's name, so it looks again until
// nothing is left.
func endAway(mark string) {
	for end := time.Now().Add(hang / 4); time.Now().Before(end); time.Sleep(time.Millisecond) {
		left := marked(mark)
		for _, pid := range left {
			name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
			if s := string(name); s == "sleep\n" || s == "sh\n" {
				_ = syscall.Kill(-pid, syscall.SIGKILL) // each leads its own session
			}
		}
		if len(left) == 0 {
			return
		}
	}
}

func TestResultCountsWhateverComesAfter(t *testing.T) {
	b := newBench(t, "result, then exit 9")
	if got := b.succeeds(); got != `"in time"` {
		t.Errorf("output %s", got)
	}
}

func TestGrandchildIsEnded(t *testing.T) {
	b := newBench(t, "grandchild")
	b.succeeds() // and newBench sees that none is left
}

func TestGrandchildAwayDoesNotHold(t *testing.T) {
	for _, fault := range []string{"grandchild away", "grandchild away keeps printing"} {
		t.Run(fault, func(t *testing.T) {
			b := newBench(t, fault)
			b.o.Stop.Reap = 500 * time.Millisecond
			t.Cleanup(func() { endAway(b.mark) })
			b.succeeds()
		})
	}
}

func TestStreamIsChecked(t *testing.T) {
	for fault, texts := range map[string][]string{
		"result over the limit":  {"over the limit of 16777216 bytes", "artifact"},
		"bad UTF-8 in a message": {"invalid UTF-8"},
		"skips a number":         {"message 2 came where 1 was due"},
		"ends without a result":  {"nothing to tell"},
		"no service":             {"does not serve tasks"},
	} {
		t.Run(fault, func(t *testing.T) {
			newBench(t, fault).fails().want(t, CodeStream, texts...)
		})
	}
}

func TestNewerMessagesAreLeftOut(t *testing.T) { newBench(t, "unknown message").succeeds() }

func TestLargestResult(t *testing.T) {
	if got := newBench(t, "largest result").succeeds(); len(got) != 16<<20-64<<10 {
		t.Errorf("%d bytes", len(got))
	}
}

func TestNeverConnects(t *testing.T) {
	for fault, want := range map[string]struct {
		code  string
		texts []string
	}{
		"silent":                 {CodeHandshake, []string{"sent no handshake within 200ms"}},
		"closes stdout":          {CodeStart, []string{"closed its stdout without a handshake"}},
		"net/rpc":                {CodeProtocol, []string{`speaks "netrpc"`, "gRPC only"}},
		"never accepts":          {CodeHandshake, []string{"greeted, but its socket", "did not answer within 200ms"}},
		"nobody listens":         {CodeStart, []string{"/nowhere/plugin1", "takes no connection"}},
		"listens on tcp":         {CodeStart, []string{"unix sockets only"}},
		"other version":          {CodeProtocol, []string{"version 7", "this host 1", "update outrider"}},
		"exits first":            {CodeStart, []string{"exit status 3", `"no licence"`, "is it an Outrider plugin"}},
		"exits after handshake":  {CodeStart, []string{"exit status 4", "before it took a connection"}},
		"grandchild, then exits": {CodeStart, []string{"exit status 6"}},
	} {
		t.Run(fault, func(t *testing.T) {
			b := newBench(t, fault)
			if want.code == CodeHandshake {
				b.o.StartTimeout = 200 * time.Millisecond
			}
			var e *Error
			inTime(t, "Start", func() { e = b.startFails() })
			e.want(t, want.code, want.texts...)
			e.want(t, want.code, b.o.Command.Path)
		})
	}
}

func TestPluginFiles(t *testing.T) {
	exe := executable(t)
	write := func(name string, mode os.FileMode, content string) func(string) string {
		return func(dir string) string {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, []byte(content), mode); err != nil {
				t.Fatal(err)
			}
			return path
		}
	}
	for name, c := range map[string]struct {
		make func(dir string) string
		code string
		text string
	}{
		"missing":        {func(dir string) string { return filepath.Join(dir, "none") }, CodeMissing, "no such file"},
		"not executable": {write("p", 0o644, "#!/bin/sh\n"), CodeNotExecutable, "chmod +x"},
		"directory":      {func(dir string) string { return dir }, CodeStart, "is a directory"},
		"empty":          {write("p", 0o755, ""), CodeStart, "no program for this machine"},
		"text":           {write("p", 0o755, "hello\n"), CodeStart, "no program for this machine"},
		"no interpreter": {write("p", 0o755, "#!/nowhere/python\n"), CodeStart, "interpreter"},
		"truncated head": {func(dir string) string { return copyOf(t, exe, dir, 100) }, CodeStart, "cut off"},
		"truncated":      {func(dir string) string { return copyOf(t, exe, dir, 1<<20) }, CodeStart, ""},
		"another's":      {func(string) string { return "/bin/true" }, CodeStart, "is it an Outrider plugin"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, "none")
			b.o.Command.Path = c.make(b.o.Dir)
			b.startFails().want(t, c.code, c.text, b.o.Command.Path)
		})
	}
}

// copyOf copies the first size bytes of a program, all of it for 0.
func copyOf(t *testing.T, from, dir string, size int64) string {
	t.Helper()
	path := filepath.Join(dir, "plugin")
	out, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if size == 0 {
		_, err = io.Copy(out, in)
	} else {
		_, err = io.CopyN(out, in, size)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTextFileBusy(t *testing.T) {
	b := newBench(t, "none")
	b.o.Command.Path = copyOf(t, b.o.Command.Path, b.o.Dir, 0)
	writer, err := os.OpenFile(b.o.Command.Path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	b.startFails().want(t, CodeStart, "still writes to it", "rename")

	// Most writers are done in a moment.
	time.AfterFunc(30*time.Millisecond, func() { _ = writer.Close() })
	b.succeeds()
}
