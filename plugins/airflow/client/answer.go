package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/outrider-run/outrider/plugins/internal/rest"
)

// call is a request, and answer what the server says to it.
type (
	call   = rest.Call
	answer = rest.Answer
)

// path makes a path of the API, from dags on, of parts that it escapes.
func path(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(p))
	}
	return b.String()
}

// read is a GET.
func read(parts ...string) call { return call{Method: http.MethodGet, Path: path(parts...)} }

// do asks, with the path from dags on, as the user that the options name. A login that
// the server takes no more is renewed once.
func (c *Client) do(ctx context.Context, q call) (answer, error) {
	v, err := c.Version(ctx)
	if err != nil {
		return answer{}, err
	}
	q.Path = fmt.Sprintf("/api/v%d%s", v.API, q.Path)
	if q.Authorization, err = c.login.header(ctx, v.API, ""); err != nil {
		return answer{}, err
	}
	a, err := c.rest.Do(ctx, q)
	if refused(err, v.API) {
		again, renewErr := c.login.header(ctx, v.API, q.Authorization)
		switch {
		case renewErr != nil:
			return answer{}, renewErr
		case again != q.Authorization:
			q.Authorization = again
			a, err = c.rest.Do(ctx, q)
		}
	}
	if err != nil {
		return answer{}, c.explain(ctx, q, v.API, err)
	}
	c.clock(a)
	return a, nil
}

// refused reports whether an error may be about the login.
func refused(err error, api int) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && (e.Code == CodeUnauthorized || e.Code == CodeForbidden && api == 1)
}

// explain finds out what a 403 of Airflow 2 means: it says the same of no login, of a
// wrong one and of what a user may not do. Whoever may see no DAG has no login.
func (c *Client) explain(ctx context.Context, q call, api int, err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || api != 1 || e.Code != CodeForbidden || !strings.HasPrefix(e.Message, "403 forbidden") {
		return err
	}
	if c.HasCredentials() {
		try := call{Method: http.MethodGet, Path: "/api/v1/dags", Query: url.Values{"limit": {"1"}}, Authorization: q.Authorization}
		_, tryErr := c.rest.Do(ctx, try)
		if t, ok := errors.AsType[*Error](tryErr); !ok || t.Status != http.StatusForbidden {
			return err
		}
	}
	wrong := *e
	wrong.Code = CodeUnauthorized
	wrong.Message = "403 forbidden, as Airflow 2 says of no login and of a wrong one; " + c.authHint()
	if c.options.User != "" {
		wrong.Message += ", and that the server's auth_backends have basic_auth"
	}
	return &wrong
}

// shape is something that answers are made of, as the server writes it.
type shape[T any] interface {
	// plain makes of it what both versions have, and reports whether what it must
	// have is there.
	plain() (T, bool)
}

// one reads one thing.
func one[W shape[T], T any](c *Client, a answer) (T, error) {
	var w W
	var none T
	if err := json.Unmarshal(a.Body, &w); err != nil {
		return none, c.rest.Bad(a, err)
	}
	v, ok := w.plain()
	if !ok {
		return none, c.rest.Bad(a, nil)
	}
	return v, nil
}

// get asks for one thing.
func get[W shape[T], T any](ctx context.Context, c *Client, q call) (T, error) {
	a, err := c.do(ctx, q)
	if err != nil {
		var none T
		return none, err
	}
	return one[W, T](c, a)
}

// list reads what stands under a name, which must be there.
func list[W shape[T], T any](c *Client, a answer, name string) ([]T, error) {
	var whole map[string]json.RawMessage
	if err := json.Unmarshal(a.Body, &whole); err != nil {
		return nil, c.rest.Bad(a, err)
	}
	var wires []W
	if err := json.Unmarshal(whole[name], &wires); err != nil || wires == nil {
		return nil, c.rest.Bad(a, err)
	}
	all := make([]T, 0, len(wires))
	for _, w := range wires {
		v, ok := w.plain()
		if !ok {
			return nil, c.rest.Bad(a, nil)
		}
		all = append(all, v)
	}
	return all, nil
}

func isCode(err error, code string) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Code == code
}
