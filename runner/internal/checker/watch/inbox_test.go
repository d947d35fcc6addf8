package watch

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/checker/source"
	"github.com/outrider-run/outrider/runner/internal/db/dbtest"
	"github.com/outrider-run/outrider/sdk/observe"
)

// posting is a bench with a source that is well and a rule about the signal done.
func posting(t *testing.T, url string) *bench {
	b := newBench(t, url)
	zero := 0.0
	b.rules(rule.Rule{Name: "done", Kind: rule.Signal, Signal: "done", Above: &zero, Severity: rule.Warning})
	b.source("one", func(context.Context, source.Asked) (observe.Snapshot, error) {
		return observe.Snapshot{Engine: "x", At: b.now}, nil
	})
	b.pass()
	return b
}

func (b *bench) post(event bool) {
	b.t.Helper()
	if err := b.Inbox.Post(observe.Signal{Name: "done", Value: 1}, event); err != nil {
		b.t.Fatal(err)
	}
}

// later is a pass a time later.
func (b *bench) later(d time.Duration) (Summary, string) {
	b.t.Helper()
	b.now = b.now.Add(d)
	return b.pass()
}

// TestAnEventOutlivesAPassThatIsNotStored: 202 was answered, so some pass has to see it.
func TestAnEventOutlivesAPassThatIsNotStored(t *testing.T) {
	b := posting(t, dbtest.SQLite(t))
	b.Inbox = NewInbox(b.Now)
	b.post(true)
	well := b.setup.Askers["one"]
	b.source("one", func(ctx context.Context, a source.Asked) (observe.Snapshot, error) {
		s, err := well.Ask(ctx, a)
		return s, errors.Join(err, b.Close())
	})
	b.now = b.now.Add(time.Minute)
	if _, err := b.Pass(t.Context()); err == nil {
		t.Fatal("it was stored without a database")
	}
	b.setup.Askers["one"] = well
	if _, told := b.later(time.Minute); !strings.Contains(told, "done is 1, above 0") {
		t.Errorf("the event is lost: %q", told)
	}
	if _, told := b.later(time.Minute); !strings.Contains(told, "resolved") {
		t.Errorf("it is over with its pass: %q", told)
	}
}

// TestSignalsEndWithTheirListener: what was posted stands for an hour, though nobody is
// there to take more.
func TestSignalsEndWithTheirListener(t *testing.T) {
	b := posting(t, dbtest.SQLite(t))
	b.Inbox = NewInbox(b.Now)
	b.post(false)
	if s, _ := b.later(time.Minute); s.Exit != ExitWarning {
		t.Fatalf("%+v", s)
	}
	b.Inbox = nil
	if s, told := b.later(signalStands); s.Exit != ExitWarning || told != "" {
		t.Errorf("a check beside a watch ends what was posted there: %+v\n%s", s, told)
	}
	if s, told := b.later(time.Minute); s.Exit != ExitOK || !strings.Contains(told, "resolved") {
		t.Errorf("it stands for ever: %+v\n%s", s, told)
	}
}

// TestTwoListenersDoNotEndEachOthersSignals on one database.
func TestTwoListenersDoNotEndEachOthersSignals(t *testing.T) {
	url := dbtest.SQLite(t)
	first, second := posting(t, url), posting(t, url)
	first.Inbox, second.Inbox = NewInbox(first.Now), NewInbox(second.Now)
	first.Inbox.Name, second.Inbox.Name = SignalsSource+"@a-1", SignalsSource+"@a-2"
	first.post(false)
	if _, told := first.later(time.Minute); !strings.Contains(told, "signals@a-1") || !strings.Contains(told, "done is 1") {
		t.Fatal(told)
	}
	second.now = first.now
	for range 2 {
		if s, told := second.later(time.Minute); s.Exit != ExitWarning || told != "" || len(s.Sources) != 1 {
			t.Errorf("%+v\n%s", s, told)
		}
		first.now = second.now
		if s, told := first.later(time.Minute); s.Exit != ExitWarning || told != "" {
			t.Errorf("%+v\n%s", s, told)
		}
		second.now = first.now
	}
}
