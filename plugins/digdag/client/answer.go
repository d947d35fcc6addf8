package client

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/outrider-run/outrider/plugins/internal/rest"
)

// call is a request, and answer what the server says to it.
type (
	call   = rest.Call
	answer = rest.Answer
)

// do asks, as the user that the options name.
func (c *Client) do(ctx context.Context, q call) (answer, error) {
	q.Authorization = c.basic
	return c.rest.Do(ctx, q)
}

// shape is something that answers are made of.
type shape[T any] interface {
	*T
	// mend puts in what the server may leave out, and reports whether what it must
	// have is there.
	mend() bool
}

// get asks for one thing.
func get[T any, P shape[T]](ctx context.Context, c *Client, q call) (T, error) {
	a, err := c.do(ctx, q)
	if err != nil {
		var none T
		return none, err
	}
	return one[T, P](c, a)
}

// one reads one thing.
func one[T any, P shape[T]](c *Client, a answer) (T, error) {
	var v, none T
	if err := json.Unmarshal(a.Body, &v); err != nil {
		return none, c.rest.Bad(a, err)
	}
	if !P(&v).mend() {
		return none, c.rest.Bad(a, nil)
	}
	return v, nil
}

// listed asks for what stands under a name.
func listed[T any, P shape[T]](ctx context.Context, c *Client, q call, name string) ([]T, error) {
	a, err := c.do(ctx, q)
	if err != nil {
		return nil, err
	}
	return list[T, P](c, a, name)
}

// list reads what stands under a name, which must be there.
func list[T any, P shape[T]](c *Client, a answer, name string) ([]T, error) {
	var whole map[string]json.RawMessage
	if err := json.Unmarshal(a.Body, &whole); err != nil {
		return nil, c.rest.Bad(a, err)
	}
	var all []T
	if err := json.Unmarshal(whole[name], &all); err != nil || all == nil {
		return nil, c.rest.Bad(a, err)
	}
	for i := range all {
		if !P(&all[i]).mend() {
			return nil, c.rest.Bad(a, nil)
		}
	}
	return all, nil
}

// read is a GET.
func read(path string) call { return call{Method: http.MethodGet, Path: path} }

// empty is what stands for an object that is null or missing.
var empty = json.RawMessage("{}")

func object(m *json.RawMessage) {
	if len(*m) == 0 || string(*m) == "null" {
		*m = empty
	}
}

func (p *Project) mend() bool { return p.ID != "" && p.Name != "" }

func (r *Revision) mend() bool { return r.Revision != "" }

func (w *Workflow) mend() bool {
	object(&w.Config)
	return w.ID != "" && w.Name != ""
}

func (s *SessionTime) mend() bool { return !s.SessionTime.IsZero() }

func (s *Session) mend() bool {
	object(&s.LastAttempt.Params)
	return s.ID != "" && !s.SessionTime.IsZero()
}

func (a *Attempt) mend() bool {
	object(&a.Params)
	return a.ID != "" && !a.SessionTime.IsZero()
}

func (t *Task) mend() bool {
	for _, m := range []*json.RawMessage{&t.Config, &t.ExportParams, &t.StoreParams, &t.StateParams} {
		object(m)
	}
	return t.ID != "" && t.FullName != "" && t.State != ""
}

// UnmarshalJSON takes what operators put there: mostly texts, or nothing.
func (e *TaskError) UnmarshalJSON(data []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	for name, to := range map[string]*string{"message": &e.Message, "stacktrace": &e.Stacktrace} {
		if *to = string(fields[name]); *to == "null" {
			*to = ""
		}
		var text string
		if json.Unmarshal(fields[name], &text) == nil {
			*to = text
		}
	}
	return nil
}

func (s *Schedule) mend() bool { return s.ID != "" }

func (b *Backfilled) mend() bool {
	for i := range b.Attempts {
		if !b.Attempts[i].mend() {
			return false
		}
	}
	return b.ID != ""
}

func (f *LogFile) mend() bool { return f.Name != "" }

type version struct {
	Version string `json:"version"`
}

func (v *version) mend() bool { return v.Version != "" }
