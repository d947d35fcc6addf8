package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/outrider-run/outrider/runner/internal/invoke"
	"github.com/outrider-run/outrider/runner/internal/redact"
	"github.com/outrider-run/outrider/runner/internal/run"
	"github.com/outrider-run/outrider/sdk/observe"
)

// Runner calls a component; *invoke.Caller is one. No secret is in what it returns but
// in the output, which comes with what masks them.
type Runner interface {
	Raw(ctx context.Context, component string, params json.RawMessage, h invoke.Heard) (run.Outcome, *redact.Redactor)
}

// maxAnswer is how many bytes an answer may have: what one message of a plugin holds.
const maxAnswer = 16 << 20

// Component is the source that a component such as digdag.observe sees. params are its
// own, with secrets as references; limit is how many ended runs it tells of at once, 0
// for its own default.
func Component(r Runner, component string, params json.RawMessage, limit int) Asker {
	return observed{r, component, params, limit}
}

type observed struct {
	runner    Runner
	component string
	params    json.RawMessage
	limit     int
}

func (o observed) Ask(ctx context.Context, a Asked) (observe.Snapshot, error) {
	out, secrets, err := o.call(ctx, a)
	if len(a.Cursor) > 0 && refused(out) && ctx.Err() == nil {
		a.Cursor = nil
		out, secrets, err = o.call(ctx, a)
	}
	if err != nil {
		return observe.Snapshot{}, err
	}
	switch {
	case out.State != run.Success:
		return observe.Snapshot{}, errors.New(o.component + ": " + out.Line())
	case len(out.Output) > maxAnswer:
		return observe.Snapshot{}, fmt.Errorf("%s answered %d MiB, and %d MiB are the most", o.component, len(out.Output)>>20, maxAnswer>>20)
	}
	var s observe.Snapshot
	if err := json.Unmarshal(out.Output, &s); err != nil {
		return observe.Snapshot{}, fmt.Errorf("%s answered what is no snapshot: %s", o.component, secrets.String(err.Error()))
	}
	mask(&s, secrets)
	return s, nil
}

func (o observed) call(ctx context.Context, a Asked) (run.Outcome, *redact.Redactor, error) {
	params, err := o.paramsFor(a)
	if err != nil {
		return run.Outcome{}, nil, err
	}
	var h invoke.Heard
	if a.Progress != nil {
		h.Progress = func(done, _ float64, note string) { a.Progress(done, note) }
	}
	out, secrets := o.runner.Raw(ctx, o.component, params, h)
	return out, secrets, nil
}

// paramsFor lays what is asked over the source's own parameters.
func (o observed) paramsFor(a Asked) (json.RawMessage, error) {
	all := map[string]json.RawMessage{}
	if len(o.params) > 0 {
		if err := json.Unmarshal(o.params, &all); err != nil {
			return nil, fmt.Errorf("%s: its parameters are no object: %w", o.component, err)
		}
	}
	if all == nil {
		all = map[string]json.RawMessage{}
	}
	set := func(name string, value any) {
		raw, _ := json.Marshal(value) // texts, numbers and times
		all[name] = raw
	}
	if len(a.Cursor) > 0 {
		all["cursor"] = a.Cursor
	}
	if len(a.Details) > 0 {
		set("details", a.Details)
	}
	if !a.HistoryFrom.IsZero() {
		set("history_from", a.HistoryFrom.UTC().Format(time.RFC3339))
	}
	if o.limit > 0 {
		set("limit", o.limit)
	}
	return json.Marshal(all)
}

// refused reports whether it may be the cursor that a component refused: it is of
// another version of it, or of the engine that the source was before. Without one the
// component tells all that it has.
func refused(o run.Outcome) bool {
	return o.Permanent && (o.Code == "bad_cursor" || o.Code == invoke.CodeBadParams)
}
