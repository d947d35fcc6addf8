package deliver

import (
	"context"
	"encoding/json"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/store"
	"github.com/outrider-run/outrider/runner/internal/run"
)

// Outbox holds what is to be told; a *store.Store does.
type Outbox interface {
	Backlog(ctx context.Context) ([]store.Waiting, error)
	Due(ctx context.Context, receiver string, now time.Time, limit int) ([]store.Row, error)
	Sending(ctx context.Context, id int64) error
	Sent(ctx context.Context, id int64, receipt json.RawMessage, at time.Time) error
	Retry(ctx context.Context, id int64, why string, next time.Time, surelyNot bool) error
	Receipt(ctx context.Context, receiver, incident string) (json.RawMessage, error)
	Unhanded(ctx context.Context, receiver string, limit int) ([]store.Row, error)
	HandOver(ctx context.Context, id int64, e alert.Event, at time.Time) error
}

// Runner calls a component without a record. Params hold references of secrets; their
// values stand neither in the outcome's message nor in its output.
type Runner interface {
	Run(ctx context.Context, component string, params json.RawMessage) run.Outcome
}
