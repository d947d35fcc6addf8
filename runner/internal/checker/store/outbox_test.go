package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
)

func (b *bench) put(minute float64, events ...alert.Event) {
	b.t.Helper()
	b.must(b.Put(b.t.Context(), events, at(minute)))
}

// TestOrder: of each incident the first row is due, and the next when it was told; one
// incident does not wait for another.
func TestOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.put(0, event("i", 1, alert.New, "a"), event("j", 1, alert.New, "b"), event("i", 2, alert.Acknowledged, "a"))
		b.put(1, alert.Event{Kind: alert.Act, EventKey: "nobody is told"}, event("k", 1, alert.Escalated, "c"))
		elsewhere := event("i", 1, alert.New, "a")
		elsewhere.Receiver = "boss"
		b.put(1, elsewhere)
		rows := b.wantDue(0, "new", "new")
		if few, err := b.Due(t.Context(), alert.Console, at(5), 2); err != nil || len(few) != 2 || few[0].ID != rows[0].ID {
			t.Errorf("%+v, %v", few, err)
		}
		b.must(b.Retry(t.Context(), rows[0].ID, "it is down\x00", at(10), true))
		b.send(rows[1], 1)
		b.wantDue(5, "escalated")
		rows = b.wantDue(10, "new", "escalated")
		if r := rows[0]; r.Tries != 1 || r.Err != "it is down\x00" || r.Doubt || !r.Next.Equal(at(10)) || !r.Created.Equal(t0) || r.State != Pending {
			t.Errorf("%+v", r)
		}
		b.send(rows[0], 10)
		b.wantDue(10, "acknowledged", "escalated")
	})
}

// TestMerge: what was not told yet takes in what comes; what may have been told does not.
func TestMerge(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.put(0, event("i", 1, alert.New, "a"), event("i", 2, alert.Acknowledged, "a"))
		b.put(3, event("i", 3, alert.Update, "b"))
		rows := b.wantDue(9, "new")
		if r := rows[0]; len(r.Event.Alerts) != 2 || !r.Created.Equal(t0) {
			t.Errorf("%+v", r)
		}
		b.put(4, event("i", 4, alert.Repeat, "a"), event("i", 5, alert.Recovered, "a", "b"))
		if err := b.Sending(t.Context(), rows[0].ID); !errors.Is(err, ErrTaken) {
			t.Errorf("what has changed since it was read is sent: %v", err)
		}
		rows = b.wantDue(9, "resolved")
		if r := rows[0]; !r.Event.Merged || r.Event.Seq != 5 || !r.Created.Equal(t0) {
			t.Errorf("%+v", r)
		}
		if n := b.count(`SELECT count(*) FROM outrider_checker_outbox`); n != 1 {
			t.Errorf("%d rows are left", n)
		}
		b.put(5, event("j", 1, alert.New, "c"))
		row := b.wantDue(9, "resolved", "new")[1]
		b.must(b.Sending(t.Context(), row.ID))
		b.put(6, event("j", 2, alert.Update, "d"), event("j", 3, alert.Recovered, "c", "d"))
		b.wantDue(9, "resolved", "new?")
		b.must(b.Sent(t.Context(), row.ID, nil, at(7)))
		if rows := b.wantDue(9, "resolved", "resolved"); rows[1].Event.Merged {
			t.Error("who was told is taken for one who was not")
		}
	})
}

// TestDoubt: a row whose sender died or cannot tell is in doubt until it was told.
func TestDoubt(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.put(0, event("i", 1, alert.New, "a"))
		row := b.wantDue(0, "new")[0]
		b.must(b.Sending(t.Context(), row.ID))
		first := b.Store
		b.Store = b.open()
		row = b.wantDue(0, "new?")[0]
		b.must(b.Sending(t.Context(), row.ID))
		b.must(b.Retry(t.Context(), row.ID, "refused", at(1), true))
		b.put(1, event("i", 2, alert.Update, "b"))
		row = b.wantDue(1, "new?")[0] // the try before it is still in doubt
		if row.State != Sending || len(row.Event.Alerts) != 1 {
			t.Errorf("what is in doubt has changed: %+v", row)
		}
		b.must(first.Retry(t.Context(), row.ID, "it wakes late", at(99), true))
		b.wantDue(1, "new?")
		b.must(first.Sent(t.Context(), row.ID, json.RawMessage(`{"ts":"1"}`), at(2)))
		next := b.wantDue(99, "update")[0]
		b.send(next, 99)
		if err := b.Sending(t.Context(), row.ID); !errors.Is(err, ErrTaken) {
			t.Errorf("what was told is sent again: %v", err)
		}
		b.must(b.Sent(t.Context(), row.ID, json.RawMessage(`{"ts":"2"}`), at(3)))
		if r, err := b.Receipt(t.Context(), alert.Console, "i"); err != nil || string(r) != fmt.Sprintf(`{"ts":%d}`, next.ID) {
			t.Errorf("receipt %s, %v", r, err)
		}

		b.put(4, event("i", 3, alert.Repeat, "a"))
		row = b.wantDue(4, "repeat")[0]
		b.must(b.Sending(t.Context(), row.ID))
		b.must(b.Retry(t.Context(), row.ID, "timed out", at(5), false))
		b.wantDue(4)
		b.wantDue(5, "repeat?")
		b.put(6, event("j", 1, alert.New, "c"))
		row = b.wantDue(6, "repeat?", "new")[1]
		b.must(b.Sending(t.Context(), row.ID))
		b.must(b.Retry(t.Context(), row.ID, "refused", at(7), true))
		b.wantDue(7, "repeat?", "new")
	})
}

// TestReceipt: of the last message of the incident that has one, by receiver.
func TestReceipt(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		receipt := func(receiver, incident, want string) {
			t.Helper()
			if r, err := b.Receipt(t.Context(), receiver, incident); err != nil || string(r) != want || want == "" && r != nil {
				t.Errorf("receipt of %s %q: %s, want %s, %v", receiver, incident, r, want, err)
			}
		}
		i := "console|e\x00tl|日"
		receipt(alert.Console, i, "")
		b.put(0, event(i, 1, alert.New, "a"), event(i, 2, alert.Acknowledged, "a"), event(i, 3, alert.Escalated, "a"))
		row := b.wantDue(0, "new")[0]
		b.must(b.Sending(t.Context(), row.ID))
		b.must(b.Sent(t.Context(), row.ID, nil, at(0)))
		receipt(alert.Console, i, "")
		row = b.wantDue(0, "acknowledged")[0]
		b.send(row, 1)
		receipt(alert.Console, i, fmt.Sprintf(`{"ts":%d}`, row.ID))
		row = b.wantDue(0, "escalated")[0]
		b.must(b.Sending(t.Context(), row.ID))
		b.must(b.Sent(t.Context(), row.ID, nil, at(2)))
		receipt(alert.Console, i, fmt.Sprintf(`{"ts":%d}`, row.ID-1))
		b.put(3, event(i, 4, alert.Repeat, "a"))
		row = b.wantDue(3, "repeat")[0]
		b.send(row, 3)
		receipt(alert.Console, i, fmt.Sprintf(`{"ts":%d}`, row.ID))
		receipt("boss", i, "")
	})
}

// TestTheClockIsSetBack: nothing waits for the time to come round again.
func TestTheClockIsSetBack(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		const ahead = 600
		b.put(ahead, event("i", 1, alert.New, "a"), event("j", 1, alert.New, "b"))
		row := b.wantDue(ahead, "new", "new")[1]
		b.must(b.Retry(t.Context(), row.ID, "refused", at(60), true)) // as far as a row is ever put off
		b.wantDue(0)
		b.pass(1, nil)
		if all := b.wantDue(1, "new"); all[0].Created != at(1) {
			t.Errorf("%+v", all)
		}
		b.wantDue(60, "new", "new")
		if all, err := b.Backlog(t.Context()); err != nil || len(all) != 1 || all[0].Oldest != at(1) {
			t.Errorf("%+v, %v", all, err)
		}
	})
}

// TestNumbers: within a thread the numbers of events rise, whoever puts them.
func TestNumbers(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		for _, step := range []struct{ seq, want int }{{1, 1}, {0, 2}, {2, 3}, {0, 4}, {9, 9}, {5, 10}} {
			b.put(0, event("i", step.seq, alert.Acknowledged, "a"))
			row := b.wantDue(0, "acknowledged")[0]
			if row.Event.Seq != step.want {
				t.Errorf("event %d got number %d, want %d", step.seq, row.Event.Seq, step.want)
			}
			b.send(row, 0)
		}
	})
}

// TestHandOver: the fallback gets an event once, and again when it has changed.
func TestHandOver(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.put(0, event("i", 1, alert.New, "a"), event("i", 2, alert.Acknowledged, "a"), event("j", 1, alert.New, "b"))
		unhanded := func(want int) []Row {
			t.Helper()
			rows, err := b.Unhanded(t.Context(), alert.Console, 0)
			if err != nil || len(rows) != want {
				t.Fatalf("%d rows are to be handed over, want %d, %v", len(rows), want, err)
			}
			return rows
		}
		rows := unhanded(3)
		if few, err := b.Unhanded(t.Context(), alert.Console, 1); err != nil || len(few) != 1 {
			t.Errorf("%+v, %v", few, err)
		}
		for range 2 {
			e := rows[0].Event
			e.Receiver, e.Note = "mail", "could not be told"
			b.must(b.HandOver(t.Context(), rows[0].ID, e, at(6)))
		}
		if mail, err := b.Due(t.Context(), "mail", at(6), 0); err != nil || len(mail) != 1 || mail[0].Event.Note != "could not be told" || !mail[0].Created.Equal(at(6)) {
			t.Errorf("%+v, %v", mail, err)
		}
		if n := b.count(`SELECT count(*) FROM outrider_checker_outbox WHERE receiver = 'mail'`); n != 1 {
			t.Errorf("the fallback has %d messages", n)
		}
		unhanded(2)
		if due := b.wantDue(9, "new", "new"); !due[0].Handed || due[1].Handed {
			t.Errorf("%+v", due)
		}
		b.put(7, event("i", 3, alert.Recovered, "a"))
		if rows := unhanded(2); rows[0].Event.Kind != alert.Recovered || !rows[0].Created.Equal(t0) {
			t.Errorf("%+v", rows[0])
		}
		b.send(b.wantDue(9, "resolved", "new")[0], 9)
		b.must(b.HandOver(t.Context(), rows[0].ID, event("i", 0, alert.Repeat, "late"), at(10)))
		b.wantDue(10, "new")
	})
}

func TestBacklog(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		if all, err := b.Backlog(t.Context()); err != nil || len(all) != 0 {
			t.Errorf("%+v, %v", all, err)
		}
		critical := event("k", 1, alert.New, "c")
		critical.Alerts[0].Severity = rule.Critical
		gone := event("l", 1, alert.New, "d")
		gone.Receiver = "a\x00b"
		gone.Alerts[0].Severity = rule.Info
		b.put(1, event("i", 1, alert.New, "a"))
		b.put(2, critical, gone)
		for i, r := range b.wantDue(2, "new", "new") {
			b.must(b.Retry(t.Context(), r.ID, fmt.Sprint("error ", i), at(float64(10+i)), true))
		}
		all, err := b.Backlog(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		same(t, "the backlog", all, []Waiting{
			{Receiver: "a\x00b", Count: 1, Oldest: at(2), Worst: rule.Info},
			{Receiver: alert.Console, Count: 2, Oldest: at(1), Critical: at(2), Worst: rule.Critical, Err: "error 1"},
		})
	})
}

// TestWhatCannotBeRead: an event that could not be read again is refused, and does not
// stand in the way of others.
func TestWhatCannotBeRead(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		bad := event("i", 1, alert.New, "a")
		bad.Alerts[0].Kind = "no such kind"
		if err := b.Put(t.Context(), []alert.Event{bad}, t0); err == nil {
			t.Error("it was put")
		}
		b.put(0, event("i", 1, alert.New, "a"))
		if err := b.HandOver(t.Context(), b.wantDue(0, "new")[0].ID, bad, t0); err == nil {
			t.Error("it was handed over")
		}
		b.wantDue(0, "new")
	})
}
