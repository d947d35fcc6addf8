package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/outrider-run/outrider/sdk/internal/client"
	"github.com/outrider-run/outrider/sdk/internal/engine"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// What a task says comes in the order in which it says it.
func TestOrder(t *testing.T) {
	var got []string
	say := func(s string) { got = append(got, s) }
	r := local(t, func(ctx context.Context, run *engine.Run) (string, error) {
		run.Log.Info("1")
		run.Progress(2, 10, "")
		run.Log.Info("3")
		run.Alive()
		run.Log.Info("5")
		if err := run.Checkpoint(ctx, 6); err != nil {
			return "", err
		}
		run.Log.Info("7")
		run.Log.Info("8")
		return `{}`, nil
	}, client.Events{
		Log:        func(l *taskv1.LogLine) { say(l.GetMessage()) },
		Progress:   func(p *taskv1.Progress) { say(fmt.Sprint(p.GetDone())) },
		Alive:      func() { say("4") },
		Checkpoint: func(v []byte) error { say(string(v)); return nil },
	})
	if r.GetKind() != taskv1.Result_SUCCESS || strings.Join(got, "") != "12345678" {
		t.Errorf("%v, order %q", r, got)
	}
}

func TestALineIsNotHeldBackUntilTheBatchIsFull(t *testing.T) {
	seen := make(chan struct{}, 1)
	r := local(t, func(ctx context.Context, run *engine.Run) (string, error) {
		for range 3 {
			run.Log.Info("now")
			select {
			case <-seen:
			case <-time.After(patience):
				return "", errors.New("the line never came")
			}
		}
		return `{}`, nil
	}, client.Events{Log: func(*taskv1.LogLine) { seen <- struct{}{} }})
	if r.GetKind() != taskv1.Result_SUCCESS {
		t.Error(r)
	}
}

func TestManyGoroutinesLogEachInOrder(t *testing.T) {
	const writers, lines = 8, 2000
	next := make([]int, writers)
	r := local(t, func(ctx context.Context, run *engine.Run) (string, error) {
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for i := range lines {
					run.Log.Info("line", "w", w, "i", i)
					if i%100 == 0 {
						run.Progress(float64(i), lines, "")
					}
				}
			})
		}
		wg.Wait()
		return `{}`, nil
	}, client.Events{Log: func(l *taskv1.LogLine) {
		var f struct{ W, I int }
		if err := json.Unmarshal(l.GetFields(), &f); err != nil || next[f.W] != f.I {
			t.Errorf("writer %d: line %d came where %d was due (%v)", f.W, f.I, next[f.W], err)
		}
		next[f.W]++
	}})
	if r.GetKind() != taskv1.Result_SUCCESS || slices.Min(next) != lines {
		t.Errorf("%v; lines by writer: %v", r, next)
	}
}

// A task that reports every row costs few messages, and the last one counts.
func TestProgressIsThinnedOut(t *testing.T) {
	const rows = 200_000
	n, last := 0, 0.0
	began := time.Now()
	r := local(t, func(ctx context.Context, run *engine.Run) (string, error) {
		for i := range rows {
			run.Progress(float64(i+1), rows, "")
			run.Alive()
		}
		return `{}`, nil
	}, client.Events{Progress: func(p *taskv1.Progress) { n, last = n+1, p.GetDone() }})
	if most := int(time.Since(began)/(5*time.Millisecond)) + 2; n > most || last != rows || r.GetKind() != taskv1.Result_SUCCESS {
		t.Errorf("%d messages (at most %d), the last %v; %v", n, most, last, r)
	}
}

// A host that does not read makes who logs wait.
func TestBackpressure(t *testing.T) {
	const lines = 100_000
	var logged, read int
	blocked := make(chan struct{})
	r := local(t, func(ctx context.Context, run *engine.Run) (string, error) {
		wrote := make(chan struct{}, lines)
		go func() {
			for range lines {
				run.Log.Info(strings.Repeat("x", 1000))
				wrote <- struct{}{}
			}
			close(wrote)
		}()
		for open := true; open; {
			select {
			case _, open = <-wrote:
				logged++
			case <-time.After(300 * time.Millisecond): // it waits
				if blocked != nil {
					close(blocked)
					blocked = nil
				}
			}
		}
		return `{}`, nil
	}, client.Events{Log: func() func(*taskv1.LogLine) {
		wait := blocked
		return func(*taskv1.LogLine) {
			if read++; read == 1 {
				<-wait
				if logged > 1000 {
					t.Errorf("%d lines were taken while nobody read", logged)
				}
			}
		}
	}()})
	if r.GetKind() != taskv1.Result_SUCCESS || read != lines {
		t.Errorf("%v; %d lines read", r, read)
	}
}

func TestLongAndBrokenLines(t *testing.T) {
	var got []*taskv1.LogLine
	long := strings.Repeat("aé", 350_000) // about 1 MB; a cut would split a rune
	local(t, func(ctx context.Context, run *engine.Run) (string, error) {
		run.Log.Info(long, "k", "v")
		run.Log.Info("a\xffb", "k\xff", "v\xff", "long", strings.Repeat("x", 1<<20))
		many := []any{}
		for i := range 100 {
			many = append(many, fmt.Sprint("k", i), strings.Repeat("y", 10_000))
		}
		run.Log.Info("many", many...)
		return `{}`, nil
	}, client.Events{Log: func(l *taskv1.LogLine) { got = append(got, l) }})
	text := ""
	for _, l := range got[:len(got)-2] {
		if len(l.GetMessage()) > 64<<10 || !utf8.ValidString(l.GetMessage()) {
			t.Errorf("a piece of %d bytes", len(l.GetMessage()))
		}
		text += l.GetMessage()
	}
	if text != long || string(got[0].GetFields()) != `{"k":"v"}` || got[1].GetFields() != nil {
		t.Errorf("%d pieces, %d bytes of %d; fields %s, %s", len(got)-2, len(text), len(long), got[0].GetFields(), got[1].GetFields())
	}
	broken, many := got[len(got)-2], got[len(got)-1]
	var f map[string]string
	if err := json.Unmarshal(broken.GetFields(), &f); err != nil || broken.GetMessage() != "a\uFFFDb" ||
		f["k\uFFFD"] != "v\uFFFD" || len(f["long"]) > 17<<10 {
		t.Errorf("%q %.200s: %v", broken.GetMessage(), broken.GetFields(), err)
	}
	if !json.Valid(many.GetFields()) || len(many.GetFields()) > 64<<10 || !strings.HasSuffix(string(many.GetFields()), `,"fields_cut":true}`) {
		t.Errorf("%d bytes of fields, ending %.60s", len(many.GetFields()), many.GetFields()[len(many.GetFields())-60:])
	}
}

// A task that ignores a Cancel tells where it hangs before it is killed.
func TestAStubbornTaskTellsItsStacks(t *testing.T) {
	told := make(chan struct{})
	b := &brokenStream{ctx: t.Context(), recv: make(chan *taskv1.HostMsg, 3), onSend: func(m *taskv1.TaskMsg) {
		for _, l := range m.GetLog().GetLines() {
			if l.GetLevel() == "warn" && strings.Contains(l.GetMessage(), "still running 15ms after it was cancelled") &&
				strings.Contains(l.GetMessage(), "TestAStubbornTaskTellsItsStacks") {
				close(told)
			}
		}
	}}
	b.recv <- &taskv1.HostMsg{Msg: &taskv1.HostMsg_Start{Start: &taskv1.Start{Component: "test.it", LogLevel: "info"}}}
	b.recv <- &taskv1.HostMsg{Msg: &taskv1.HostMsg_Cancel{Cancel: &taskv1.Cancel{Reason: "enough", GraceMs: 20}}}
	err := serverOf(func(context.Context, *engine.Run) (string, error) {
		select {
		case <-told:
		case <-time.After(patience):
			t.Error("nothing was told")
		}
		return `{}`, nil
	}).Local(b)
	if err != nil {
		t.Error(err)
	}
}
