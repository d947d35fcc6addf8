package run

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// script is an executor that plays one function an attempt, as a task.
type script []func(ctx context.Context, l Listener) Outcome

func (s script) Execute(ctx context.Context, attempt int, l Listener) Outcome {
	l.Alive()
	return s[attempt-1](ctx, l)
}

// waits is an executor whose task does not begin at once.
type waits func(ctx context.Context, l Listener) Outcome

func (w waits) Execute(ctx context.Context, _ int, l Listener) Outcome { return w(ctx, l) }

type silent struct{ Listener }

func (silent) Log(*taskv1.LogLine)               {}
func (silent) Progress(float64, float64, string) {}
func (silent) Alive()                            {}

func gives(o Outcome) func(context.Context, Listener) Outcome {
	return func(context.Context, Listener) Outcome { return o }
}

// untilCancelled is a task that stops when asked and then reports o.
func untilCancelled(o Outcome) func(context.Context, Listener) Outcome {
	return func(ctx context.Context, _ Listener) Outcome {
		<-ctx.Done()
		return o
	}
}

var (
	ok        = Outcome{State: Success, Output: []byte(`{}`)}
	fails     = Outcome{State: Failed, Message: "no"}
	permanent = Outcome{State: Failed, Permanent: true, Message: "never"}
)

func do(ctx context.Context, s Spec, x Executor) (Outcome, []time.Duration) {
	var waits []time.Duration
	o := Do(ctx, s, x, silent{}, func(_ Outcome, w time.Duration) { waits = append(waits, w) })
	return o, waits
}

func TestRetries(t *testing.T) {
	later := fails
	later.RetryAfter = time.Hour
	for name, c := range map[string]struct {
		retries  int
		script   script
		state    State
		attempts int
	}{
		"success needs none":       {3, script{gives(ok)}, Success, 1},
		"failure without retries":  {0, script{gives(fails)}, Failed, 1},
		"second try":               {3, script{gives(fails), gives(ok)}, Success, 2},
		"all used":                 {1, script{gives(fails), gives(fails)}, Failed, 2},
		"permanent is not retried": {3, script{gives(permanent)}, Failed, 1},
		"skip is not retried":      {3, script{gives(Outcome{State: Skipped})}, Skipped, 1},
		"crash is retried":         {1, script{gives(Outcome{State: Crashed, Broken: true}), gives(ok)}, Success, 2},
		"broken plugin is not":     {3, script{gives(Outcome{State: Failed, Broken: true})}, Failed, 1},
		"misuse is not":            {3, script{gives(Outcome{State: Failed, Misused: true})}, Failed, 1},
		"retry after":              {1, script{gives(later), gives(ok)}, Success, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, waits := do(context.Background(), Spec{Retries: c.retries, Backoff: DefaultBackoff()}, c.script)
				if o.State != c.state || o.Attempts != c.attempts {
					t.Fatalf("got %s after %d attempts, want %s after %d", o.State, o.Attempts, c.state, c.attempts)
				}
				if len(waits) != c.attempts-1 {
					t.Fatalf("told of %d waits", len(waits))
				}
				if name == "retry after" && waits[0] != time.Hour {
					t.Fatalf("waited %s instead of the hour asked for", waits[0])
				}
			})
		})
	}
}

func TestBackoffDoublesToItsLongest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var x script
		for range 12 {
			x = append(x, gives(fails))
		}
		_, waits := do(context.Background(), Spec{Retries: 11, Backoff: Backoff{Initial: time.Second, Max: time.Minute}}, x)
		for i, w := range waits {
			middle := min(time.Second<<i, time.Minute)
			if w < middle/2 || w > middle*3/2 {
				t.Errorf("wait %d was %s, want %s ± half", i+1, w, middle)
			}
		}
	})
}

func TestTimeoutCoversRetriesAndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		o, _ := do(context.Background(), Spec{Timeout: 10 * time.Second, Retries: 9, Backoff: Backoff{Initial: time.Hour, Max: time.Hour}},
			script{gives(fails)})
		if o.State != TimedOut || o.Code != CodeTimeout || o.Exit(0) != 124 {
			t.Fatalf("outcome %+v", o)
		}
		if !strings.Contains(o.Message, "last: no") {
			t.Errorf("the last error is not told: %q", o.Message)
		}
		if d := time.Since(began); d != 10*time.Second {
			t.Errorf("took %s", d)
		}
	})
}

func TestIdleTimeoutRunsFromTheLastMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		talksThenHangs := func(ctx context.Context, l Listener) Outcome {
			for _, say := range []func(){func() { l.Log(nil) }, l.Alive, func() { l.Progress(1, 2, "") }} {
				time.Sleep(4 * time.Second)
				say()
			}
			<-ctx.Done()
			return Outcome{State: Cancelled}
		}
		o, _ := do(context.Background(), Spec{IdleTimeout: 5 * time.Second}, script{talksThenHangs})
		if o.State != TimedOut || o.Code != CodeIdle {
			t.Fatalf("outcome %+v", o)
		}
		if d := time.Since(began); d != 17*time.Second {
			t.Errorf("ended after %s, want 3 × 4 s + 5 s", d)
		}
	})
}

// TestTimeBeginsWithTheTask: to wait for the ledger's answer is neither to be idle nor
// to take long, also where the plugin prints while it starts.
func TestTimeBeginsWithTheTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begins := func(ctx context.Context, l Listener) Outcome {
			l.Log(nil)
			select {
			case <-time.After(time.Hour):
			case <-ctx.Done():
				return Outcome{State: Cancelled}
			}
			l.Alive()
			return ok
		}
		if o, _ := do(context.Background(), Spec{Timeout: time.Second, IdleTimeout: time.Second}, waits(begins)); o.State != Success {
			t.Fatalf("outcome %+v", o)
		}
	})
}

func TestIdleAttemptIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := do(context.Background(), Spec{IdleTimeout: time.Second, Retries: 1, Backoff: DefaultBackoff()},
			script{untilCancelled(Outcome{State: Cancelled}), gives(ok)})
		if o.State != Success || o.Attempts != 2 {
			t.Fatalf("outcome %+v", o)
		}
	})
}

func TestASignalIsNeverExitZero(t *testing.T) {
	for name, ends := range map[string]Outcome{
		"task obeys":        {State: Cancelled},
		"task ignores it":   ok,
		"task fails":        fails,
		"task is permanent": permanent,
		"plugin dies":       {State: Crashed, Broken: true, Message: "died"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(context.Background())
			x := script{func(ctx context.Context, _ Listener) Outcome {
				cancel(Signalled(syscall.SIGTERM))
				<-ctx.Done()
				return ends
			}}
			o, _ := do(ctx, Spec{Retries: 5, Backoff: DefaultBackoff()}, x)
			if o.Exit(0) != 143 || o.State != Cancelled || o.Attempts != 1 {
				t.Fatalf("exit %d, outcome %+v", o.Exit(0), o)
			}
			if !strings.Contains(o.Message, "SIGTERM") {
				t.Errorf("message %q does not name the signal", o.Message)
			}
		})
	}
}

func TestSignalWhileWaitingForARetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(context.Background())
		time.AfterFunc(time.Second, func() { cancel(Signalled(syscall.SIGINT)) })
		o, _ := do(ctx, Spec{Retries: 5, Backoff: Backoff{Initial: time.Hour, Max: time.Hour}}, script{gives(fails)})
		if o.Exit(0) != 130 {
			t.Fatalf("exit %d, outcome %+v", o.Exit(0), o)
		}
	})
}

func TestCancelWithoutASignal(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("the attempt was killed in Digdag"))
	o, _ := do(ctx, Spec{}, script{untilCancelled(Outcome{State: Cancelled})})
	if o.Exit(0) != 143 || !strings.Contains(o.Message, "killed in Digdag") {
		t.Fatalf("exit %d, outcome %+v", o.Exit(0), o)
	}
}

func TestExitCodes(t *testing.T) {
	for want, o := range map[int]Outcome{
		0:   {State: Success},
		1:   {State: Failed},
		2:   {State: Failed, Permanent: true, Misused: true},
		3:   {State: Failed, Permanent: true},
		5:   {State: Crashed, Broken: true},
		99:  {State: Skipped},
		124: {State: TimedOut},
		129: {State: Cancelled, Signal: syscall.SIGHUP},
		143: {State: Cancelled},
	} {
		if got := o.Exit(99); got != want {
			t.Errorf("%+v: exit %d, want %d", o, got, want)
		}
	}
}

func TestParseBackoff(t *testing.T) {
	for in, want := range map[string]Backoff{
		"2s":     {2 * time.Second, 5 * time.Minute},
		"2s..1m": {2 * time.Second, time.Minute},
		"10m":    {10 * time.Minute, 10 * time.Minute},
		"0s..0s": {},
	} {
		if got, err := ParseBackoff(in); err != nil || got != want {
			t.Errorf("%s: %+v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "2", "-1s", "5s..1s", "1s..x", "1s-2s"} {
		if _, err := ParseBackoff(in); err == nil || !strings.Contains(err.Error(), `backoff "`+in+`"`) {
			t.Errorf("%q: error %v", in, err)
		}
	}
}
