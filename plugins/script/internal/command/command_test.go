package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// told is what a command told, by pipe; notice is the last of them.
type told struct {
	mu   sync.Mutex
	text [4]strings.Builder
	// when, unless nil, is called with all that one pipe has said so far.
	when func(pipe int, soFar string)
}

const notice = 3

func (o *told) add(pipe int, text string) {
	o.mu.Lock()
	o.text[pipe].WriteString(text)
	soFar := o.text[pipe].String()
	o.mu.Unlock()
	if o.when != nil {
		o.when(pipe, soFar)
	}
}

func (o *told) got(pipe int) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text[pipe].String()
}

func (o *told) reader(pipe int) func(io.Reader) {
	return func(r io.Reader) {
		b := make([]byte, 64<<10)
		for {
			n, err := r.Read(b)
			if n > 0 {
				o.add(pipe, string(b[:n]))
			}
			if err != nil {
				return
			}
		}
	}
}

// shell is a command that runs script with sh in a group of its own: the test
// process leads none.
func shell(t *testing.T, script string, o *told) Command {
	t.Helper()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { null.Close() })
	return Command{
		Path: "/bin/sh", Args: []string{"-c", script}, Dir: t.TempDir(), Stdin: null, OwnGroup: true,
		Env:    []string{"PATH=/usr/bin:/bin"},
		Stdout: o.reader(0), Stderr: o.reader(1), Events: o.reader(2),
		Notice: func(text string) { o.add(notice, text) },
	}
}

func TestPipesAndExitCode(t *testing.T) {
	var o told
	exit, err := shell(t, `echo out; echo err >&2; echo event >&3; exit 7`, &o).Run(t.Context())
	if err != nil || exit != (Exit{Code: 7}) || exit.String() != "exit status 7" {
		t.Errorf("exit %+v, %v", exit, err)
	}
	if o.got(0) != "out\n" || o.got(1) != "err\n" || o.got(2) != "event\n" || o.got(notice) != "" {
		t.Errorf("got %q, %q, %q, %q", o.got(0), o.got(1), o.got(2), o.got(notice))
	}
}

func TestDeathByASignalIsNamed(t *testing.T) {
	for script, want := range map[string]string{
		"kill -SEGV $$": "killed by SIGSEGV",
		"kill -KILL $$": "killed by SIGKILL",
		"kill -40 $$":   "killed by signal 40",
	} {
		exit, err := shell(t, "ulimit -c 0; "+script, new(told)).Run(t.Context())
		if err != nil || !strings.HasPrefix(exit.String(), want) || exit.Code != -1 || exit.Cancelled {
			t.Errorf("%s: %+v (%s), %v", script, exit, exit, err)
		}
	}
}

func TestLinesArriveWhileTheCommandRuns(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	// The command ends only after the test has seen its first line.
	var once sync.Once
	o := &told{}
	o.when = func(pipe int, soFar string) {
		if pipe == 0 && strings.Contains(soFar, "first\n") {
			once.Do(func() { os.WriteFile(fifo, []byte("go on\n"), 0) })
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	exit, err := shell(t, "echo first; read x < "+fifo+"; echo second $x", o).Run(ctx)
	if err != nil || exit.Code != 0 || o.got(0) != "first\nsecond go on\n" {
		t.Errorf("%+v, %v, %q", exit, err, o.got(0))
	}
}

func TestStdinIsTheFileFromItsStart(t *testing.T) {
	in := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(in, []byte("a\nb\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(in)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var o told
	c := shell(t, "cat", &o)
	c.Stdin = f
	if _, err := c.Run(t.Context()); err != nil || o.got(0) != "a\nb\n" {
		t.Errorf("got %q, %v", o.got(0), err)
	}
}

func TestACancelTerminatesTheWholeGroup(t *testing.T) {
	// The first child ends by SIGTERM and proves it; the second does not heed
	// it and must be gone all the same.
	script := `trap 'echo sh got TERM; exit 9' TERM
(trap 'echo child got TERM; exit 0' TERM; echo up; while :; do sleep 0.05; done) &
(trap '' TERM; exec sleep 600 >/dev/null 2>&1) & echo deaf $!
wait $!`
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o := &told{}
	o.when = func(_ int, soFar string) {
		if strings.Contains(soFar, "up\n") && strings.Contains(soFar, "deaf ") {
			cancel()
		}
	}
	exit, err := shell(t, script, o).Run(ctx)
	if err != nil || exit.Code != 9 || !exit.Cancelled {
		t.Errorf("exit %+v, %v", exit, err)
	}
	for _, want := range []string{"sh got TERM\n", "child got TERM\n"} {
		if !strings.Contains(o.got(0), want) {
			t.Errorf("%q lacks %q", o.got(0), want)
		}
	}
	// The deaf one held a pipe: not for as long as without a cancel.
	if !strings.Contains(o.got(notice), "descriptor 3 is still open after 300ms: held by sleep") {
		t.Errorf("notice %q", o.got(notice))
	}
	m := regexp.MustCompile(`deaf (\d+)`).FindStringSubmatch(o.got(0))
	pid, _ := strconv.Atoi(m[1])
	awaitGone(t, pid)
}

func TestACancelWakesWhatIsStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o := &told{}
	o.when = func(_ int, soFar string) {
		var pid int
		if _, err := fmt.Sscanf(soFar, "pid %d\n", &pid); err == nil && pid > 0 {
			syscall.Kill(pid, syscall.SIGSTOP)
			cancel()
		}
	}
	// Without the trap Linux kills it though it is stopped.
	exit, err := shell(t, "trap 'exit 9' TERM; echo pid $$; while :; do sleep 0.02; done", o).Run(ctx)
	if err != nil || exit.Code != 9 || !exit.Cancelled {
		t.Errorf("exit %+v, %v", exit, err)
	}
}

func TestACancelBeforeTheStartStartsNothing(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("operator said so")
	cancel(cause)
	var o told
	if _, err := shell(t, "echo ran", &o).Run(ctx); !errors.Is(err, cause) || o.got(0) != "" {
		t.Errorf("got %v, %q", err, o.got(0))
	}
}

func TestWhatHoldsThePipesIsNamedAndNotWaitedFor(t *testing.T) {
	var o told
	start := time.Now()
	exit, err := shell(t, `exec 1>&- ; echo last words >&2; echo ev >&3; sleep 600 & exit 3`, &o).Run(t.Context())
	if err != nil || exit.Code != 3 {
		t.Errorf("exit %+v, %v", exit, err)
	}
	if time.Since(start) > time.Minute {
		t.Errorf("waited %s", time.Since(start))
	}
	if o.got(1) != "last words\n" || o.got(2) != "ev\n" {
		t.Errorf("got %q, %q", o.got(1), o.got(2))
	}
	if !regexp.MustCompile(`^the command ended, but stderr, descriptor 3 are still open after 2s: held by sleep \(pid \d+\); not waiting any longer$`).MatchString(o.got(notice)) {
		t.Errorf("notice %q", o.got(notice))
	}
}

func TestWhatFloodsThePipesForEverIsNotWaitedFor(t *testing.T) {
	var o told
	exit, err := shell(t, `yes & exit 0`, &o).Run(t.Context())
	if err != nil || exit.Code != 0 || !strings.Contains(o.got(notice), "held by yes") {
		t.Errorf("exit %+v, %v, %q", exit, err, o.got(notice))
	}
}

func TestAPipeThatIsRefilledAfterGivingUpEndsAllTheSame(t *testing.T) {
	p, err := openPipes(Command{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	p.giveUp()
	chunk, read := make([]byte, 4096), 0
	for {
		if _, err := p.writer(0).Write(chunk); err != nil {
			t.Fatal(err)
		}
		n, err := p.all[0].Read(chunk)
		if errors.Is(err, io.EOF) {
			break
		}
		if read += n; err != nil || read > 2<<20 {
			t.Fatalf("read %d bytes, %v", read, err)
		}
	}
	if read != 1<<20 {
		t.Errorf("read %d bytes", read)
	}
}

func TestWhatWasPrintedBeforeTheEndIsReadThoughTheReaderIsSlow(t *testing.T) {
	gaveUp := make(chan struct{})
	o := &told{when: func(pipe int, _ string) {
		if pipe == notice {
			close(gaveUp)
		}
	}}
	c := shell(t, `head -c 60000 /dev/zero; echo END; sleep 600 & exit 0`, o)
	c.Stdout = func(r io.Reader) {
		b := make([]byte, 60000)
		n, _ := io.ReadFull(r, b[:1])
		<-gaveUp
		rest, _ := io.ReadAll(r)
		o.add(0, string(b[:n])+string(rest))
	}
	if _, err := c.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := o.got(0); len(got) != 60004 || !strings.HasSuffix(got, "END\n") {
		t.Errorf("read %d bytes", len(got))
	}
}

func TestAReaderThatStopsEarlyHoldsUpNobody(t *testing.T) {
	var o told
	c := shell(t, `head -c 1000000 /dev/zero >&3; echo done`, &o)
	c.Events = func(io.Reader) {}
	if exit, err := c.Run(t.Context()); err != nil || exit.Code != 0 || o.got(0) != "done\n" {
		t.Errorf("exit %+v, %v, %q", exit, err, o.got(0))
	}
}

func TestAProgramThatIsStillBeingWrittenIsTriedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "prog")
	sh, err := os.ReadFile("/bin/true")
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(sh); err != nil {
		t.Fatal(err)
	}
	c := shell(t, "", new(told))
	c.Path, c.Args = path, nil
	time.AfterFunc(50*time.Millisecond, func() { f.Close() })
	if exit, err := c.Run(t.Context()); err != nil || exit.Code != 0 {
		t.Errorf("exit %+v, %v", exit, err)
	}
}

func TestAProgramThatIsNotThere(t *testing.T) {
	c := shell(t, "", new(told))
	c.Path = filepath.Join(c.Dir, "nothing")
	if _, err := c.Run(t.Context()); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), c.Path) {
		t.Errorf("got %v", err)
	}
}

func TestEnviron(t *testing.T) {
	got := Environ([]string{
		"PATH=/bin", "OUTRIDER_PLUGIN=x", "OUTRIDER_RUN_DIR=/r", "OUTRIDER_LIFELINE_FD=3", "PLUGIN_MIN_PORT=1",
		"PLUGIN_CLIENT_CERT=c", "PLUGIN_MINE=kept", "OUTRIDER_DIGDAG_ENDPOINT=e", "TMPDIR=/tmp", "TMPDIR=/x",
	}, map[string]string{"TMPDIR": "/run", "A": ""})
	want := []string{"PATH=/bin", "PLUGIN_MINE=kept", "OUTRIDER_DIGDAG_ENDPOINT=e", "A=", "TMPDIR=/run"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// awaitGone fails if the process is not gone, or dead and not yet reaped, soon.
func awaitGone(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
	}
	t.Errorf("process %d is still there", pid)
}
