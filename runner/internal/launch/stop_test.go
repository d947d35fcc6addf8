package launch

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/outrider-run/outrider/sdk/protocol"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

var errStop = errors.New("killed in Digdag")

// stops starts a task, cancels it once it is ready and returns what came of it.
func (b *bench) stops() (*Plugin, *taskv1.Result, error) {
	b.t.Helper()
	b.said.said = make(chan string, 8)
	p := b.start()
	ctx, cancel := context.WithCancelCause(b.t.Context())
	defer cancel(nil)
	go func() {
		<-b.said.said
		cancel(errStop)
	}()
	r, err := b.execute(ctx, p)
	return p, r, err
}

func TestCancelReasonReachesTheTask(t *testing.T) {
	p, r, err := newBench(t, "obeys").stops()
	if err != nil || string(r.GetOutput()) != `"killed in Digdag within 300 ms"` {
		t.Fatalf("result %v, error %v", r, err)
	}
	inTime(t, "Close", p.Close)
}

func TestCancelledBeforeItBegan(t *testing.T) {
	for range 10 {
		b := newBench(t, "obeys")
		b.o.Stop.Cancel = hang / 2
		p := b.start()
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errStop)
		r, err := b.execute(ctx, p)
		if err != nil || !strings.Contains(string(r.GetOutput()), "killed in Digdag") {
			t.Fatalf("result %v, error %v", r, err)
		}
		inTime(t, "Close", p.Close)
	}
}

func TestKilledWhenCancelIsNotAnswered(t *testing.T) {
	for _, fault := range []string{"ignores cancel", "stops reading", "frozen"} {
		t.Run(fault, func(t *testing.T) {
			p, r, err := newBench(t, fault).stops()
			if err == nil {
				t.Fatalf("result %v", r)
			}
			asError(t, err).want(t, CodeUnresponsive, "within 300ms", "killed in Digdag")
			inTime(t, "Close", p.Close)
		})
	}
}

func TestKilledWhenItReadsNothing(t *testing.T) {
	b := newBench(t, "reads nothing")
	b.said.said = make(chan string, 8)
	p := b.start()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	go func() {
		<-b.said.said
		cancel(errStop)
	}()
	inTime(t, "Execute", func() {
		_, err := p.Execute(ctx, &taskv1.Start{Params: make([]byte, protocol.MaxParams)}, b.said)
		asError(t, err).want(t, CodeUnresponsive)
	})
	inTime(t, "Close", p.Close)
}

func TestFrozenAfterTheResult(t *testing.T) {
	b := newBench(t, "frozen after the result")
	b.o.Stop.Kill = 100 * time.Millisecond
	b.succeeds()
}

func TestDoesNotExit(t *testing.T) {
	b := newBench(t, "slow exit")
	b.o.Stop.Kill = 100 * time.Millisecond
	b.succeeds()
}

// TestExitsByItselfAfterACancel leaves a task that answered the moment to go.
func TestExitsByItselfAfterACancel(t *testing.T) {
	b := newBench(t, "obeys")
	b.o.Stop.Kill = hang / 4
	p, _, err := b.stops()
	if err != nil {
		t.Fatal(err)
	}
	inTime(t, "Close", p.Close)
	if exit := p.running().Exit(); exit.Code != 0 || exit.Signal != 0 {
		t.Errorf("%s", exit)
	}
	if left, _ := filepath.Glob(filepath.Join(b.o.Dir, "*")); len(left) > 0 {
		t.Errorf("left %q", left)
	}
}

// TestEndsAtOnceAfterTheResult does not wait for a process that is done.
func TestEndsAtOnceAfterTheResult(t *testing.T) {
	b := newBench(t, "slow exit")
	b.o.Stop.Kill = hang
	p := b.start()
	if _, err := b.execute(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	inTime(t, "Close", p.Close)
	if exit := p.running().Exit(); exit.Signal != syscall.SIGKILL {
		t.Errorf("%s", exit)
	}
	if left, _ := filepath.Glob(filepath.Join(b.o.Dir, "*")); len(left) > 0 {
		t.Errorf("left %q", left)
	}
}

func TestKill(t *testing.T) {
	b := newBench(t, "ignores cancel")
	b.o.Stop.Cancel = time.Hour
	b.said.said = make(chan string, 8)
	p := b.start()
	go func() {
		<-b.said.said
		p.Kill()
	}()
	_, err := b.execute(t.Context(), p)
	asError(t, err).want(t, CodeKilled)
	inTime(t, "Close", p.Close)
}

func TestExecuteReturnsThoughEventsDoNot(t *testing.T) {
	b := newBench(t, "ignores cancel")
	b.o.Stop.Reap = 100 * time.Millisecond
	b.said.block = make(chan struct{})
	p, _, err := b.stops()
	asError(t, err).want(t, CodeUnresponsive)
	inTime(t, "Close", p.Close)
	close(b.said.block)
}

func TestStartEndsWithItsContext(t *testing.T) {
	for _, fault := range []string{"silent", "never accepts"} {
		t.Run(fault, func(t *testing.T) {
			b := newBench(t, fault)
			ctx, cancel := context.WithCancelCause(t.Context())
			go func() {
				for len(marked(b.mark)) == 0 {
					time.Sleep(time.Millisecond)
				}
				cancel(errStop)
			}()
			inTime(t, "Start", func() {
				if _, err := Start(ctx, b.o); !errors.Is(err, errStop) {
					t.Errorf("error %v", err)
				}
			})
		})
	}
	b := newBench(t, "none")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errStop)
	if _, err := Start(ctx, b.o); !errors.Is(err, errStop) {
		t.Errorf("error %v", err)
	}
}

func TestCloseWithoutATask(t *testing.T) {
	b := newBench(t, "none")
	b.o.Stop.Kill = hang / 4
	p := b.start()
	inTime(t, "Close", p.Close)
	if exit := p.running().Exit(); exit.Code != 0 {
		t.Errorf("%s", exit)
	}
	inTime(t, "Close", p.Close)
}

func TestEventsAreAnsweredInOrder(t *testing.T) {
	want := "log one|progress 0.25 rows|alive|checkpoint 7|artifact a.csv|open +b b.csv"
	b := newBench(t, "asks")
	if got := b.succeeds(); got != `";;/where/it/is"` {
		t.Errorf("answers %s", got)
	}
	if got := strings.Join(b.said.events, "|"); got != want {
		t.Errorf("events %s", got)
	}
	b = newBench(t, "asks")
	b.said.answer = errors.New("no \xff room")
	if got := b.succeeds(); got != `"no � room;no � room;no � room/where/it/is"` {
		t.Errorf("answers %s", got)
	}
}

func TestOneTaskAProcess(t *testing.T) {
	b := newBench(t, "none")
	p := b.start()
	if _, err := b.execute(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	_, err := b.execute(t.Context(), p)
	asError(t, err).want(t, CodeStream, "one task")
	inTime(t, "Close", p.Close)
}

func TestStartOverTheLimit(t *testing.T) {
	b := newBench(t, "none")
	p := b.start()
	_, err := p.Execute(t.Context(), &taskv1.Start{Params: make([]byte, protocol.MaxMessage)}, b.said)
	asError(t, err).want(t, CodeTooLarge, "16777216 of them parameters")
	inTime(t, "Close", p.Close)

	p = newBench(t, "none").start()
	if _, err := p.Execute(t.Context(), &taskv1.Start{Params: make([]byte, protocol.MaxParams)}, b.said); err != nil {
		t.Errorf("the largest parameters: %v", err)
	}
	inTime(t, "Close", p.Close)
}

func TestSocketPathTooLong(t *testing.T) {
	b := newBench(t, "none")
	b.o.Dir = filepath.Join(b.o.Dir, strings.Repeat("d", 70))
	if err := os.Mkdir(b.o.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	b.startFails().want(t, CodeStart, "too deep", "OUTRIDER_STATE")
	// The longest that is let through works: the limit is not one too high.
	for len(filepath.Join(b.o.Dir, "plugin-dir4294967295", "plugin4294967295")) > maxSocketPath {
		b.o.Dir = b.o.Dir[:len(b.o.Dir)-1]
	}
	if err := os.Mkdir(b.o.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	b.succeeds()
}

func TestSocketPathLimitIsTheSystems(t *testing.T) {
	dir := shortDir(t)
	for n, works := range map[int]bool{maxSocketPath: true, maxSocketPath + 1: false} {
		l, err := net.Listen("unix", dir+"/"+strings.Repeat("s", n-len(dir)-1))
		if (err == nil) != works {
			t.Errorf("a path of %d bytes: %v", n, err)
		}
		if err == nil {
			_ = l.Close()
		}
	}
}

func TestProcessOfAPlugin(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
	t.Setenv("MY_EXTRA", "x")
	b := newBench(t, "process")
	b.o.Env = append(b.o.Env, Environ(os.Environ(), []string{"MY_EXTRA"})...)
	b.o.Env = append(b.o.Env, protocol.RunDirEnv+"=/elsewhere")
	live, err := os.Create(filepath.Join(b.o.Dir, "live"))
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	if _, err := live.WriteString("seven b"); err != nil {
		t.Fatal(err)
	}
	b.o.Live = live
	want := `"stdin /dev/null, leader true, live 7 <nil>, lifeline 3, dir ` + b.o.Dir + `, secret \"\", extra \"x\""`
	if got := b.succeeds(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestSignalledFromOutside(t *testing.T) {
	b := newBench(t, "stops reading")
	b.said.said = make(chan string, 8)
	p := b.start()
	go func() {
		<-b.said.said
		_ = syscall.Kill(p.running().Pid(), syscall.SIGKILL)
	}()
	_, err := b.execute(t.Context(), p)
	asError(t, err).want(t, CodeCrashed, "killed by SIGKILL", "not by outrider")
	inTime(t, "Close", p.Close)
}
