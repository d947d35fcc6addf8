package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
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
	unchanged := engine.Unchanged()
	big := `{"x":"` + strings.Repeat("x", protocol.MaxOutput) + `"}`
	for name, c := range map[string]struct {
		out  string
		err  error
		want *taskv1.Result
	}{
		"success":         {`{"a":1}`, nil, &taskv1.Result{Kind: taskv1.Result_SUCCESS, Output: []byte(`{"a":1}`)}},
		"unchanged":       {`{}`, unchanged, &taskv1.Result{Kind: taskv1.Result_SUCCESS, Output: []byte(`{}`), Unchanged: true}},
		"plain error":     {``, plain, &taskv1.Result{Kind: taskv1.Result_FAILED, Error: "no luck"}},
		"permanent":       {``, permanent, &taskv1.Result{Kind: taskv1.Result_PERMANENT, Error: "no luck"}},
		"wrapped":         {``, fmt.Errorf("loading: %w", permanent), &taskv1.Result{Kind: taskv1.Result_PERMANENT, Error: "loading: no luck"}},
		"joined":          {``, errors.Join(plain, permanent), &taskv1.Result{Kind: taskv1.Result_PERMANENT, Error: "no luck\nno luck"}},
		"joined others":   {``, errors.Join(permanent, coded, later), &taskv1.Result{Kind: taskv1.Result_PERMANENT, Code: "no_table", Error: "no luck\nno luck\nno luck"}},
		"skip and error":  {``, errors.Join(skip, plain), &taskv1.Result{Kind: taskv1.Result_FAILED, Error: "nothing new\nno luck"}},
		"unchanged, but":  {`{}`, errors.Join(unchanged, plain), &taskv1.Result{Kind: taskv1.Result_FAILED, Error: "nothing to do\nno luck"}},
		"unchanged twice": {`{}`, errors.Join(unchanged, fmt.Errorf("x: %w", unchanged)), &taskv1.Result{Kind: taskv1.Result_SUCCESS, Output: []byte(`{}`), Unchanged: true}},
		"a hidden inside": {``, hiding{}, &taskv1.Result{Kind: taskv1.Result_FAILED, Error: "hiding"}},
		"code and kind":   {``, coded, &taskv1.Result{Kind: taskv1.Result_PERMANENT, Code: "no_table", Error: "no luck"}},
		"outermost code":  {``, &engine.Verdict{Code: "outer", Err: coded}, &taskv1.Result{Kind: taskv1.Result_PERMANENT, Code: "outer", Error: "no luck"}},
		"retry after":     {``, later, &taskv1.Result{Kind: taskv1.Result_FAILED, RetryAfterMs: 90_000, Error: "no luck"}},
		"least wish":      {``, &engine.Verdict{RetryAfter: 1, Err: plain}, &taskv1.Result{Kind: taskv1.Result_FAILED, RetryAfterMs: 1, Error: "no luck"}},
		"skip":            {``, skip, &taskv1.Result{Kind: taskv1.Result_SKIPPED, Error: "nothing new"}},
		"bad UTF-8":       {``, errors.New("a\xffb"), &taskv1.Result{Kind: taskv1.Result_FAILED, Error: "a\uFFFDb"}},
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

// hiding has an Unwrap that gives nothing.
type hiding struct{}

func (hiding) Error() string { return "hiding" }
func (hiding) Unwrap() error { return nil }

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

// brokenStream is a host that breaks the contract, or goes away.
type brokenStream struct {
	ctx  context.Context
	recv chan *taskv1.HostMsg
	sent []*taskv1.TaskMsg
	fail error
	// onSend sees each message.
	onSend func(*taskv1.TaskMsg)
}

func (b *brokenStream) Context() context.Context { return b.ctx }

func (b *brokenStream) Send(m *taskv1.TaskMsg) error {
	b.sent = append(b.sent, m)
	if b.onSend != nil {
		b.onSend(m)
	}
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
