package deliver

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/message"
	"github.com/outrider-run/outrider/runner/internal/checker/store"
	"github.com/outrider-run/outrider/runner/internal/run"
)

// tell sends one row and settles it. The failure is that of the receiver, the error that
// of the outbox.
func (d *Deliverer) tell(ctx context.Context, row store.Row, told *Told) (*failure, error) {
	r, ok := d.Receivers[row.Receiver]
	switch {
	case row.Receiver == alert.Console && !ok:
		r = Console()
	case !ok:
		// The config has it no more. What it was to be told is not kept for ever.
		r = Console()
		row.Event.Note = join(row.Event.Note, "it was for "+row.Receiver+", a receiver that the config does not have")
	case row.Event.Kind == alert.Recovered && !row.Event.Merged && !r.Recovered:
		return nil, d.sent(ctx, row, nil)
	}
	receipt, err := d.Outbox.Receipt(ctx, row.Receiver, row.Incident)
	if err != nil {
		return nil, fmt.Errorf("read the thread of %s: %w", row.Incident, err)
	}
	if err := d.Outbox.Sending(ctx, row.ID); errors.Is(err, store.ErrTaken) {
		return nil, nil // there is more to tell by now: it comes again
	} else if err != nil {
		return nil, fmt.Errorf("note that %s is told: %w", row.Receiver, err)
	}
	g := d.give(ctx, r, row, receipt)
	if g.problem != "" {
		told.Problems = append(told.Problems, g.problem)
		d.Say("%s", g.problem)
	}
	if f := g.failure; f != nil {
		told.Failed = append(told.Failed, Failed{row.Receiver, row.Incident, row.Event.Seq, f.why, f.permanent})
		d.Say("%s could not be told of %s: %s", row.Receiver, message.Plain(message.Of(row.Event).Title), message.Plain(f.why))
		return f, d.failed(ctx, row, f)
	}
	told.Sent++
	if g.adopted {
		told.Adopted++
	}
	return nil, d.sent(ctx, row, g.receipt)
}

func (d *Deliverer) sent(ctx context.Context, row store.Row, receipt json.RawMessage) error {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer stop()
	if err := d.Outbox.Sent(ctx, row.ID, receipt, d.Now()); err != nil {
		return fmt.Errorf("note that %s was told: %w", row.Receiver, err)
	}
	return nil
}

func (d *Deliverer) failed(ctx context.Context, row store.Row, f *failure) error {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer stop()
	if err := d.Outbox.Retry(ctx, row.ID, f.why, d.Now().Add(f.wait(row.Tries)), f.surelyNot); err != nil {
		return fmt.Errorf("note that %s was not told: %w", row.Receiver, err)
	}
	return nil
}

// Send tells an event at once, past the outbox: once, and nowhere else when it fails. It
// is for a test of a receiver, and for when there is no outbox.
func (d *Deliverer) Send(ctx context.Context, e alert.Event) error {
	r, ok := d.Receivers[e.Receiver]
	if !ok && e.Receiver != alert.Console {
		return fmt.Errorf("there is no receiver %q", e.Receiver)
	}
	if !ok {
		r = Console()
	}
	g := d.give(ctx, r, store.Row{Receiver: e.Receiver, Incident: e.Incident, Event: e}, nil)
	if g.failure != nil {
		return fmt.Errorf("tell %s: %s", e.Receiver, g.failure.why)
	}
	if g.problem != "" {
		d.Say("%s", g.problem)
	}
	return nil
}

// given is what came of one try.
type given struct {
	// receipt is that of a thread's first message, nil of a reply.
	receipt json.RawMessage
	adopted bool
	problem string
	failure *failure
}

// give tells, in the incident's thread if receipt is one.
func (d *Deliverer) give(ctx context.Context, r Receiver, row store.Row, receipt json.RawMessage) given {
	m := message.Of(row.Event, d.Memory...)
	var err error
	switch {
	case r.Console:
		err = d.print(m)
	case r.File != "":
		err = appendLine(r.File, m)
	default:
		return d.call(ctx, r, row, m, receipt)
	}
	if err != nil {
		return given{failure: &failure{why: err.Error()}}
	}
	return given{}
}

// call tells by a component.
func (d *Deliverer) call(ctx context.Context, r Receiver, row store.Row, m message.Message, receipt json.RawMessage) given {
	for {
		params, problem, err := Render(r, m, receipt)
		if err != nil {
			return given{failure: &failure{why: err.Error(), permanent: true, surelyNot: true}}
		}
		o := d.post(ctx, r, row, m, params, decodeThread(receipt))
		f := failureOf(r.Component, o)
		switch {
		case f == nil && receipt != nil:
			return given{adopted: adopted(o), problem: problem}
		case f == nil:
			return given{receipt: o.Output, adopted: adopted(o), problem: problem}
		case r.Component == slackPost && receipt != nil && slices.Contains(threadGone, o.Code):
			receipt = nil // somebody has deleted the thread's first message
		case r.Component == slackPost && f.permanent && m.Channel != "" && decodeThread(receipt) == thread{}:
			// What a workflow's owner has written must not keep it from being told.
			m.Note = join(m.Note, "it was to be told in "+m.Channel+", which its owner has named: "+o.Message)
			m.Channel = ""
		default:
			return given{problem: problem, failure: f}
		}
	}
}

// threadGone are slack.post's codes for a thread that is not there.
var threadGone = []string{"thread_not_found", "cannot_reply_to_message"}

// post calls the component. Of a recovery it first turns the thread's first message into
// it, which may be done again; when that is refused for good the reply alone tells.
func (d *Deliverer) post(ctx context.Context, r Receiver, row store.Row, m message.Message, params json.RawMessage, t thread) run.Outcome {
	if r.template() == Slack && m.Kind == alert.Recovered && t.TS != "" {
		o := d.run(ctx, r.Component, editing(params, t))
		if f := failureOf(r.Component, o); f != nil && !f.permanent {
			// The reply has not been tried.
			o.RetryAfter = cmp.Or(o.RetryAfter, f.wait(row.Tries))
			return o
		}
	}
	if row.Doubt && r.template() == Slack {
		params = adopting(params, m, row.Created)
	}
	return d.run(ctx, r.Component, params)
}

var errSlow = errors.New("it took longer than " + sendTimeout.String())

func (d *Deliverer) run(ctx context.Context, component string, params json.RawMessage) run.Outcome {
	ctx, stop := context.WithTimeoutCause(ctx, sendTimeout, errSlow)
	defer stop()
	return d.Runner.Run(ctx, component, params)
}

// adopted reports whether slack.post found the message.
func adopted(o run.Outcome) bool {
	var out struct {
		Adopted bool `json:"adopted"`
	}
	return json.Unmarshal(o.Output, &out) == nil && out.Adopted
}
