package cli

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/outrider-run/outrider/runner/internal/cli/term"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/config"
	"github.com/outrider-run/outrider/runner/internal/engine"
)

// target is what the address of a verb leads to.
type target struct {
	// address as it was given, source included.
	address string
	// engine is digdag, airflow or another plugin's.
	engine string
	// component does the verb, with params, which by has given.
	component string
	params    json.RawMessage
	by        string
}

func (a *app) target(c *cli.Context, verb string, given map[string]json.RawMessage) (target, error) {
	address := c.Args().First()
	if address == "" {
		return target{}, term.Usage("the address is missing, such as digdag:PROJECT/WORKFLOW; see %s --help", term.HelpName(c))
	}
	cfg, err := config.Load(c.String("config"), os.Getenv)
	if err != nil {
		return target{}, &term.Exit{Code: term.Misused, Err: err}
	}
	return targetOf(address, verb, given, cfg, os.Getenv)
}

// targetOf decides which component does a verb, and with what: what the source says, the
// address, and what the host needs.
func targetOf(address, verb string, given map[string]json.RawMessage, cfg config.Config, getenv func(string) string) (target, error) {
	t := target{address: address, params: json.RawMessage("{}")}
	name, rest, found := strings.Cut(address, ":")
	switch s, known := cfg.Sources[name]; {
	case !found || rest == "":
		return t, term.Usage("%q is no address: want SOURCE:PROJECT/WORKFLOW, such as digdag:etl/daily, or SOURCE:DAG", address)
	case known:
		t.engine, t.params, t.by = s.Engine, s.Params, "source "+name+" of "+cfg.File
	case name == string(engine.Digdag) || name == string(engine.Airflow):
		variable := map[string]string{"digdag": engine.DigdagEndpoint, "airflow": engine.AirflowEndpoint}[name]
		if getenv(variable) == "" {
			return t, term.Usage("%s: where is the server? set %s, or name a source in outrider.yml", address, variable)
		}
		t.engine, t.by = name, "the address "+address
	default:
		names := append(slices.Sorted(maps.Keys(cfg.Sources)), "digdag", "airflow")
		if n := term.Near(name, names); n != "" {
			return t, term.Usage("there is no source %q; did you mean %s:%s?", name, n, rest)
		}
		return t, term.Usage("there is no source %q; there are %s", name, term.Join(names, "and"))
	}
	t.component = t.engine + "." + wordOf(t.engine, verb)
	var params map[string]json.RawMessage
	if err := json.Unmarshal(t.params, &params); err != nil {
		return t, host(err)
	}
	var err error
	if params["address"], err = json.Marshal(rest); err != nil {
		return t, host(err)
	}
	maps.Copy(params, given)
	t.params, err = json.Marshal(params)
	return t, err
}

// wordOf is the engine's own word for a verb.
func wordOf(engine, verb string) string {
	if engine == "airflow" {
		switch verb {
		case "start":
			return "trigger"
		case "retry":
			return "clear"
		}
	}
	return verb
}
