package client

import (
	"context"
	"encoding/json"
	"iter"
	"maps"
	"net/url"
	"slices"
	"strconv"
)

// most is what a server gives of a list at once, unless it is set to give less.
const most = 100

// paged is a list that comes in pages.
type paged[T any] struct {
	call call // its path from dags on
	name string
	key  func(T) string // no two of a list have the same
	size int
	// loose says that the server puts it in no order, so that a page may repeat what
	// another left out.
	loose bool
}

// page asks for one page. total is how many there are in all, -1 where the server does
// not tell.
func page[W shape[T], T any](ctx context.Context, c *Client, p paged[T], offset int) (items []T, total int, err error) {
	q := p.call
	if q.Query = maps.Clone(p.call.Query); q.Query == nil {
		q.Query = url.Values{}
	}
	q.Query.Set("limit", strconv.Itoa(p.size))
	if offset > 0 {
		q.Query.Set("offset", strconv.Itoa(offset))
	}
	a, err := c.do(ctx, q)
	if err != nil {
		return nil, -1, err
	}
	if items, err = list[W, T](c, a, p.name); err != nil {
		return nil, -1, err
	}
	var count struct {
		Total *int `json:"total_entries"`
		Limit *int `json:"total_entries_limit"` // 3.3 counts no further
	}
	total = -1
	if json.Unmarshal(a.Body, &count) == nil && count.Total != nil && (count.Limit == nil || *count.Total < *count.Limit) {
		total = *count.Total
	}
	return items, total, nil
}

// all goes through the pages and gives each item once. An error is the last that it
// gives.
//
// A list that lives moves: what leaves it has the rest move up, behind the back of
// whoever counts from its start. So a total that has become smaller sends it back by as
// many.
func all[W shape[T], T any](ctx context.Context, c *Client, p paged[T]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		seen := map[string]bool{}
		total, fullest := -1, 0
		var last []string // keys of the page before
		backs := 10       // no list is gone through for ever
		for offset := 0; ; {
			items, now, err := page[W](ctx, c, p, offset)
			if err != nil {
				yield(none, err)
				return
			}
			if gone := total - now; offset > 0 && now >= 0 && gone > 0 && backs > 0 {
				offset, total, last = max(0, offset-gone), now, nil
				backs--
				continue
			}
			var keys []string
			for _, item := range items {
				key := p.key(item)
				if keys = append(keys, key); !seen[key] {
					seen[key] = true
					if !yield(item, nil) {
						return
					}
				}
			}
			turns := len(keys) > 0 && slices.Equal(keys, last)
			offset, total, last, fullest = offset+len(items), now, keys, max(fullest, len(items))
			switch {
			case turns:
				// A server or proxy that does not heed the offset would have us turn for ever.
				yield(none, c.rest.Fault(answer{Call: p.call, Base: c.Endpoint()}, CodeBadAnswer, "the list goes in a circle: the same again at offset %d", offset-len(items)))
				return
			case p.loose && backs > 0 && offset >= total && len(seen) < total:
				offset, last, backs = 0, nil, backs-1
			case len(items) == 0, total >= 0 && offset >= total, total < 0 && len(items) < fullest:
				return
			}
		}
	}
}

// collect reads all of a list, or the first so many of it.
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

// failed is a list that was not asked for.
func failed[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		yield(none, err)
	}
}
