package checkercli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/outrider-run/outrider/runner/internal/checker/settings"
	"github.com/outrider-run/outrider/runner/internal/checker/source"
	"github.com/outrider-run/outrider/runner/internal/cli/term"
	"github.com/outrider-run/outrider/runner/internal/params"
)

// set is a parameter of a source.
type set struct{ source, name, value string }

// parseSet reads SOURCE.NAME=VALUE. No error has the value, which may be a secret.
func parseSet(t string) (set, error) {
	name, value, found := strings.Cut(t, "=")
	dot := strings.LastIndex(name, ".") // a source's name may have dots
	if !found || dot < 1 || dot == len(name)-1 {
		return set{}, term.Usage("--set %q: want SOURCE.NAME=VALUE, such as airflow.user=admin", name)
	}
	return set{name[:dot], name[dot+1:], value}, nil
}

// setParams sets what --set says. A value that is no JSON is a text: what it really is says
// the schema of who observes the source, which is not looked up here.
func (g given) setParams(s *settings.Settings) error {
	for _, x := range g.sets {
		one, ok := s.Sources[x.source]
		if !ok {
			return term.Usage("--set %s.%s: there is no source %q; there are %s", x.source, x.name, x.source, term.Join(slices.Sorted(maps.Keys(s.Sources)), "and"))
		}
		all := map[string]json.RawMessage{}
		if len(one.Params) > 0 {
			if err := json.Unmarshal(one.Params, &all); err != nil {
				return fmt.Errorf("parameters of source %s: %w", x.source, err)
			}
		}
		value := json.RawMessage(x.value)
		if !json.Valid(value) {
			var err error
			if value, err = json.Marshal(x.value); err != nil {
				return term.Usage("--set %s.%s: %w", x.source, x.name, err)
			}
		}
		all[x.name] = value
		raw, err := json.Marshal(all)
		if err != nil {
			return err
		}
		one.Params = raw
		s.Sources[x.source] = one
	}
	return nil
}

// resolver lays parameters over each other by a component's schema; *invoke.Caller is one.
type resolver interface {
	Resolve(ctx context.Context, component string, from params.Sources) (json.RawMessage, error)
}

// typed has the values of --set as the schemas have them. It refuses those that these do
// not take, a secret's own text among them. What else is wrong of a source is told when it
// is asked: the others go on.
func (g given) typed(ctx context.Context, r resolver, sources map[string]settings.Source) error {
	texts := map[string][]string{}
	for _, x := range g.sets {
		texts[x.source] = append(texts[x.source], x.name+"="+x.value)
	}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		one := sources[name]
		if one.Off || one.Engine == source.Engine {
			continue
		}
		raw, err := r.Resolve(ctx, one.Engine+".observe", params.Sources{File: one.Params, FileName: name + ".json", Sets: texts[name]})
		if err == nil {
			one.Params = raw
			sources[name] = one
			continue
		}
		var wrong *params.Problems
		if !errors.As(err, &wrong) {
			continue
		}
		for _, p := range wrong.List {
			if p.From == "--set" {
				return term.Usage("--set %s.%s: %s", name, p.Path, p.Text)
			}
		}
	}
	return nil
}

// bounded are the parameters of a source with its budget of requests, where the component
// takes one: an author's need not.
func bounded(ctx context.Context, r resolver, one settings.Source) json.RawMessage {
	if one.Requests == 0 {
		return one.Params
	}
	raw, err := r.Resolve(ctx, one.Engine+".observe", params.Sources{File: one.Params, FileName: "params.json", Sets: []string{fmt.Sprintf("requests=%d", one.Requests)}})
	if err != nil { // what else is wrong is told when it is asked
		return one.Params
	}
	return raw
}
