package client_test

import (
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

	"github.com/outrider-run/outrider/plugins/airflow/client"
)

// listing is a server with a list of DAGs, that pages as Airflow does.
type listing struct {
	names []string
	most  int  // [api] maximum_page_limit
	total bool // it tells how many there are
	asks  atomic.Int64
	// between is called after each page.
	between func(ask int)
}

func (l *listing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if strings.HasSuffix(r.URL.Path, "/version") {
		_, _ = w.Write([]byte(`{"version":"3.3.2"}`))
		return
	}
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
	page := l.names[min(offset, len(l.names)):]
	page = page[:min(len(page), limit, l.most)]
	var items []string
	for _, name := range page {
		items = append(items, fmt.Sprintf(`{"dag_id":%q}`, name))
	}
	total := "null"
	if l.total {
		total = strconv.Itoa(len(l.names))
	}
	fmt.Fprintf(w, `{"dags":[%s],"total_entries":%s}`, strings.Join(items, ","), total)
	n := l.asks.Add(1)
	if l.between != nil {
		l.between(int(n))
	}
}

func (l *listing) ask(tb interface {
	Fatal(...any)
	Cleanup(func())
},
) *client.Client {
	s := httptest.NewServer(l)
	tb.Cleanup(s.Close)
	c, err := client.New(client.Options{Endpoints: []string{s.URL}, Token: "t", Retry: quick})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

func named(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("dag%04d", i))
	}
	return names
}

// ids of a list, and the error that ends it.
func ids(list iter.Seq2[client.DAG, error]) (all []string, err error) {
	for d, err := range list {
		if err != nil {
			return all, err
		}
		all = append(all, d.ID)
	}
	return all, nil
}

// TestEveryListIsWhole: each once, in order, in as few requests as can be, whatever the
// server's limit is and whether it tells how many there are.
func TestEveryListIsWhole(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		l := &listing{
			names: named(rapid.IntRange(0, 450).Draw(r, "n")), most: rapid.IntRange(1, 150).Draw(r, "most"), total: rapid.Bool().Draw(r, "total"),
		}
		got, err := ids(l.ask(r).DAGs(t.Context(), client.DAGFilter{}))
		if err != nil || !slices.Equal(got, l.names) {
			r.Fatalf("%d of %d, %v", len(got), len(l.names), err)
		}
		size := min(100, l.most)
		want := max(1, (len(l.names)+size-1)/size)
		if !l.total {
			want++ // the last page may be the server's own limit
		}
		if asks := int(l.asks.Load()); asks > want {
			r.Fatalf("%d requests for %d in pages of %d, want %d", asks, len(l.names), size, want)
		}
	})
}

// TestListThatMoves: of what leaves the list while it is gone through, nothing else is
// missed, nor given twice, and what comes does no harm.
func TestListThatMoves(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		l := &listing{names: named(rapid.IntRange(1, 300).Draw(r, "n")), most: rapid.IntRange(10, 100).Draw(r, "most"), total: true}
		stay := map[string]bool{}
		for _, name := range l.names {
			stay[name] = true
		}
		grows := rapid.Bool().Draw(r, "grows")
		l.between = func(ask int) {
			if ask > 8 {
				return
			}
			if grows { // at its start, as runs do that are listed by their age
				l.names = slices.Insert(l.names, 0, fmt.Sprintf("new%d", ask))
				return
			}
			for range rapid.IntRange(0, 9).Draw(r, "leave") {
				if len(l.names) > 1 {
					at := rapid.IntRange(0, len(l.names)-1).Draw(r, "at")
					delete(stay, l.names[at])
					l.names = slices.Delete(l.names, at, at+1)
				}
			}
		}
		got, err := ids(l.ask(r).DAGs(t.Context(), client.DAGFilter{}))
		if err != nil {
			r.Fatal(err)
		}
		seen := map[string]int{}
		for _, name := range got {
			seen[name]++
			if seen[name] > 1 {
				r.Fatalf("%s comes twice", name)
			}
		}
		for name := range stay {
			if seen[name] == 0 {
				r.Fatalf("%s is missed", name)
			}
		}
	})
}

func TestRequestsOfAList(t *testing.T) {
	for n, want := range map[int]int64{0: 1, 99: 1, 100: 1, 101: 2, 200: 2, 201: 3} {
		l := &listing{names: named(n), most: 100, total: true}
		if got, err := ids(l.ask(t).DAGs(t.Context(), client.DAGFilter{})); len(got) != n || err != nil || l.asks.Load() != want {
			t.Errorf("%d DAGs: %d in %d requests, want %d; %v", n, len(got), l.asks.Load(), want, err)
		}
	}
	l := &listing{names: named(300), most: 100, total: true}
	for range l.ask(t).DAGs(t.Context(), client.DAGFilter{}) {
		break
	}
	if l.asks.Load() != 1 {
		t.Errorf("a list that is left at its first: %d requests", l.asks.Load())
	}
}

// TestListThatTurns: a server that does not heed the offset ends in an error, not never.
func TestListThatTurns(t *testing.T) {
	for _, total := range []bool{true, false} {
		l := &listing{names: named(100), most: 100}
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.URL.RawQuery = "limit=100"
			if total {
				rec := httptest.NewRecorder()
				l.ServeHTTP(rec, r)
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(strings.Replace(rec.Body.String(), "null", "200", 1)))
				return
			}
			l.ServeHTTP(w, r)
		}))
		t.Cleanup(s.Close)
		got, err := ids(newClient(t, client.Options{Endpoints: []string{s.URL}, Token: "t"}).DAGs(t.Context(), client.DAGFilter{}))
		if len(got) != 100 || code(err) != client.CodeBadAnswer || !strings.Contains(err.Error(), "goes in a circle") || l.asks.Load() > 3 {
			t.Errorf("%d items in %d requests, then %v", len(got), l.asks.Load(), err)
		}
	}
}

// TestCountThatIsCut: Airflow 3.3 counts no further than a limit.
func TestCountThatIsCut(t *testing.T) {
	f := serve(t, 2, reply{body: `{"dags":[{"dag_id":"a"},{"dag_id":"b"}],"total_entries":2,"total_entries_limit":2}`}, reply{body: `{"dags":[{"dag_id":"c"}],"total_entries":2,"total_entries_limit":2}`})
	if got, err := ids(ask(t, f).DAGs(t.Context(), client.DAGFilter{})); !slices.Equal(got, []string{"a", "b", "c"}) || err != nil {
		t.Errorf("%v, %v", got, err)
	}
}

// TestRowsAreApart: what a row does not have, or has as null, it does not get from the
// row before, nor from the page before.
func TestRowsAreApart(t *testing.T) {
	full := `{"dag_id":%q,"is_paused":true,"is_stale":true,"has_import_errors":true,"timetable_summary":"30 4 * * *","timezone":"UTC",
		"next_dagrun_run_after":"2026-11-22T04:30:00Z","next_dagrun_logical_date":"2026-11-21T04:30:00Z","max_active_runs":2,
		"tags":[{"name":"nightly"},{"name":"team:data"}],"owners":["ops","data"],"relative_fileloc":"f.py","last_parsed_time":"2026-11-21T04:30:00Z"}`
	null := `{"dag_id":%q,"timetable_summary":null,"timezone":null,"next_dagrun_run_after":null,"next_dagrun_logical_date":null,"max_active_runs":null,
		"tags":null,"owners":null,"relative_fileloc":null,"last_parsed_time":null}`
	page := func(rows ...string) reply {
		return reply{body: `{"dags":[` + strings.Join(rows, ",") + `],"total_entries":6}`}
	}
	row := func(form, id string) string { return fmt.Sprintf(form, id) }
	f := serve(t, 2, page(row(full, "a"), row(null, "b"), `{"dag_id":"c","tags":[],"owners":[]}`), page(row(null, "d"), row(full, "e"), `{"dag_id":"f"}`))
	bare := 0
	for d, err := range ask(t, f).DAGs(t.Context(), client.DAGFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if d.ID == "a" || d.ID == "e" {
			continue
		}
		bare++
		if d.Paused || d.Stale || d.Broken || d.Expression+d.Zone+d.File != "" || !d.NextRun.IsZero() || !d.NextLogical.IsZero() || !d.Parsed.IsZero() || d.MaxActiveRuns != 0 || len(d.Tags)+len(d.Owners) > 0 {
			t.Errorf("%+v", d)
		}
	}
	if bare != 4 {
		t.Errorf("%d rows", bare)
	}
}

func TestErrorAmidAList(t *testing.T) {
	l := &listing{names: named(150), most: 100, total: true}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("offset") != "" {
			recorded(t, 2, "error-expired-token").give(w, r)
			return
		}
		l.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	got, err := ids(newClient(t, client.Options{Endpoints: []string{s.URL}, Token: "t"}).DAGs(t.Context(), client.DAGFilter{}))
	if len(got) != 100 || code(err) != client.CodeUnauthorized {
		t.Errorf("%d items, then %v", len(got), err)
	}
}

// TestListWithoutAnOrder: Airflow 2 has none for task instances, so that a page may
// repeat what another left out; then the list is gone through again.
func TestListWithoutAnOrder(t *testing.T) {
	task := func(i int) string {
		return fmt.Sprintf(`{"dag_id":"d","dag_run_id":"r","task_id":"t","map_index":%d}`, i)
	}
	page := func(is ...int) reply {
		var all []string
		for _, i := range is {
			all = append(all, task(i))
		}
		return reply{body: `{"task_instances":[` + strings.Join(all, ",") + `],"total_entries":4}`}
	}
	f := serve(t, 1, page(0, 1), page(1, 2), page(3, 2), page(0, 1))
	tasks, err := ask(t, f).Tasks(t.Context(), "d", "r")
	if err != nil || len(tasks) != 4 || len(f.all()) > 4 {
		t.Errorf("%+v, %v, %v", tasks, err, f.lines())
	}
	// One that is counted and never comes is not looked for for ever.
	f = serve(t, 1, page(0, 1))
	if tasks, err = ask(t, f).Tasks(t.Context(), "d", "r"); len(tasks) != 2 || code(err) != client.CodeBadAnswer || len(f.all()) > 30 {
		t.Errorf("%+v, %v, %d requests", tasks, err, len(f.all()))
	}
}

// TestFilters: what the API of each version calls them.
func TestFilters(t *testing.T) {
	from, to := at("2026-11-21T00:00:00+09:00"), at("2026-11-21T01:02:03.0000045Z")
	for _, c := range []struct {
		api  int
		f    client.RunFilter
		want string
	}{
		{2, client.RunFilter{}, "/api/v2/dags/~/dagRuns?limit=100&order_by=-run_after"},
		{1, client.RunFilter{}, "/api/v1/dags/~/dagRuns?limit=100&order_by=-id"},
		{2, client.RunFilter{DAG: "d é", States: []string{"running", "queued"}, OrderBy: "run_after", Limit: 7, Offset: 14}, "/api/v2/dags/d%20%C3%A9/dagRuns?limit=7&offset=14&order_by=run_after&state=running&state=queued"},
		{1, client.RunFilter{DAG: "d", EndedSince: to, Limit: 1000}, "/api/v1/dags/d/dagRuns?end_date_gte=2026-11-21T01%3A02%3A03.000004Z&limit=100&order_by=-execution_date"},
		{2, client.RunFilter{LogicalFrom: from, LogicalTo: to}, "/api/v2/dags/~/dagRuns?limit=100&logical_date_gte=2026-11-20T15%3A00%3A00.000000Z&logical_date_lte=2026-11-21T01%3A02%3A03.000004Z&order_by=-run_after"},
		{1, client.RunFilter{LogicalFrom: from, LogicalTo: to}, "/api/v1/dags/~/dagRuns?execution_date_gte=2026-11-20T15%3A00%3A00.000000Z&execution_date_lte=2026-11-21T01%3A02%3A03.000004Z&limit=100&order_by=-id"},
	} {
		f := serve(t, c.api, reply{body: `{"dag_runs":[]}`})
		if page, total, err := ask(t, f).RunsPage(t.Context(), c.f); err != nil || len(page) != 0 || total != -1 || f.all()[0].URI != c.want {
			t.Errorf("%v, %d, %v, asked %v\nwant %s", page, total, err, f.lines(), c.want)
		}
	}
	for _, c := range []struct {
		api  int
		f    client.DAGFilter
		want string
	}{
		{2, client.DAGFilter{}, "/api/v2/dags?exclude_stale=true&limit=100&order_by=dag_id"},
		{1, client.DAGFilter{Active: true, Pattern: "a%"}, "/api/v1/dags?dag_id_pattern=a%25&limit=100&only_active=true&order_by=dag_id&paused=false"},
	} {
		f := serve(t, c.api, reply{body: `{"dags":[],"total_entries":0}`})
		if got, err := ids(ask(t, f).DAGs(t.Context(), c.f)); err != nil || len(got) != 0 || f.all()[0].URI != c.want {
			t.Errorf("%v, %v, asked %v\nwant %s", got, err, f.lines(), c.want)
		}
	}
	for api, want := range map[int]string{
		1: "/api/v1/dags?limit=100&only_active=false&order_by=dag_id",
		2: "/api/v2/dags?exclude_stale=false&has_import_errors=true&limit=100&order_by=dag_id",
	} {
		f := serve(t, api, reply{body: `{"dags":[{"dag_id":"a"}],"total_entries":7}`})
		if got, total, err := ask(t, f).DAGsOfBrokenFiles(t.Context()); err != nil || len(got) != 1 || total != 7 || len(f.lines()) != 1 || f.all()[0].URI != want {
			t.Errorf("%v, %d, %v, asked %v\nwant %s", got, total, err, f.lines(), want)
		}
	}
	f := serve(t, 1, reply{body: `{"task_instances":[],"total_entries":0}`})
	if _, err := ask(t, f).TasksIn(t.Context(), "queued", "running"); err != nil || f.all()[0].URI != "/api/v1/dags/~/dagRuns/~/taskInstances?limit=100&state=queued&state=running" {
		t.Errorf("%v, asked %v", err, f.lines())
	}
}

// TestNothingWrongIsSent: what v1 would answer with 200 and an empty list, or either
// version take for something else.
func TestNothingWrongIsSent(t *testing.T) {
	f := serve(t, 1, reply{})
	c, ctx := ask(t, f), t.Context()
	one := func(_ any, err error) error { return err }
	page := func(f client.RunFilter) error { _, _, err := c.RunsPage(ctx, f); return err }
	trigger := func(x client.Trigger) error { _, _, err := c.Trigger(ctx, x); return err }
	task := client.TaskInstance{DAG: "d", Run: "r", Task: "t", MapIndex: -1}
	for says, err := range map[string]error{
		`"faild" is no state; want one of queued, running, success, failed; near: failed`: page(client.RunFilter{States: []string{"queued", "faild"}}),
		`"runing" is no state`:            one(c.TasksIn(ctx, "runing")),
		"no state is given":               one(c.TasksIn(ctx)),
		`"running" is no state; want one`: one(c.SetRun(ctx, "d", "r", "running")),
		`"none" is no state`:              c.SetTask(ctx, task, "none"),
		"a page of -1":                    page(client.RunFilter{Limit: -1}),
		"from -1 on":                      page(client.RunFilter{Offset: -1}),
		"~ is no dag":                     one(c.DAG(ctx, "~")),
		"~ is no run":                     one(c.Run(ctx, "d", "~")),
		`"" is no dag`:                    one(c.DAG(ctx, "")),
		`".." is no run`:                  one(c.Run(ctx, "d", "..")),
		`run "a/b" has a slash, which Airflow takes for the end of it, even as %2F`: one(c.Run(ctx, "d", "a/b")),
		`task "t/x" has a slash`:          one(c.Task(ctx, "d", "r", "t/x", -1)),
		`dag "a/b" has a slash`:           page(client.RunFilter{DAG: "a/b"}),
		`run "a/b/c" has a slash`:         trigger(client.Trigger{DAG: "d", ID: "a/b/c"}),
		"the conf is no JSON object":      trigger(client.Trigger{DAG: "d", Conf: []byte(`[1]`)}),
		"the conf is no JSON object ":     trigger(client.Trigger{DAG: "d", Conf: []byte(`{"a":`)}),
		"try 0: tries count from 1":       one(c.Log(ctx, task, 0)),
		"map indexes are given, and 2 ta": one(c.Clear(ctx, client.Clear{DAG: "d", Run: "r", Tasks: []string{"a", "b"}, MapIndexes: []int{1}})),
	} {
		if code(err) != client.CodeBadRequest || !strings.Contains(err.Error(), strings.TrimSpace(says)) {
			t.Errorf("%v\nwant %s", err, says)
		}
	}
	if len(f.all()) > 0 {
		t.Errorf("sent %v", f.lines())
	}
}
