// Package schema turns an author's structs into a plan: one tree per type, from
// which both the JSON Schema that the host sees and the strict decoder that the
// plugin runs are made, so that the two cannot differ. It knows struct tags and
// JSON; it knows neither components nor processes.
package schema

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
)

// Kind is what a value of a plan looks like in JSON.
type Kind uint8

// The kinds. Bytes and Secret belong to types of package sdk, which a Classify
// names.
const (
	Any Kind = iota
	Bool
	Int
	Uint
	Float
	String
	Text // a type with its own text form
	Blob // []byte, as base64
	Time
	Duration
	Bytes
	Secret
	Struct
	List
	Map
)

// Use says which way the values travel.
type Use uint8

// A type is reflected for the one or the other.
const (
	Params Use = iota
	Output
)

// Classify tells the kind of a type that this package cannot know.
type Classify func(reflect.Type) (Kind, bool)

// Node is the plan of one value.
type Node struct {
	Type    reflect.Type // never a pointer
	Kind    Kind
	Pointer bool     // the Go value is a pointer to Type
	Fields  []*Field // of a Struct
	Elem    *Node    // of a List or Map
	Rules   Rules

	byName    map[string]*Field
	validates bool
}

// Field is the plan of one struct field.
type Field struct {
	*Node
	Name     string
	Help     string
	Index    []int
	Optional bool
	Default  []byte // JSON; nil without one
}

// Plan reflects t, which must be a struct, and checks every tag below it. The
// error lists all that is wrong, each with its field.
func Plan(t reflect.Type, use Use, classify Classify) (*Node, error) {
	b := builder{use: use, classify: classify}
	n := b.node(t, t.String())
	if n != nil && n.Kind != Struct && !(use == Output && n.Kind == Map) {
		b.fail(t.String(), "is no struct")
	}
	return n, errors.Join(b.errs...)
}

type builder struct {
	use      Use
	classify Classify
	stack    []reflect.Type
	errs     []error
}

func (b *builder) fail(path, format string, args ...any) {
	b.errs = append(b.errs, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
}

// node returns nil after it has recorded why t cannot be used.
func (b *builder) node(t reflect.Type, path string) *Node {
	n := &Node{Type: t}
	if t.Kind() == reflect.Pointer {
		n.Type, n.Pointer = t.Elem(), true
	}
	kind, ok := b.kind(n.Type)
	if !ok {
		b.fail(path, "a value of type %s has no JSON form here", t)
		return nil
	}
	n.Kind = kind
	switch kind {
	case List, Map:
		n.Elem = b.node(n.Type.Elem(), path+"[]")
		if n.Elem == nil {
			return nil
		}
	case Struct:
		for _, outer := range b.stack {
			if outer == n.Type {
				b.fail(path, "type %s contains itself", n.Type)
				return nil
			}
		}
		b.stack = append(b.stack, n.Type)
		n.byName = make(map[string]*Field, n.Type.NumField())
		b.fields(n, n.Type, nil, path)
		b.stack = b.stack[:len(b.stack)-1]
		n.validates = b.use == Params && reflect.PointerTo(n.Type).Implements(reflect.TypeFor[validator]())
	}
	return n
}

func (b *builder) kind(t reflect.Type) (Kind, bool) {
	if k, ok := b.classify(t); ok {
		return k, true
	}
	switch t {
	case reflect.TypeFor[time.Duration]():
		return Duration, true
	case reflect.TypeFor[time.Time]():
		return Time, true
	}
	if t.Kind() != reflect.Interface {
		pt := reflect.PointerTo(t)
		if b.use == Params {
			if pt.Implements(reflect.TypeFor[json.Unmarshaler]()) || pt.Implements(reflect.TypeFor[jsonv2.UnmarshalerFrom]()) {
				return Any, true
			}
			if pt.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
				return Text, true
			}
		} else {
			if pt.Implements(reflect.TypeFor[json.Marshaler]()) || pt.Implements(reflect.TypeFor[jsonv2.MarshalerTo]()) {
				return Any, true
			}
			if pt.Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
				return Text, true
			}
		}
	}
	switch t.Kind() {
	case reflect.Bool:
		return Bool, true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return Int, true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return Uint, true
	case reflect.Float32, reflect.Float64:
		return Float, true
	case reflect.String:
		return String, true
	case reflect.Struct:
		return Struct, true
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return Blob, true
		}
		return List, true
	case reflect.Map:
		return Map, t.Key().Kind() == reflect.String
	case reflect.Interface:
		return Any, t.NumMethod() == 0
	}
	return 0, false
}

func (b *builder) fields(n *Node, t reflect.Type, index []int, path string) {
	for i := range t.NumField() {
		sf := t.Field(i)
		at := path + "." + sf.Name
		idx := append(append([]int(nil), index...), i)
		tags, err := parseTags(sf.Tag)
		if err != nil {
			b.fail(at, "%v", err)
			continue
		}
		if tags.json == "-" {
			continue
		}
		name, options, _ := strings.Cut(tags.json, ",")
		if sf.Anonymous && name == "" && sf.Type.Kind() == reflect.Struct {
			if k, ok := b.kind(sf.Type); ok && k == Struct {
				b.fields(n, sf.Type, idx, at)
				continue
			}
		}
		if !sf.IsExported() {
			if tags.any {
				b.fail(at, "an unexported field can have no tag")
			}
			continue
		}
		if name == "" {
			name = sf.Name
		}
		f := b.field(sf, name, options, at, tags)
		if f == nil {
			continue
		}
		f.Index = idx
		if n.byName[name] != nil {
			b.fail(at, "the name %q is used twice", name)
			continue
		}
		n.byName[name] = f
		n.Fields = append(n.Fields, f)
	}
}

func (b *builder) field(sf reflect.StructField, name, options, at string, tags tags) *Field {
	if b.use == Params && !plainName(name) {
		b.fail(at, "the name %q may hold only letters, digits, - and _, and starts with a letter", name)
		return nil
	}
	f := &Field{Name: name, Help: tags.help}
	for o := range strings.SplitSeq(options, ",") {
		switch o {
		case "":
		case "omitempty", "omitzero":
			f.Optional = true
		default:
			b.fail(at, "the json tag's option %q is not supported", o)
			return nil
		}
	}
	if f.Node = b.node(sf.Type, at); f.Node == nil {
		return nil
	}
	if b.use == Output {
		return f
	}
	if err := f.applyTags(tags); err != nil {
		b.fail(at, "%v", err)
		return nil
	}
	f.Optional = f.Optional || f.Pointer || f.Default != nil
	return f
}

func plainName(s string) bool {
	for i, c := range s {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '-' && c != '_') {
			return false
		}
	}
	return s != ""
}
