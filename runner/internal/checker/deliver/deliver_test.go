package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/store"
	"github.com/outrider-run/outrider/runner/internal/run"
)

// team is a receiver whose call names the event in one parameter.
func team(name string) Receiver {
	return Receiver{Name: name, Component: "ops.page", Params: json.RawMessage(`{"to": "` + name + `", "say": "{{.Kind}} {{.Incident}} {{.Seq}}"}`), Recovered: true}
}

func says(calls []call) string {
	var all []string
	for _, c := range calls {
		all = append(all, fmt.Sprint(c.params["say"]))
	}
	return strings.Join(all, "\n")
}

func TestAReceiverThatIsDownForAnHour(t *testing.T) {
	down := true
	f := &fake{}
	f.answer = func(c call) run.Outcome {
		if down && c.params["to"] == "team" {
			return run.Outcome{State: run.Failed, Code: "unreachable", Message: "nobody is there", RetryAfter: 0}
		}
		return success(c)
	}
	a, boss := team("team"), team("boss")
	a.Component, a.Fallback = "http.request", "boss"
	a.Template = Bare
	b := newBench(t, f, a, boss)
	b.put(event(alert.New, "team", "a", 1), event(alert.New, "team", "b", 1), event(alert.New, "boss", "c", 1))
	tries := 0
	for range 60 {
		tries += len(b.deliver().Failed)
		b.now = b.now.Add(time.Minute)
		if b.now.Equal(t0.Add(30 * time.Minute)) {
			b.put(event(alert.Recovered, "team", "a", 2))
		}
	}
	if tries < 10 || tries > 61 {
		t.Errorf("%d tries within an hour", tries)
	}
	var told []string
	for _, c := range f.all() {
		if c.params["to"] == "boss" {
			told = append(told, c.params["say"].(string))
		}
	}
	// What the receiver could not be told its fallback is told, once each.
	expect(t, "what the fallback is told", strings.Join(told, "\n"), "new boss|c 1\nnew boss|team|a 1\nnew boss|team|b 1\nresolved boss|team|a 2")
	before := len(f.all())
	down, b.now = false, b.now.Add(5*time.Minute)
	b.deliver()
	// Its own rows go out merged: what began and ended meanwhile is one message.
	expect(t, "what the receiver is told", says(f.all()[before:]), "resolved team|a 2\nnew team|b 1")
	expect(t, "what waits", b.waits(), "")
}

func TestTheFallbackIsTheConsole(t *testing.T) {
	f := &fake{answer: failing(run.Outcome{Message: "no\x1b[31m way"})}
	b := newBench(t, f, team("team"))
	b.put(event(alert.New, "team", "a", 1))
	b.deliver()
	b.now = b.now.Add(patience - time.Second)
	b.deliver()
	if b.console.Len() != 0 {
		t.Fatalf("too early: %s", b.console.String())
	}
	b.now = b.now.Add(time.Second)
	b.deliver()
	got := b.console.String()
	for range 3 {
		b.now = b.now.Add(time.Hour)
		b.deliver()
	}
	expect(t, "what the console was told later", b.console.String(), got)
	const want = "CRITICAL: prod:etl/a@7: running for 47m, usually 30m\nnote: it could not be told to team since 2026-03-02 03:00 UTC: no<U+001B>[31m way\n"
	if !strings.HasPrefix(got, want) || strings.Count(got, "CRITICAL") != 1 || !strings.HasSuffix(got, "\n\n") {
		t.Error(got)
	}
	expect(t, "what waits", b.waits(), "team 1")
}

func TestWhatIsRefusedForGoodIsToldTheFallbackAtOnce(t *testing.T) {
	for name, o := range map[string]run.Outcome{
		"channel deleted": {Permanent: true, Code: "channel_not_found", Message: "it was deleted"},
		"bad parameters":  {Misused: true, Message: "no such parameter"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{answer: failing(o)}
			second := team("second")
			first := team("first")
			first.Fallback = "second" // which fails too: the console is left
			b := newBench(t, f, first, second)
			b.put(event(alert.New, "first", "a", 1))
			if told := b.deliver(); told.Handed != 2 || len(told.Failed) != 2 || !told.Failed[0].Permanent || told.Sent != 1 {
				t.Errorf("%+v", told)
			}
			if got := b.console.String(); strings.Count(got, "CRITICAL") != 1 || !strings.Contains(got, "told to first since") || !strings.Contains(got, "told to second since") {
				t.Error(got)
			}
			// It is tried hourly.
			for range 59 {
				b.now = b.now.Add(time.Minute)
				b.deliver()
			}
			if n := len(f.all()); n != 2 {
				t.Errorf("%d calls within the hour", n)
			}
			b.now = b.now.Add(time.Minute)
			b.deliver()
			if n := len(f.all()); n != 4 {
				t.Errorf("%d calls after the hour", n)
			}
			if strings.Count(b.console.String(), "CRITICAL") != 1 {
				t.Errorf("told again: %s", b.console.String())
			}
		})
	}
}

// TestARateLimitHoldsForAllOfTheReceiver: its other rows are not tried before.
func TestARateLimitHoldsForAllOfTheReceiver(t *testing.T) {
	f := &fake{answer: failing(run.Outcome{Code: "ratelimited", Message: "too many", RetryAfter: 3 * time.Minute})}
	b := newBench(t, f, team("team"))
	b.put(event(alert.New, "team", "a", 1), event(alert.New, "team", "b", 1), event(alert.New, "team", "c", 1))
	b.deliver()
	for range 2 {
		b.now = b.now.Add(time.Minute)
		b.deliver()
	}
	if n := len(f.all()); n != 1 {
		t.Errorf("%d calls while it asked to wait", n)
	}
	f.answer, b.now = success, b.now.Add(time.Minute)
	b.deliver()
	expect(t, "what is told", says(f.all()[1:]), "new team|a 1\nnew team|b 1\nnew team|c 1")
}

// TestAReceiverThatIsDownIsTriedOnce in a delivery, however much it is to be told.
func TestAReceiverThatIsDownIsTriedOnce(t *testing.T) {
	f := &fake{answer: failing(run.Outcome{Message: "nobody is there"})}
	b := newBench(t, f, team("team"))
	b.put(event(alert.New, "team", "a", 1), event(alert.New, "team", "b", 1))
	b.now = b.now.Add(time.Hour)
	if told := b.deliver(); told.Handed != 2 || told.Sent != 2 || len(f.all()) != 1 {
		t.Errorf("%+v after %d calls", told, len(f.all()))
	}
}

// TestWhatFailsIsTriedAgainEverLater.
func TestWhatFailsIsTriedAgainEverLater(t *testing.T) {
	f := &fake{answer: failing(run.Outcome{Code: "internal_error", Message: "500"})}
	b := newBench(t, f, team("team"))
	b.put(event(alert.New, "team", "a", 1))
	var waits []time.Duration
	last := b.now
	for len(waits) < 9 {
		if b.deliver(); len(f.all()) > len(waits) {
			waits = append(waits, b.now.Sub(last).Round(time.Second))
			last = b.now
		}
		b.now = b.now.Add(time.Second)
	}
	for i, most := range []time.Duration{0, 5, 10, 20, 40, 80, 160, 300, 300} {
		if most *= time.Second; waits[i] > most+time.Second || waits[i] < most*4/5-time.Second {
			t.Errorf("wait %d is %s, want about %s", i, waits[i], most)
		}
	}
}

func TestASlowReceiverIsCutOff(t *testing.T) {
	f := &fake{answer: success}
	b := newBench(t, f, team("team"))
	b.put(event(alert.New, "team", "a", 1))
	b.deliver()
	if left := f.all()[0].left; left <= 0 || left > time.Minute {
		t.Errorf("the call may take %s", left)
	}
}

// TestAReceiverThatHangsHoldsUpNoOther: each is told its incidents in their order.
func TestAReceiverThatHangsHoldsUpNoOther(t *testing.T) {
	var others sync.WaitGroup
	others.Add(4)
	f := &fake{}
	f.answer = func(c call) run.Outcome {
		if c.params["to"] == "hangs" {
			others.Wait() // until the other has been told all
			return run.Outcome{State: run.Failed, Code: "timed_out", Message: "slow"}
		}
		others.Done()
		return success(c)
	}
	b := newBench(t, f, team("hangs"), team("team"))
	b.put(event(alert.New, "hangs", "x", 1), event(alert.New, "team", "a", 1), event(alert.New, "team", "b", 1),
		event(alert.Acknowledged, "team", "a", 2), event(alert.Escalated, "team", "a", 3), event(alert.Acknowledged, "hangs", "x", 2))
	b.deliver()
	var told []call
	for _, c := range f.all() {
		if c.params["to"] == "team" {
			told = append(told, c)
		}
	}
	expect(t, "what is told", says(told), "new team|a 1\nnew team|b 1\nacknowledged team|a 2\nescalated team|a 3")
	expect(t, "what waits", b.waits(), "hangs 2")
}

// TestAnIncidentIsToldInItsOrder though its first message fails: no later one goes before.
func TestAnIncidentIsToldInItsOrder(t *testing.T) {
	fails := true
	f := &fake{}
	f.answer = func(c call) run.Outcome {
		if fails && c.params["say"] == "new team|a 1" {
			return run.Outcome{State: run.Failed, Permanent: true, Message: "this one not"}
		}
		return success(c)
	}
	b := newBench(t, f, team("team"))
	b.put(event(alert.New, "team", "a", 1), event(alert.Acknowledged, "team", "a", 2), event(alert.New, "team", "b", 1))
	b.deliver()
	expect(t, "what is told", says(f.all()), "new team|a 1\nnew team|b 1")
	fails, b.now = false, b.now.Add(time.Hour)
	b.deliver()
	expect(t, "what is told", says(f.all()[2:]), "new team|a 1\nacknowledged team|a 2")
}

func TestRecoveriesThatNobodyWants(t *testing.T) {
	f := &fake{answer: success}
	r := team("team")
	r.Recovered = false
	b := newBench(t, f, r)
	b.put(event(alert.New, "team", "a", 1))
	b.deliver()
	b.put(event(alert.Recovered, "team", "a", 2), event(alert.New, "team", "b", 1), event(alert.Recovered, "team", "b", 2))
	b.deliver()
	// That of which nobody knew is told.
	expect(t, "what is told", says(f.all()), "new team|a 1\nresolved team|b 2")
	expect(t, "what waits", b.waits(), "")
}

func TestAReceiverThatTheConfigHasNoMore(t *testing.T) {
	b := newBench(t, &fake{answer: success})
	b.put(event(alert.New, "team", "a", 1))
	if told := b.deliver(); told.Sent != 1 {
		t.Errorf("%+v", told)
	}
	if got := b.console.String(); !strings.Contains(got, "note: it was for team, a receiver that the config does not have\n") {
		t.Error(got)
	}
	expect(t, "what waits", b.waits(), "")
}

func TestSendIsPastTheOutbox(t *testing.T) {
	f := &fake{answer: success}
	b := newBench(t, f, team("team"))
	b.Outbox = nil
	if err := b.Send(t.Context(), event(alert.New, "team", "a", 1)); err != nil || says(f.all()) != "new team|a 1" {
		t.Error(err, says(f.all()))
	}
	if err := b.Send(t.Context(), event(alert.New, "console", "a", 1)); err != nil || !strings.HasPrefix(b.console.String(), "CRITICAL") {
		t.Error(err, b.console.String())
	}
	f.answer = failing(run.Outcome{Message: "no"})
	if err := b.Send(t.Context(), event(alert.New, "team", "a", 1)); err == nil || err.Error() != "tell team: no" {
		t.Error(err)
	}
	if err := b.Send(t.Context(), event(alert.New, "nobody", "a", 1)); err == nil || !strings.Contains(err.Error(), `"nobody"`) {
		t.Error(err)
	}
}

// TestADatabaseThatIsGoneIsAnError, and what was sent meanwhile is in doubt after.
func TestADatabaseThatIsGoneIsAnError(t *testing.T) {
	f := &fake{answer: success}
	b := newBench(t, f, team("team"))
	b.put(event(alert.New, "team", "a", 1))
	if err := b.store.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Deliver(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "read what is to be told: ") {
		t.Error(err)
	}
	if len(f.all()) != 0 {
		t.Error("sent without a note of it")
	}
}

// TestADeliveryThatIsCalledOff leaves nothing unsaid: the row is in doubt, and told again.
func TestADeliveryThatIsCalledOff(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("the checker stops")
	f := &fake{}
	f.answer = func(call) run.Outcome {
		cancel(stop)
		return run.Outcome{State: run.Cancelled, Message: "the checker stops"}
	}
	b := newBench(t, f, team("team"))
	b.put(event(alert.New, "team", "a", 1), event(alert.New, "team", "b", 1))
	if _, err := b.Deliver(ctx); !errors.Is(err, stop) && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	b.now = b.now.Add(time.Minute)
	rows, err := b.store.Due(t.Context(), "team", b.now, 0)
	if err != nil || len(rows) != 2 || !rows[0].Doubt || rows[0].Err != "the checker stops" || rows[1].Doubt {
		t.Errorf("%+v, %v", rows, err)
	}
	f.answer = success
	b.deliver()
	expect(t, "what is told", says(f.all()), "new team|a 1\nnew team|a 1\nnew team|b 1")
}

// TestALongBacklogIsToldPieceByPiece: a pass does not wait for all of it.
func TestALongBacklogIsToldPieceByPiece(t *testing.T) {
	f := &fake{}
	b := newBench(t, f, team("team"))
	f.answer = func(c call) run.Outcome {
		b.now = b.now.Add(25 * time.Second)
		return success(c)
	}
	for i := range 10 {
		b.put(event(alert.New, "team", fmt.Sprint(i), 1))
	}
	for _, want := range []int{3, 6, 9, 10} {
		b.deliver()
		if got := len(f.all()); got != want {
			t.Fatalf("%d are told, want %d", got, want)
		}
	}
}

// takenOnce is an outbox in which another checker is first with the first row.
type takenOnce struct {
	*store.Store
	taken bool
}

func (o *takenOnce) Sending(ctx context.Context, id int64) error {
	if !o.taken {
		o.taken = true
		return fmt.Errorf("note it: %w", store.ErrTaken)
	}
	return o.Store.Sending(ctx, id)
}

// TestARowThatAnotherCheckerHasTakenIsNotSent until it is asked for again.
func TestARowThatAnotherCheckerHasTakenIsNotSent(t *testing.T) {
	f := &fake{answer: success}
	b := newBench(t, f, team("team"))
	b.Outbox = &takenOnce{Store: b.store}
	b.put(event(alert.New, "team", "a", 1), event(alert.New, "team", "b", 1))
	if told := b.deliver(); told.Sent != 2 || len(told.Failed) != 0 {
		t.Errorf("%+v", told)
	}
	expect(t, "what is told", says(f.all()), "new team|b 1\nnew team|a 1")
}
