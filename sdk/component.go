package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/outrider-run/outrider/sdk/internal/engine"
	"github.com/outrider-run/outrider/sdk/internal/schema"
	"github.com/outrider-run/outrider/sdk/manifest"
)

// Component is a unit of work, made by [Define] or [Raw] and served by [Serve].
type Component struct{ engine *engine.Component }

// Engine is for package sdktest alone.
func (c Component) Engine() *engine.Component { return c.engine }

// Option says more about a component.
type Option func(*manifest.Component)

// Doc is the component's documentation: one sentence, then, after an empty
// line, more.
func Doc(text string) Option {
	return func(c *manifest.Component) { c.Doc = text }
}

// Example is a set of parameters, as one JSON object, that the component
// accepts. Write secrets as references: "env:NAME".
func Example(doc, params string) Option {
	return func(c *manifest.Component) {
		c.Examples = append(c.Examples, manifest.Example{Doc: doc, Params: json.RawMessage(params)})
	}
}

// Destructive marks a component that deletes or overwrites what cannot be had
// back: it asks on a terminal, and needs --yes elsewhere.
func Destructive() Option {
	return func(c *manifest.Component) { c.Destructive = true }
}

// Define makes a component of a function. The name is noun.verb; P and O are
// structs. Whatever is wrong with them is reported by [Serve].
func Define[P, O any](name string, fn func(ctx context.Context, run *Run, params P) (O, error), options ...Option) Component {
	about := manifest.Component{Name: name}
	for _, o := range options {
		o(&about)
	}
	plan := sync.OnceValues(func() (*schema.Node, error) {
		return schema.Plan(reflect.TypeFor[P](), schema.Params, classify)
	})
	return Component{&engine.Component{
		Name:        name,
		Destructive: about.Destructive,
		Check: func() error {
			if fn == nil {
				return errors.New("the function is nil")
			}
			_, err := plan()
			_, outErr := schema.Plan(reflect.TypeFor[O](), schema.Output, classify)
			return errors.Join(err, outErr)
		},
		Describe: func() (manifest.Component, error) {
			return describe[O](about, plan)
		},
		Accepts: func(raw json.RawMessage) error {
			_, err := decode[P](plan, raw)
			return err
		},
		Run: func(ctx context.Context, run *engine.Run, raw json.RawMessage) (json.RawMessage, error) {
			p, err := decode[P](plan, raw)
			if err != nil {
				return nil, engine.BadParams(err)
			}
			out, err := fn(ctx, &Run{run}, p)
			if !engine.Succeeded(err) {
				return nil, err
			}
			encoded, encErr := engine.Marshal(out)
			if encErr != nil {
				return nil, Permanent(fmt.Errorf("encoding the output: %w", encErr))
			}
			if string(encoded) == "null" { // a nil pointer
				encoded = []byte("{}")
			}
			return encoded, err
		},
	}}
}

func decode[P any](plan func() (*schema.Node, error), raw json.RawMessage) (P, error) {
	var p P
	params, err := plan()
	if err != nil {
		return p, err
	}
	return p, params.Decode(raw, &p)
}

func describe[O any](about manifest.Component, plan func() (*schema.Node, error)) (manifest.Component, error) {
	params, err := plan()
	if err != nil {
		return about, err
	}
	output, err := schema.Plan(reflect.TypeFor[O](), schema.Output, classify)
	if err != nil {
		return about, err
	}
	if about.Params, err = json.Marshal(params.Render(schema.Params)); err != nil {
		return about, fmt.Errorf("encoding the schema of the parameters: %w", err)
	}
	if about.Output, err = json.Marshal(output.Render(schema.Output)); err != nil {
		return about, fmt.Errorf("encoding the schema of the output: %w", err)
	}
	for _, e := range about.Examples {
		if !json.Valid(e.Params) {
			return about, fmt.Errorf("the example %q is no JSON", e.Doc)
		}
	}
	return about, nil
}

// Raw makes a component whose schemas are data, such as one that a manifest
// beside a script describes. The host has checked the parameters against
// about.Params; fn gets them as they came and returns one JSON object, or nil
// for an empty one.
func Raw(about manifest.Component, fn func(ctx context.Context, run *Run, params json.RawMessage) (json.RawMessage, error)) Component {
	return Component{&engine.Component{
		Name:        about.Name,
		Destructive: about.Destructive,
		Check: func() error {
			if fn == nil {
				return errors.New("the function is nil")
			}
			if !json.Valid(about.Params) {
				return errors.New("there is no parameter schema")
			}
			return nil
		},
		Describe: func() (manifest.Component, error) { return about, nil },
		Run: func(ctx context.Context, run *engine.Run, raw json.RawMessage) (json.RawMessage, error) {
			out, err := fn(ctx, &Run{run}, raw)
			if !engine.Succeeded(err) {
				return nil, err
			}
			if out, objErr := object(out); objErr == nil {
				return out, err
			} else {
				return nil, Permanent(fmt.Errorf("the output is no JSON object: %w", objErr))
			}
		},
	}}
}

// object compacts raw, which must be one JSON object; nothing is an empty one.
func object(raw json.RawMessage) (json.RawMessage, error) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return json.RawMessage("{}"), nil
	}
	v := jsontext.Value(bytes.Clone(raw))
	err := v.Format(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(false), jsontext.PreserveRawStrings(false))
	if err != nil {
		return nil, err
	}
	if v.Kind() != jsontext.KindBeginObject {
		return nil, errors.New("it is of another type")
	}
	return json.RawMessage(v), nil
}

// classify names the types of this package to the schema.
func classify(t reflect.Type) (schema.Kind, bool) {
	switch t {
	case reflect.TypeFor[Secret]():
		return schema.Secret, true
	case reflect.TypeFor[Bytes]():
		return schema.Bytes, true
	}
	return 0, false
}
