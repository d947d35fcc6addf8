// Package template evaluates ${…} in parameters as Digdag does: the text of the
// expression is JavaScript, ECMAScript 5 and no later, with all parameters as
// variables.
package template

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/dop251/goja"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/conf"
)

// Eval returns a copy of config with every ${…} in its texts evaluated. What a
// text can see are params and the keys before it in its own object, which is
// why the order of keys matters.
func Eval(config, params *conf.Object) (*conf.Object, error) {
	return (&evaluation{params: params}).object(config)
}

type evaluation struct{ params *conf.Object }

func (e *evaluation) object(o *conf.Object) (*conf.Object, error) {
	built := conf.New()
	for _, k := range o.Keys() {
		// What a task may generate later is evaluated then.
		if k == "_do" || k == "_else_do" {
			built.Set(k, o.Get(k))
			continue
		}
		v, err := e.value(o.Get(k), built)
		if err != nil {
			return nil, err
		}
		built.Set(k, v)
	}
	return built, nil
}

func (e *evaluation) value(v any, scope *conf.Object) (any, error) {
	switch v := v.(type) {
	case *conf.Object:
		return e.object(v)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			var err error
			if list[i], err = e.value(v[i], scope); err != nil {
				return nil, err
			}
		}
		return list, nil
	case string:
		if !strings.Contains(v, "$") {
			return v, nil
		}
		variables := e.params.Clone()
		for _, k := range scope.Keys() {
			variables.Set(k, scope.Get(k))
		}
		return Text(v, variables)
	}
	return v, nil
}

// Error says which text could not be evaluated, and what JavaScript said to it.
type Error struct {
	Text string
	Err  error
}

func (e *Error) Error() string {
	return fmt.Sprintf("Failed to evaluate a variable %s (%s)", e.Text, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Text evaluates one text.
func Text(text string, variables *conf.Object) (string, error) {
	out, err := render(text, variables)
	if err != nil {
		return "", &Error{text, err}
	}
	return out, nil
}

func render(text string, variables *conf.Object) (string, error) {
	var js *script
	var out strings.Builder
	for _, p := range split(text) {
		if !p.code {
			out.WriteString(strings.ReplaceAll(p.text, "$$", "$"))
			continue
		}
		if js == nil {
			var err error
			if js, err = newScript(variables); err != nil {
				return "", err
			}
		}
		s, err := js.eval(p.text)
		if err != nil {
			return "", err
		}
		out.WriteString(s)
	}
	return out.String(), nil
}

// part is a piece of a text: as it stands, or an expression.
type part struct {
	text string
	code bool
}

// operatorTemplate is what an operator replaces itself, such as ${secret:key}.
var operatorTemplate = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z]+:`) })

// split finds the expressions. Braces are counted, whatever they stand for; an
// expression that never closes is text, and so is all that follows it.
func split(text string) []part {
	var parts []part
	for {
		start := opening(text)
		if start < 0 {
			return append(parts, part{text: text})
		}
		end := closing(text[start+2:])
		if end < 0 {
			return append(parts, part{text: text})
		}
		parts = append(parts, part{text: text[:start]})
		if code := text[start+2 : start+2+end]; code != "" {
			parts = append(parts, part{text: code, code: true})
		}
		text = text[start+2+end+1:]
	}
}

func opening(text string) int {
	for from := 0; ; {
		i := strings.Index(text[from:], "${")
		if i < 0 || from+i+2 == len(text) {
			return -1
		}
		if i += from; !operatorTemplate().MatchString(text[i+2:]) {
			return i
		}
		from = i + 2
	}
}

func closing(code string) int {
	depth := 0
	for i, c := range code {
		switch c {
		case '{':
			depth++
		case '}':
			if depth == 0 {
				return i
			}
			depth--
		}
	}
	return -1
}

// script is one JavaScript machine with the variables of one text.
type script struct {
	vm        *goja.Runtime
	variables goja.Value
}

func newScript(variables *conf.Object) (*script, error) {
	vm := goja.New()
	if err := onlyES5(vm); err != nil {
		return nil, err
	}
	parse, ok := goja.AssertFunction(vm.Get("JSON").ToObject(vm).Get("parse"))
	if !ok {
		return nil, fmt.Errorf("no JSON.parse")
	}
	v, err := parse(goja.Undefined(), vm.ToValue(conf.Text(variables)))
	if err != nil {
		return nil, err
	}
	return &script{vm: vm, variables: v}, nil
}

// eval gives an expression as a text: null and undefined are empty, texts as
// they are, everything else is JSON.
func (s *script) eval(code string) (string, error) {
	source := "(function(__v){with(__v){return (" + code + "\n)}})"
	if err := checkES5(source); err != nil {
		return "", err
	}
	f, err := s.vm.RunString(source)
	if err != nil {
		return "", message(err)
	}
	call, ok := goja.AssertFunction(f)
	if !ok {
		return "", fmt.Errorf("SyntaxError: not an expression: %s", code)
	}
	v, err := call(s.variables, s.variables)
	if err != nil {
		return "", message(err)
	}
	switch x := v.Export().(type) {
	case nil:
		return "", nil
	case string:
		return x, nil
	}
	stringify, _ := goja.AssertFunction(s.vm.Get("JSON").ToObject(s.vm).Get("stringify"))
	j, err := stringify(goja.Undefined(), v)
	if err != nil {
		return "", message(err)
	}
	if goja.IsUndefined(j) { // a function has no JSON
		return "undefined", nil
	}
	return j.String(), nil
}

// message keeps what went wrong and drops goja's own stack.
func message(err error) error {
	if e, ok := err.(*goja.Exception); ok {
		return fmt.Errorf("%s", e.Value().String())
	}
	return err
}
