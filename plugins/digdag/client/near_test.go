package client_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/plugins/digdag/client"
)

func TestNear(t *testing.T) {
	names := []string{"etl", "etl_b", "report", "ETL2", "", "日本"}
	for name, want := range map[string][]string{
		"etll": {"etl", "ETL2", "etl_b"}, "reprot": {"report"}, "nothing": nil, "rep": {"report"}, "": nil, "etl": {"ETL2", "etl_b"}, "日木": {"日本"},
	} {
		if got := client.Near(name, names); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
}

func TestNamesThatAreNot(t *testing.T) {
	none := reply{body: `{"projects":[]}`}
	f := serve(t, none, reply{body: `{"projects":[{"id":"1","name":"etl"},{"id":"2","name":"etl_b"},{"id":"3","name":"web"}]}`})
	_, err := ask(t, f).ProjectNamed(t.Context(), "etl_")
	var e *client.Error
	if !errors.As(err, &e) || e.Code != client.CodeNotFound || !slices.Equal(e.Near, []string{"etl", "etl_b"}) || err.Error() != `no project "etl_" at `+f.URL+`; near: etl, etl_b` {
		t.Errorf("%v: %+v", err, e)
	}
	if want := []string{"GET /api/projects?name=etl_", "GET /api/projects?count=1000"}; !slices.Equal(f.lines(), want) {
		t.Errorf("asked %v", f.lines())
	}
	// Without the list of names the answer is the same.
	f = serve(t, none, recorded(t, "error_401"))
	if _, err = ask(t, f).ProjectNamed(t.Context(), "x"); !errors.As(err, &e) || e.Code != client.CodeNotFound || len(e.Near) > 0 {
		t.Errorf("%v", err)
	}

	f = serve(t, reply{body: `{"workflows":[]}`}, recorded(t, "project_workflows"))
	_, err = ask(t, f).WorkflowNamed(t.Context(), client.Project{ID: "1", Name: "demo"}, "daly")
	if !errors.As(err, &e) || e.Code != client.CodeNotFound || !slices.Contains(e.Near, "daily") || !strings.HasPrefix(err.Error(), `no workflow "daly" in project demo at http`) {
		t.Errorf("%v", err)
	}
	p, err := ask(t, serve(t, recorded(t, "projects_by_name"))).ProjectNamed(t.Context(), "demo")
	if err != nil || p.ID != "1" {
		t.Errorf("%+v, %v", p, err)
	}
}
