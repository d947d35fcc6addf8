package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/outrider-run/outrider/sdk/internal/client"
	"github.com/outrider-run/outrider/sdk/internal/engine"
	"github.com/outrider-run/outrider/sdk/manifest"
	"github.com/outrider-run/outrider/sdk/protocol"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// body is a component without parameters.
type body func(ctx context.Context, run *engine.Run) (string, error)

func serverOf(fn body) *engine.Server {
	return engine.NewServer(manifest.Manifest{}, []*engine.Component{{
		Name:  "test.it",
		Check: func() error { return nil },
		Run: func(ctx context.Context, run *engine.Run, _ json.RawMessage) (json.RawMessage, error) {
			out, err := fn(ctx, run)
			return json.RawMessage(out), err
		},
	}})
}

// local runs fn in this process.
func local(t testing.TB, fn body, ev client.Events, change ...func(*taskv1.Start)) *taskv1.Result {
	t.Helper()
	return localContext(t, t.Context(), fn, ev, change...)
}

func localContext(t testing.TB, ctx context.Context, fn body, ev client.Events, change ...func(*taskv1.Start)) *taskv1.Result {
	t.Helper()
	dir := t.TempDir()
	start := &taskv1.Start{
		Component: "test.it", Params: []byte(`{}`), LogLevel: "trace",
		TempDir: filepath.Join(dir, "tmp"), ArtifactDir: filepath.Join(dir, "artifacts"),
	}
	for _, c := range change {
		c(start)
	}
	server := serverOf(fn)
	r, err := client.Local(ctx, func(s client.Server) error { return server.Local(s) }, start, ev)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestResults(t *testing.T) {
	plain := errors.New("no luck")
	permanent := &engine.Verdict{Kind: taskv1.Result_PERMANENT, Err: plain}
	coded := &engine.Verdict{Code: "no_table", Err: permanent}
	later := &engine.Verdict{Kind: taskv1.Result_FAILED, RetryAfter: 90 * time.Second, Err: plain}
	skip := &engine.Verdict{Kind: taskv1.Result_SKIPPED, Err: errors.New("nothing new")}
	unchanged := &engine.Verdict{Unchanged: true}
	big := `{"x":"` + strings.Repeat("x", protocol.MaxOutput) + `"}`
	for name, c := range map[string]struct {
		out  string
		err  error
		want *taskv1.Result
	}{
		"success":        {`{"a":1}`, nil, &taskv1.Result{Kind: taskv1.Result_SUCCESS, Output: []byte(`{"a":1}`)}},
		"unchanged":      {`{}`, unchanged, &taskv1.Result{Kind: taskv1.Result_SUCCESS, Output: []byte(`{}`), Unchanged: true}},
		"plain error":    {``, plain, &taskv1.Result{Kind: taskv1.Result_FAILED, Error: "no luck"}},
		"permanent":      {``, permanent, &taskv1.Result{Kind: taskv1.Result_PERMANENT, Error: "no luck"}},
		"wrapped":        {``, fmt.Errorf("loading: %w", permanent), &taskv1.Result{Kind: taskv1.Result_PERMANENT, Error: "loading: no luck"}},
		"joined":         {``, errors.Join(plain, permanent), &taskv1.Result{Kind: taskv1.Result_PERMANENT, Error: "no luck\nno luck"}},
		"code and kind":  {``, coded, &taskv1.Result{Kind: taskv1.Result_PERMANENT, Code: "no_table", Error: "no luck"}},
		"outermost code": {``, &engine.Verdict{Code: "outer", Err: coded}, &taskv1.Result{Kind: taskv1.Result_PERMANENT, Code: "outer", Error: "no luck"}},
		"retry after":    {``, later, &taskv1.Result{Kind: taskv1.Result_FAILED, RetryAfterMs: 90_000, Error: "no luck"}},
		"least wish":     {``, &engine.Verdict{RetryAfter: 1, Err: plain}, &taskv1.Result{Kind: taskv1.Result_FAILED, RetryAfterMs: 1, Error: "no luck"}},
		"skip":           {``, skip, &taskv1.Result{Kind: taskv1.Result_SKIPPED, Error: "nothing new"}},
		"bad UTF-8":      {``, errors.New("a\xffb"), &taskv1.Result{Kind: taskv1.Result_FAILED, Error: "a\uFFFDb"}},
		"result too large": {big, nil, &taskv1.Result{
			Kind: taskv1.Result_PERMANENT, Code: "result_too_large",
			Error: fmt.Sprintf("the output is %d bytes of JSON, the most is %d", len(big), protocol.MaxOutput),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got := local(t, func(context.Context, *engine.Run) (string, error) { return c.out, c.err }, client.Events{})
			if got.String() != c.want.String() {
				t.Errorf("got  %v\nwant %v", got, c.want)
			}
		})
	}
}

func TestErrorTextIsCapped(t *testing.T) {
	r := local(t, func(context.Context, *engine.Run) (string, error) {
		return "", errors.New(strings.Repeat("é", 1<<20))
	}, client.Events{})
	if n := len(r.GetError()); n > 64<<10 || n < 60<<10 || !utf8.ValidString(r.GetError()) {
		t.Errorf("%d bytes of error text", n)
	}
}

func TestPanicAndGoexitAreOutcomes(t *testing.T) {
	r := local(t, func(context.Context, *engine.Run) (string, error) { panic(errors.New("boom")) }, client.Events{})
	if r.GetCode() != "panic" || r.GetError() != "panic: boom" || !strings.Contains(r.GetStack(), "engine_test.go") {
		t.Errorf("panic: %v", r)
	}
	r = local(t, func(context.Context, *engine.Run) (string, error) { runtime.Goexit(); return "", nil }, client.Events{})
	if r.GetCode() != "panic" || r.GetKind() != taskv1.Result_FAILED {
		t.Errorf("Goexit: %v", r)
	}
}

func TestCancel(t *testing.T) {
	reason := errors.New("timed out after 5s")
	begin := func(fn body) *taskv1.Result {
		ctx, cancel := context.WithCancelCause(t.Context())
		return localContext(t, ctx, func(ctx context.Context, run *engine.Run) (string, error) {
			cancel(reason)
			<-ctx.Done()
			return fn(ctx, run)
		}, client.Events{})
	}
	r := begin(func(ctx context.Context, _ *engine.Run) (string, error) { return "", ctx.Err() })
	if r.GetKind() != taskv1.Result_CANCELLED || r.GetError() != "cancelled: timed out after 5s: context canceled" {
		t.Errorf("error after cancel: %v", r)
	}
	r = begin(func(ctx context.Context, _ *engine.Run) (string, error) { return "", context.Cause(ctx) })
	if r.GetKind() != taskv1.Result_CANCELLED || r.GetError() != "cancelled: timed out after 5s" {
		t.Errorf("cause after cancel: %v", r)
	}
	r = begin(func(context.Context, *engine.Run) (string, error) { return `{}`, nil })
	if r.GetKind() != taskv1.Result_SUCCESS {
		t.Errorf("success after cancel: %v", r)
	}
	r = begin(func(context.Context, *engine.Run) (string, error) { panic("late") })
	if r.GetCode() != "panic" || r.GetKind() != taskv1.Result_FAILED {
		t.Errorf("panic after cancel: %v", r)
	}
	// Cleaning up may still store what was done.
	stored := ""
	ctx, cancel := context.WithCancelCause(t.Context())
	r = localContext(t, ctx, func(ctx context.Context, run *engine.Run) (string, error) {
		cancel(reason)
		<-ctx.Done()
		if err := run.Checkpoint(ctx, 1); !errors.Is(err, context.Cause(ctx)) {
			t.Errorf("a checkpoint under the ended context: %v", err)
		}
		if err := run.Checkpoint(context.WithoutCancel(ctx), 2); err != nil {
			t.Errorf("a checkpoint after cancel: %v", err)
		}
		w, err := run.Create("late")
		if err == nil {
			err = w.Close()
		}
		return `{}`, err
	}, client.Events{Checkpoint: func(v []byte) error { stored += string(v); return nil }})
	if r.GetKind() != taskv1.Result_SUCCESS || stored != "2" {
		t.Errorf("%v, stored %q", r, stored)
	}
}

func TestUnknownComponent(t *testing.T) {
	r := local(t, nil, client.Events{}, func(s *taskv1.Start) { s.Component = "test.other" })
	if r.GetKind() != taskv1.Result_PERMANENT || r.GetCode() != "unknown_component" {
		t.Errorf("%v", r)
	}
}

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
	seen := make(chan struct{})
	r := local(t, func(ctx context.Context, run *engine.Run) (string, error) {
		run.Log.Info("now")
		select {
		case <-seen:
			return `{}`, nil
		case <-time.After(patience):
			return "", errors.New("the line never came")
		}
	}, client.Events{Log: func(*taskv1.LogLine) { close(seen) }})
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

func TestAnswers(t *testing.T) {
	dir := t.TempDir()
	given := filepath.Join(dir, "given")
	if err := os.WriteFile(given, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := local(t, func(ctx context.Context, run *engine.Run) (string, error) {
		if err := run.Checkpoint(ctx, map[string]any{"at": 90 * time.Second}); err != nil {
			t.Errorf("checkpoint: %v", err)
		}
		if err := run.Checkpoint(ctx, "refuse"); err == nil || !strings.Contains(err.Error(), "disk full") {
			t.Errorf("a refused checkpoint: %v", err)
		}
		if err := run.Checkpoint(ctx, func() {}); err == nil {
			t.Error("a function was taken for a checkpoint")
		}
		if err := run.Checkpoint(ctx, strings.Repeat("x", protocol.MaxOutput)); err == nil || !strings.Contains(err.Error(), "the most is") {
			t.Errorf("a checkpoint that is too large: %v", err)
		}
		f, err := run.Open("+load", "rows.csv")
		if err != nil {
			t.Fatalf("open: %v", err)
		}
		defer f.Close()
		if raw, _ := io.ReadAll(f); string(raw) != "content" {
			t.Errorf("read %q", raw)
		}
		if _, err := run.Open("+load", "other"); err == nil || !strings.Contains(err.Error(), "artifact_elsewhere") {
			t.Errorf("open: %v", err)
		}
		return `{}`, nil
	}, client.Events{
		Checkpoint: func(v []byte) error {
			if string(v) == `"refuse"` {
				return errors.New("disk full")
			}
			if string(v) != `{"at":"1m30s"}` {
				t.Errorf("checkpoint %s", v)
			}
			return nil
		},
		Open: func(task, name string) (string, error) {
			if task != "+load" || name != "rows.csv" {
				return "", errors.New("artifact_elsewhere: on host b")
			}
			return given, nil
		},
	})
	if r.GetKind() != taskv1.Result_SUCCESS {
		t.Error(r)
	}
}

func TestRestore(t *testing.T) {
	type mark struct {
		Row int
		Age time.Duration
	}
	local(t, func(ctx context.Context, run *engine.Run) (string, error) {
		var m mark
		if ok, err := run.Restore(&m); !ok || err != nil || m != (mark{7, time.Minute}) {
			t.Errorf("%v %v %+v", ok, err, m)
		}
		var wrong int
		if ok, err := run.Restore(&wrong); ok || err == nil {
			t.Errorf("a checkpoint of another type: %v %v", ok, err)
		}
		return `{}`, nil
	}, client.Events{}, func(s *taskv1.Start) { s.Restore = []byte(`{"Row":7,"Age":"1m0s"}`) })
	local(t, func(ctx context.Context, run *engine.Run) (string, error) {
		if ok, err := run.Restore(new(int)); ok || err != nil {
			t.Errorf("without a checkpoint: %v %v", ok, err)
		}
		return `{}`, nil
	}, client.Events{})
}

func TestTempDir(t *testing.T) {
	local(t, func(ctx context.Context, run *engine.Run) (string, error) {
		dir, err := run.TempDir()
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%v %v", info, err)
		}
		return `{}`, nil
	}, client.Events{})
}

// brokenStream is a host that breaks the contract, or goes away.
type brokenStream struct {
	ctx  context.Context
	recv chan *taskv1.HostMsg
	sent []*taskv1.TaskMsg
	fail error
}

func (b *brokenStream) Context() context.Context { return b.ctx }

func (b *brokenStream) Send(m *taskv1.TaskMsg) error {
	b.sent = append(b.sent, m)
	return b.fail
}

func (b *brokenStream) Recv() (*taskv1.HostMsg, error) {
	m, ok := <-b.recv
	if !ok {
		return nil, errors.New("connection lost")
	}
	return m, nil
}

func TestTheFirstMessageHasToBeStart(t *testing.T) {
	b := &brokenStream{ctx: t.Context(), recv: make(chan *taskv1.HostMsg, 1)}
	b.recv <- &taskv1.HostMsg{Msg: &taskv1.HostMsg_Cancel{}}
	if err := serverOf(nil).Local(b); err == nil {
		t.Error("a run without Start began")
	}
}

func TestALostHostEndsEveryWait(t *testing.T) {
	b := &brokenStream{ctx: t.Context(), recv: make(chan *taskv1.HostMsg, 3)}
	b.recv <- &taskv1.HostMsg{Msg: &taskv1.HostMsg_Start{Start: &taskv1.Start{Component: "test.it"}}}
	b.recv <- &taskv1.HostMsg{Msg: &taskv1.HostMsg_Ack{Ack: &taskv1.Ack{Seq: 99}}} // nobody's
	b.recv <- &taskv1.HostMsg{}                                                    // of a later version
	err := serverOf(func(ctx context.Context, run *engine.Run) (string, error) {
		go close(b.recv)
		if err := run.Checkpoint(context.WithoutCancel(ctx), 1); err == nil || !strings.Contains(err.Error(), "closed the stream") {
			t.Errorf("a checkpoint without a host: %v", err)
		}
		<-ctx.Done()
		return `{}`, nil
	}).Local(b)
	if err != nil {
		t.Error(err)
	}
}

func TestNothingIsSentIntoABrokenStream(t *testing.T) {
	b := &brokenStream{ctx: t.Context(), recv: make(chan *taskv1.HostMsg, 1), fail: errors.New("broken pipe")}
	b.recv <- &taskv1.HostMsg{Msg: &taskv1.HostMsg_Start{Start: &taskv1.Start{Component: "test.it", LogLevel: "info"}}}
	err := serverOf(func(ctx context.Context, run *engine.Run) (string, error) {
		for range 1000 {
			run.Log.Info(strings.Repeat("x", 64<<10))
		}
		if err := run.Checkpoint(ctx, 1); err == nil || !strings.Contains(err.Error(), "broken pipe") {
			t.Errorf("checkpoint: %v", err)
		}
		return `{}`, nil
	}).Local(b)
	if err == nil || len(b.sent) != 1 {
		t.Errorf("%d messages were sent; %v", len(b.sent), err)
	}
}

func TestAProcessServesOneRun(t *testing.T) {
	s := startPlugin(t)
	r, _ := s.run(t, "test.nothing", `{}`, "")
	wantSuccess(t, r)
	if _, err := s.Execute(t.Context(), s.start("test.nothing", `{}`), client.Events{}); err == nil || !strings.Contains(err.Error(), "one Execute") {
		t.Errorf("a second run: %v", err)
	}
}

// Batches are of 64 KiB at most, but for one line that is larger.
func TestBatchSize(t *testing.T) {
	b := &brokenStream{ctx: t.Context(), recv: make(chan *taskv1.HostMsg, 1)}
	b.recv <- &taskv1.HostMsg{Msg: &taskv1.HostMsg_Start{Start: &taskv1.Start{Component: "test.it", LogLevel: "info"}}}
	err := serverOf(func(ctx context.Context, run *engine.Run) (string, error) {
		for i := range 20_000 {
			run.Log.Info(strings.Repeat("x", i%500))
		}
		return `{}`, nil
	}).Local(b)
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for i, m := range b.sent {
		if m.GetSeq() != uint64(i+1) {
			t.Fatalf("message %d has the number %d", i+1, m.GetSeq())
		}
		size := 0
		for _, l := range m.GetLog().GetLines() {
			lines++
			size += len(l.GetMessage())
		}
		if size > 65<<10 {
			t.Errorf("a batch of %d bytes", size)
		}
	}
	if lines != 20_000 || b.sent[len(b.sent)-1].GetResult() == nil {
		t.Errorf("%d lines, last message %v", lines, b.sent[len(b.sent)-1])
	}
}
