package checkercli

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/checker/action"
	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/checker/settings"
	"github.com/outrider-run/outrider/runner/internal/checker/source"
	"github.com/outrider-run/outrider/runner/internal/checker/watch"
	"github.com/outrider-run/outrider/runner/internal/cli/term"
	"github.com/outrider-run/outrider/runner/internal/config"
	"github.com/outrider-run/outrider/runner/internal/engine"
	"github.com/outrider-run/outrider/runner/internal/invoke"
)

// settings are those that the flags and the config lead to.
func (a *app) settings(c *cli.Context) (settings.Settings, error) {
	g, err := parse(c)
	if err != nil {
		return settings.Settings{}, err
	}
	_, s, err := g.settings()
	return s, err
}

// settings reads the config and adds what the flags say.
func (g given) settings() (config.Config, settings.Settings, error) {
	cfg, err := config.Load(g.config, os.Getenv)
	if err != nil {
		return cfg, settings.Settings{}, term.Usage("%w", err)
	}
	s, err := settings.Load(cfg)
	if err != nil {
		return cfg, s, term.Usage("%w", err)
	}
	for _, add := range []func(*settings.Settings) error{g.addSources, g.setParams, g.addThreshold, g.addSlack} {
		if err := add(&s); err != nil {
			return cfg, s, err
		}
	}
	if g.ping != "" {
		s.Ping = g.ping
	}
	return cfg, s, nil
}

// addSources adds those of the flags; where there are none at all, those of the
// environment.
func (g given) addSources(s *settings.Settings) error {
	s.Sources = maps.Clone(s.Sources)
	if s.Sources == nil {
		s.Sources = map[string]settings.Source{}
	}
	urls := map[engine.Name]string{engine.Digdag: g.digdag, engine.Airflow: g.airflow}
	if len(s.Sources) == 0 && g.digdag == "" && g.airflow == "" && !g.ledger {
		urls = map[engine.Name]string{engine.Digdag: os.Getenv(engine.DigdagEndpoint), engine.Airflow: os.Getenv(engine.AirflowEndpoint)}
	}
	for name, url := range urls {
		if url == "" {
			continue
		}
		params := map[string]any{"endpoint": url}
		if name == engine.Airflow {
			params["deep"] = true
			if user := os.Getenv("AIRFLOW_USER"); user != "" {
				params["user"], params["password"] = user, "env:AIRFLOW_PASSWORD"
			}
		}
		raw, err := json.Marshal(params)
		if err != nil {
			return err
		}
		s.Sources[string(name)] = settings.Source{Engine: string(name), Params: raw}
	}
	if g.ledger {
		s.Sources[source.Engine] = settings.Source{Engine: source.Engine}
	}
	if g.history > 0 {
		for name, one := range s.Sources {
			one.History = time.Duration(g.history)
			s.Sources[name] = one
		}
	}
	return nil
}

// addThreshold sets what is too long where neither a rule nor a workflow's owner says so.
func (g given) addThreshold(s *settings.Settings) error {
	if !g.threshold.IsZero() {
		s.Rules = s.Rules.WithDefault(rule.Running, g.threshold, "--threshold")
	}
	return nil
}

// addSlack tells a channel, beside those that the routes name.
func (g given) addSlack(s *settings.Settings) error {
	if g.slack == "" {
		return nil
	}
	params := map[string]string{"channel": g.slack, "token": "env:SLACK_TOKEN"}
	if os.Getenv("SLACK_TOKEN") == "" {
		if os.Getenv("SLACK_WEBHOOK") == "" {
			return term.Usage("--slack %s: want a bot's token in SLACK_TOKEN, or a webhook's address in SLACK_WEBHOOK", g.slack)
		}
		params = map[string]string{"webhook": "env:SLACK_WEBHOOK"}
	} else if url := os.Getenv("SLACK_API_URL"); url != "" {
		params["api_url"] = url
	}
	raw, err := json.Marshal(params)
	if err != nil {
		return err
	}
	const name = "slack"
	s.Receivers = maps.Clone(s.Receivers)
	s.Receivers[name] = settings.Receiver{Name: name, Component: "slack.post", Params: raw, Template: "slack", Fallback: alert.Console, Recovered: true}
	s.Policy.Routes = append([]alert.Route{{Receiver: name, Continue: len(s.Policy.Routes) > 0}}, s.Policy.Routes...)
	return nil
}

// opened is what a command that asks or tells works with.
type opened struct {
	watch.Setup
	config config.Config
	runner *invoke.Caller
}

// open makes what the flags and the config lead to, as it is now.
func (a *app) open(c *cli.Context) (*opened, error) {
	g, err := parse(c)
	if err != nil {
		return nil, err
	}
	return a.opened(c.Context, g)
}

func (a *app) opened(ctx context.Context, g given) (*opened, error) {
	cfg, s, err := g.settings()
	if err != nil {
		return nil, err
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	caller, err := invoke.Open(invoke.NewSetup(cfg, g.pluginDirs, "", exe, os.Getenv), a.hostSays)
	if err != nil {
		return nil, err
	}
	caller.Ends = &a.ends
	if err := g.typed(ctx, caller, s.Sources); err != nil {
		return nil, err
	}
	o := &opened{config: cfg, runner: caller, Setup: watch.Setup{Settings: s, Runner: caller, Askers: map[string]source.Asker{}}}
	for name, one := range s.Sources {
		switch {
		case one.Off:
		case one.Engine == source.Engine:
			o.Askers[name] = a.book(cfg, one.Limit)
		default:
			o.Askers[name] = source.Component(caller, one.Engine+".observe", one.Params, one.Limit)
		}
	}
	if o.Ping, err = secret(s.Ping); err != nil {
		return nil, term.Usage("ping: %w", err)
	}
	host := &action.Program{Config: cfg.File, Env: os.Environ()}
	if host.Path, err = action.FindProgram(exe); err != nil && len(s.Actions) > 0 {
		return nil, fmt.Errorf("actions need the program outrider: %w", err)
	}
	o.Host = host
	return o, nil
}

// hostSays takes what is said of calls; only what is wrong is worth a line.
func (a *app) hostSays(level hclog.Level, format string, args ...any) {
	if level >= hclog.Warn {
		a.say(format, args...)
	}
}

// self is the engine that this program is a task of.
func self() engine.Engine {
	exists := func(path string) bool {
		_, err := os.Stat(path)
		return err == nil
	}
	var above []engine.Process
	if engine.Hinted("", os.Getenv, exists) {
		above = engine.Ancestors()
	}
	return engine.Detect("", os.Getenv, above)
}

// needSources refuses to watch nothing.
func needSources(o *opened) error {
	if len(o.Askers) > 0 {
		return nil
	}
	return term.Usage("what is to be watched? give --digdag URL or --airflow URL, or write a config: %s init", program)
}
