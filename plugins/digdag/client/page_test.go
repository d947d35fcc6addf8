package client_test

import (
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/outrider-run/outrider/plugins/digdag/client"
)

// listing is a server with n of everything, ids from 1, that pages as Digdag does.
type listing struct {
	n    int64
	most int // of a page that is asked for
	asks atomic.Int64
	// refusals are pages that were too large.
	refusals atomic.Int64
}

func (l *listing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.asks.Add(1)
	q := r.URL.Query()
	name := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	descending := name == "attempts" || name == "sessions"
	size := 100
	for _, param := range []string{"page_size", "count"} {
		if text := q.Get(param); text != "" {
			size, _ = strconv.Atoi(text)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	if descending && q.Has("page_size") && size > l.most {
		l.refusals.Add(1)
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"message":"Your specified page_size is Optional.of(%d), but it is larger than MAX_PAGE_SIZE: %d. You must specify page_size with a number which is smaller than %d.","status":400}`, size, l.most, l.most)
		return
	}
	last, err := strconv.ParseInt(q.Get("last_id"), 10, 64)
	if err != nil {
		if last = 0; descending {
			last = l.n + 1
		}
	}
	var items []string
	for len(items) < size {
		if last++; descending {
			last -= 2
		}
		if last < 1 || last > l.n {
			break
		}
		items = append(items, fmt.Sprintf(`{"id":"%d","name":"w","sessionTime":"2026-11-22T00:00:00+00:00","lastAttempt":null}`, last))
	}
	fmt.Fprintf(w, `{%q:[%s]}`, name, strings.Join(items, ","))
}

func serveListing(tb testing.TB, n, most int) (*listing, *client.Client) {
	l := &listing{n: int64(n), most: most}
	s := httptest.NewServer(l)
	tb.Cleanup(s.Close)
	return l, newClient(tb, client.Options{Endpoints: []string{s.URL}})
}

// ids of a list, which must not fail.
func ids[T any](t rapid.TB, list iter.Seq2[T, error], id func(T) client.ID) (all []client.ID) {
	for item, err := range list {
		if err != nil {
			t.Fatalf("after %d: %v", len(all), err)
		}
		all = append(all, id(item))
	}
	return all
}

// TestEveryListIsWhole: each id once, in the list's direction, in as few requests as
// can be.
func TestEveryListIsWhole(t *testing.T) {
	for _, n := range []int{0, 1, 99, 100, 101, 250, 1000, 2345} {
		_, c := serveListing(t, n, 100)
		ctx := t.Context()
		for name, list := range map[string]struct {
			ids        []client.ID
			descending bool
		}{
			"attempts": {ids(t, c.Attempts(ctx, client.AttemptFilter{}), func(a client.Attempt) client.ID { return a.ID }), true},
			"sessions": {ids(t, c.Sessions(ctx, client.SessionFilter{}), func(s client.Session) client.ID { return s.ID }), true},
			"of one":   {ids(t, c.SessionAttempts(ctx, "5"), func(a client.Attempt) client.ID { return a.ID }), true},
			"projects": {ids(t, c.Projects(ctx), func(p client.Project) client.ID { return p.ID }), false},
			"workflow": {ids(t, c.AllWorkflows(ctx), func(w client.Workflow) client.ID { return w.ID }), false},
			"schedule": {ids(t, c.Schedules(ctx, client.ScheduleFilter{}), func(s client.Schedule) client.ID { return s.ID }), false},
		} {
			if list.descending {
				slices.Reverse(list.ids)
			}
			for i, id := range list.ids {
				if id != client.ID(strconv.Itoa(i+1)) {
					t.Fatalf("%s of %d: %s at %d", name, n, id, i)
				}
			}
			if len(list.ids) != n {
				t.Errorf("%s: %d of %d", name, len(list.ids), n)
			}
		}
	}
}

func TestRequestsOfAList(t *testing.T) {
	for n, want := range map[int]int64{0: 1, 99: 1, 100: 2, 299: 3} {
		l, c := serveListing(t, n, 100)
		ids(t, c.Attempts(t.Context(), client.AttemptFilter{}), func(a client.Attempt) client.ID { return a.ID })
		if got := l.asks.Load(); got != want || c.Requests() != int(want) {
			t.Errorf("%d attempts: %d requests, want %d", n, got, want)
		}
	}
	l, c := serveListing(t, 300, 100)
	for range c.Attempts(t.Context(), client.AttemptFilter{}) {
		break
	}
	if l.asks.Load() != 1 {
		t.Errorf("a list that is left at its first: %d requests", l.asks.Load())
	}
}

// TestHiddenPageSize: the limit of a page is learned from the refusal, once.
func TestHiddenPageSize(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n, most, size := rapid.IntRange(0, 300).Draw(r, "n"), rapid.IntRange(1, 150).Draw(r, "most"), rapid.IntRange(1, 400).Draw(r, "size")
		l := &listing{n: int64(n), most: most}
		s := httptest.NewServer(l)
		defer s.Close()
		c, err := client.New(client.Options{Endpoints: []string{s.URL}, Retry: quick})
		if err != nil {
			r.Fatal(err)
		}
		defer c.Close()
		for range 2 {
			got := ids(r, c.Attempts(t.Context(), client.AttemptFilter{PageSize: size}), func(a client.Attempt) client.ID { return a.ID })
			if len(got) != n {
				r.Fatalf("%d of %d", len(got), n)
			}
		}
		if want := int64(min(1, max(0, size-most))); l.refusals.Load() != want {
			r.Fatalf("%d refusals, want %d", l.refusals.Load(), want)
		}
	})
	f := serve(t, recorded(t, "error_400_page_size"), reply{body: `{"sessions":[]}`})
	page, err := ask(t, f).SessionsPage(t.Context(), client.SessionFilter{PageSize: 1000})
	if want := []string{"GET /api/sessions?page_size=1000", "GET /api/sessions?page_size=100"}; err != nil || len(page) != 0 || !slices.Equal(f.lines(), want) {
		t.Errorf("%v, %v", f.lines(), err)
	}
}

// TestListThatTurns: a server that does not heed last_id ends in an error, not never.
func TestListThatTurns(t *testing.T) {
	l := listing{n: 100, most: 100}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.RawQuery = ""
		l.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	c := newClient(t, client.Options{Endpoints: []string{s.URL}})
	count := 0
	var last error
	for _, err := range c.Attempts(t.Context(), client.AttemptFilter{}) {
		count, last = count+1, err
	}
	var e *client.Error
	if count != 101 || !errors.As(last, &e) || e.Code != client.CodeBadAnswer || !strings.Contains(e.Message, "out of order: id 100 after 1") {
		t.Errorf("%d items, then %v", count, last)
	}
}

func TestErrorAmidAList(t *testing.T) {
	first := make([]string, 100)
	for i := range first {
		first[i] = fmt.Sprintf(`{"id":"%d","sessionTime":"2026-11-22T00:00:00Z"}`, 200-i)
	}
	f := serve(t, reply{body: `{"attempts":[` + strings.Join(first, ",") + `]}`}, recorded(t, "error_401"))
	count := 0
	var last error
	for a, err := range ask(t, f).Attempts(t.Context(), client.AttemptFilter{IncludeRetried: true}) {
		if err != nil {
			if a.ID != "" {
				t.Errorf("an item comes with the error: %+v", a)
			}
			last = err
			continue
		}
		count++
	}
	if count != 100 || last == nil {
		t.Errorf("%d items, then %v", count, last)
	}
	if want := []string{"GET /api/attempts?include_retried=true", "GET /api/attempts?include_retried=true&last_id=101"}; !slices.Equal(f.lines(), want) {
		t.Errorf("asked %v", f.lines())
	}
}

func TestFiltersThatAreWrong(t *testing.T) {
	f := serve(t, reply{})
	c, ctx := ask(t, f), t.Context()
	_, one := c.AttemptsPage(ctx, client.AttemptFilter{Workflow: "w"})
	_, two := c.SessionsPage(ctx, client.SessionFilter{Workflow: "w"})
	_, three := c.AttemptsPage(ctx, client.AttemptFilter{PageSize: -1})
	_, four := c.SessionsPage(ctx, client.SessionFilter{Before: "../7"})
	_, five := c.Tasks(ctx, "7/kill")
	_, six := c.Start(ctx, client.StartRequest{Workflow: "7"})
	_, seven := c.LogFile(ctx, "7", "..")
	_, eight := c.Skip(ctx, "7", client.SkipRequest{Count: 1})
	_, nine := c.Backfill(ctx, "7", client.BackfillRequest{AttemptName: "a"})
	errs := []error{one, two, three, four, five, six, seven, eight, nine}
	for _, err := range c.Schedules(ctx, client.ScheduleFilter{Workflow: "w"}) {
		errs = append(errs, err)
	}
	for i, err := range errs {
		var e *client.Error
		if !errors.As(err, &e) || e.Code != client.CodeBadRequest || e.Retryable() {
			t.Errorf("%d: %v", i, err)
		}
	}
	if len(errs) != 10 || len(f.all()) > 0 {
		t.Errorf("%d errors; sent %v", len(errs), f.lines())
	}
}
