package client

import (
	"context"
	"errors"
	"iter"
	"maps"
	"net/url"
	"regexp"
	"strconv"
	"sync/atomic"
)

// defaultPage is what a server gives where nothing is asked for.
const defaultPage = 100

// bigPage is asked for where the server sets no limit.
const bigPage = 1000

// paged is a list that comes in pages.
type paged[T any] struct {
	call call
	name string // of the list in the answer
	id   func(T) ID
	// after begins beyond this id, which is not included; "" at the list's start.
	after ID
	// descending: beyond is below.
	descending bool
	// size is how many a page has, and param the parameter that asks for it, "" if
	// the size is the server's own.
	size  int
	param string
	// most is where the server's own limit is kept, nil if it has none.
	most *atomic.Int64
}

// noProject is why a workflow's name alone picks nothing.
const noProject = "a workflow is given and no project; the server would ignore it"

// of keeps to a project, and to one of its workflows; "" is all.
func (p *paged[T]) of(c *Client, project ID, workflow string) error {
	switch {
	case project == "" && workflow == "":
		return nil
	case project == "":
		return c.rest.Refuse(p.call, noProject)
	}
	p.call.Path = "/api/projects/" + string(project) + "/" + p.name
	if workflow != "" {
		p.call.Query = url.Values{"workflow": {workflow}}
	}
	return c.ids(p.call, project)
}

// newest lists from the newest below an id on, "" for all, in pages of size, 0 for the
// server's own.
func (p *paged[T]) newest(c *Client, below ID, size int) error {
	p.descending, p.after, p.size = true, below, defaultPage
	switch {
	case size < 0:
		return c.rest.Refuse(p.call, "a page of %d", size)
	case size > 0:
		p.size, p.param = size, "page_size"
	}
	if below == "" {
		return nil
	}
	return c.ids(p.call, below)
}

// page asks for one page beyond an id; fewer items than size are the last.
func page[T any, P shape[T]](ctx context.Context, c *Client, p paged[T], beyond ID) (items []T, size int, err error) {
	size = p.size
	for {
		if p.most != nil {
			if m := int(p.most.Load()); m > 0 {
				size = min(size, m)
			}
		}
		q := p.call
		q.Query = maps.Clone(p.call.Query)
		if q.Query == nil {
			q.Query = url.Values{}
		}
		if beyond != "" {
			q.Query.Set("last_id", string(beyond))
		}
		if p.param != "" {
			q.Query.Set(p.param, strconv.Itoa(size))
		}
		items, err = listed[T, P](ctx, c, q, p.name)
		most := mostOf(err)
		if p.most == nil || most <= 0 || most >= size {
			return items, size, err
		}
		p.most.Store(int64(most))
	}
}

// mostOf finds the limit in the words in which a server refuses a page that is too
// large, its only way to tell it (Digdag's QueryParamValidator); else 0.
func mostOf(err error) int {
	var e *Error
	if !errors.As(err, &e) || e.Code != CodeBadRequest {
		return 0
	}
	m := regexp.MustCompile(`MAX_PAGE_SIZE: (\d{1,9})`).FindStringSubmatch(e.Message)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(m[1]) // digits, and few
	return n
}

// all goes through the pages. An error is the last that it gives.
func all[T any, P shape[T]](ctx context.Context, c *Client, p paged[T]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		last := p.after
		for {
			items, size, err := page[T, P](ctx, c, p, last)
			if err != nil {
				yield(none, err)
				return
			}
			for _, item := range items {
				id := p.id(item)
				// A server or proxy that does not heed last_id would have us turn for ever.
				if last != "" && (id.Compare(last) < 0) != p.descending || id == last {
					yield(none, c.rest.Fault(answer{Call: p.call, Base: c.Endpoint()}, CodeBadAnswer, "the list comes out of order: id %s after %s", id, last))
					return
				}
				last = id
				if !yield(item, nil) {
					return
				}
			}
			if len(items) < size {
				return
			}
		}
	}
}

// failed is a list that was not asked for.
func failed[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		yield(none, err)
	}
}

// ids refuses what is no id: in a path it would be another path.
func (c *Client) ids(q call, ids ...ID) error {
	for _, id := range ids {
		if !id.Valid() {
			return c.rest.Refuse(q, "%q is no id; ids are numbers", id)
		}
	}
	return nil
}

// collect reads all of a list.
func collect[T any](list iter.Seq2[T, error], most int) (items []T, err error) {
	for item, err := range list {
		if err != nil {
			return items, err
		}
		if items = append(items, item); len(items) == most {
			break
		}
	}
	return items, nil
}
