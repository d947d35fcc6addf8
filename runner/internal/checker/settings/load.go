package settings

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/action"
	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/config"
)

// What holds where the file says nothing.
const (
	defaultInterval = time.Minute
	defaultHistory  = 30 * 24 * time.Hour
	defaultCooldown = 15 * time.Minute
	defaultWindow   = 24 * time.Hour
)

// Load reads the checker's part of the file that was read for cfg; without one it is what
// holds by default. The error tells all that is wrong, or the first thing that cannot be
// decoded.
func Load(cfg config.Config) (Settings, error) {
	var data []byte
	if cfg.File != "" {
		var err error
		if data, err = os.ReadFile(cfg.File); err != nil {
			return Settings{}, fmt.Errorf("read the config: %w", err)
		}
	}
	f, err := decode(data)
	if err != nil {
		return Settings{}, config.In(cfg.File, err)
	}
	c := checking{file: f, name: cfg.File, data: data}
	s := c.settings(cfg.Sources)
	return s, c.err()
}

// settings turns the file into what is gone by, and notes what is wrong with it.
func (c *checking) settings(sources map[string]config.Source) Settings {
	f := c.file
	s := Settings{
		File: c.name, Zone: time.Local, Interval: cmp.Or(time.Duration(f.Interval), defaultInterval), Ping: string(f.Ping),
		Own: f.Rules, Sources: map[string]Source{}, Receivers: receivers(f.Receivers),
	}
	zone := rule.Zone("Local")
	if f.Timezone != "" {
		zone, s.Zone = f.Timezone, f.Timezone.Location()
	}
	for name, one := range sources {
		s.Sources[name] = c.source(name, one)
	}
	s.Rules = c.rules(zone)
	s.Policy = alert.Policy{Routes: c.routes(), Storm: f.Storm, Silences: silences(f.Silences), Windows: slices.Clone(f.Windows)}
	for i, w := range s.Policy.Windows {
		s.Policy.Windows[i].Zone = cmp.Or(w.Zone, zone)
	}
	for _, a := range f.Actions {
		s.Actions = append(s.Actions, a.action())
	}
	c.check(s)
	return s
}

// rules are validated, with the zone where a deadline has none.
func (c *checking) rules(zone rule.Zone) *rule.Set {
	all := slices.Clone(c.file.Rules)
	for i, r := range all {
		if r.Kind == rule.Deadline {
			all[i].Zone = cmp.Or(r.Zone, zone)
		}
	}
	set, err := rule.NewSet(all)
	c.problems(err)
	return set
}

func (c *checking) source(name string, from config.Source) Source {
	w := c.file.Sources[name].Watch
	s := Source{
		Engine: from.Engine, Off: w.Off, Limit: w.Limit, Requests: w.Requests,
		Timeout: time.Duration(w.Timeout), History: cmp.Or(time.Duration(w.History), defaultHistory),
	}
	params := map[string]json.RawMessage{}
	if from.Engine == "airflow" {
		params["deep"] = json.RawMessage("true")
	}
	for _, raw := range []json.RawMessage{from.Params, json.RawMessage(w.Params)} {
		if len(raw) > 0 {
			c.internal(json.Unmarshal(raw, &params))
		}
	}
	var err error
	s.Params, err = json.Marshal(params)
	c.internal(err)
	return s
}

// receivers are those of the file and the console.
func receivers(from map[receiverName]receiver) map[string]Receiver {
	all := map[string]Receiver{alert.Console: {Name: alert.Console, Console: true, Recovered: true}}
	for name, r := range from {
		one := Receiver{
			Name: string(name), Component: r.Component, Params: json.RawMessage(r.Params), Template: string(r.Template),
			Console: r.Console, File: string(r.File), Fallback: r.Fallback, Recovered: r.Recovered == nil || *r.Recovered,
		}
		if one.Component != "" && one.Params == nil {
			one.Params = json.RawMessage("{}")
		}
		all[one.Name] = one
	}
	return all
}

// routes are those of the file. Without any, the only receiver that is nobody's fallback
// is told, since whoever sets one up wants it to be.
func (c *checking) routes() []alert.Route {
	if len(c.file.Routes) > 0 || len(c.file.Receivers) == 0 {
		return c.file.Routes
	}
	spare := map[string]bool{}
	for _, r := range c.file.Receivers {
		spare[r.Fallback] = true
	}
	for _, a := range c.file.Actions {
		spare[a.Escalate] = true
	}
	var first []string
	for name := range c.file.Receivers {
		if !spare[string(name)] {
			first = append(first, string(name))
		}
	}
	if len(first) != 1 {
		c.bad("/routes", "there are several receivers: say who is told, such as routes: [{receiver: team}]")
		return nil
	}
	return []alert.Route{{Receiver: first[0]}}
}

func silences(from []silence) (all []alert.Silence) {
	for i, s := range from {
		all = append(all, alert.Silence{
			ID: fmt.Sprintf("config-%d", i+1), Match: s.Match, From: time.Time(s.From), Until: time.Time(s.Until), By: "config", Reason: s.Reason,
		})
	}
	return all
}

func (a act) action() action.Action {
	out := action.Action{
		Name: a.Name, Match: a.Match, Cooldown: defaultCooldown, Window: cmp.Or(time.Duration(a.Window), defaultWindow),
		AtMost: a.AtMost, Verify: time.Duration(a.Verify), DryRun: a.DryRun, NeedsAck: a.NeedsAck, Escalate: a.Escalate,
	}
	if a.Cooldown != nil {
		out.Cooldown = time.Duration(*a.Cooldown)
	}
	for _, s := range a.Do {
		params := json.RawMessage(s.Params)
		if params == nil {
			params = json.RawMessage("{}")
		}
		out.Do = append(out.Do, action.Step{Component: s.Component, Params: params})
	}
	return out
}
