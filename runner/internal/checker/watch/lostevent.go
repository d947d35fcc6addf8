package watch

import (
	"context"
	"io"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/checker/message"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
)

// lostEvent tells that the checker itself does not work.
func lostEvent(o outage, now time.Time) alert.Event {
	f := o.finding()
	f.What = "no pass can be made: " + o.Why
	f.Notes = []string{"until it works again nothing is watched, and no more is told"}
	e := o.event(alert.New, f, now)
	e.Alerts[0].State, e.Firing = alert.Firing, 1
	return e
}

// foundEvent tells that it works again.
func foundEvent(o outage, now time.Time) alert.Event {
	f := o.finding()
	f.What = "no pass could be made: " + o.Why
	e := o.event(alert.Recovered, f, now)
	e.Alerts[0].State, e.Alerts[0].Reason = alert.Resolved, "it works again, since "+message.Stamp(now)
	e.Downtime = threshold.Duration(max(0, now.Sub(o.Since)))
	return e
}

func (o outage) finding() finding.Finding {
	return finding.Finding{Key: message.Itself, Rule: "checker", Kind: rule.Unreachable, Severity: rule.Critical, Source: "checker", Since: o.Since}
}

func (o outage) event(kind alert.EventKind, f finding.Finding, now time.Time) alert.Event {
	a := alert.Alert{Finding: f, Fired: o.Since}
	return alert.Event{Kind: kind, Incident: message.Itself, Seq: 1, At: now, Alerts: []alert.Alert{a}, Total: 1}
}

// direct tells a receiver without an outbox.
func (p *pass) direct(ctx context.Context, e alert.Event) error {
	return p.deliverer(p.Setup).Send(ctx, e)
}

// TestNotify tells a receiver that this is a test.
func TestNotify(ctx context.Context, s Setup, receiver string, console io.Writer, say func(format string, args ...any), now func() time.Time) error {
	at := now()
	f := finding.Finding{
		Key: "checker|test", Rule: "test", Kind: rule.Unreachable, Severity: rule.Info, Source: "checker", Since: at,
		What: "this is a test: what is told to " + receiver + " arrives here",
	}
	w := &Watcher{Console: console, Say: say, Now: now}
	return w.deliverer(s).Send(ctx, alert.Event{
		Kind: alert.New, Receiver: receiver, Incident: "checker|test", Seq: 1, At: at, Total: 1,
		Alerts: []alert.Alert{{Finding: f, State: alert.Resolved, Fired: at, Resolved: at}},
	})
}
