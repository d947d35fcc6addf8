package cli

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/runner/internal/config"
	"github.com/outrider-run/outrider/runner/internal/engine"
)

// TestWhomToAsk: a password goes to its own endpoint alone, and of two Digdags none is
// taken for the caller.
func TestWhomToAsk(t *testing.T) {
	t.Setenv("PW", "secret")
	source := func(engine, params string) config.Source {
		return config.Source{Engine: engine, Params: json.RawMessage(params)}
	}
	a := source("digdag", `{"endpoint":"http://a","user":"me","password":"env:PW","headers":{"X":"1"},"secret_headers":{"Y":"env:PW"}}`)
	full := engine.API{Endpoints: []string{"http://a"}, User: "me", Password: "secret", Headers: map[string]string{"X": "1", "Y": "secret"}}
	b := source("digdag", `{"endpoint":"http://b"}`)
	for name, c := range map[string]struct {
		e       engine.Engine
		sources map[string]config.Source
		want    engine.API
	}{
		"nobody":         {engine.Engine{Name: engine.Digdag}, nil, engine.API{}},
		"the caller's":   {engine.Engine{Name: engine.Digdag, Endpoint: "http://c"}, map[string]config.Source{"a": a}, engine.API{Endpoints: []string{"http://c"}}},
		"the one source": {engine.Engine{Name: engine.Digdag}, map[string]config.Source{"a": a, "air": source("airflow", `{"endpoint":"http://x"}`)}, full},
		"both agree":     {engine.Engine{Name: engine.Digdag, Endpoint: "http://a"}, map[string]config.Source{"a": a, "b": b}, full},
		"two":            {engine.Engine{Name: engine.Digdag}, map[string]config.Source{"a": a, "b": b}, engine.API{}},
		"not Digdag":     {engine.Engine{Name: engine.None}, map[string]config.Source{"a": a}, engine.API{}},
		"a list":         {engine.Engine{Name: engine.Digdag, Endpoint: "http://y"}, map[string]config.Source{"a": source("digdag", `{"endpoint":["http://x","http://y"]}`)}, engine.API{Endpoints: []string{"http://x", "http://y"}}},
		"a list as text": {engine.Engine{Name: engine.Digdag, Endpoint: "b/,http://a/api"}, map[string]config.Source{"a": a, "c": source("digdag", `{"endpoint":"http://c"}`)}, full},
		"TLS":            {engine.Engine{Name: engine.Digdag}, map[string]config.Source{"a": source("digdag", `{"endpoint":"https://x:1/","ca_file":"/ca","insecure":true}`)}, engine.API{Endpoints: []string{"https://x:1"}, CAFile: "/ca", Insecure: true}},
		"no address":     {engine.Engine{Name: engine.Digdag}, map[string]config.Source{"a": source("digdag", `{"endpoint":5}`)}, engine.API{}},
	} {
		if got, err := apiOf(t.Context(), c.e, c.sources); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, c.want)
		}
	}
	bad := map[string]config.Source{"a": source("digdag", `{"endpoint":"http://a","password":"env:NOT_SET"}`)}
	if _, err := apiOf(t.Context(), engine.Engine{Name: engine.Digdag}, bad); err == nil || !strings.Contains(err.Error(), "source a: password: env:NOT_SET") {
		t.Errorf("%v", err)
	}
}
