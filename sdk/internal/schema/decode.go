package schema

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Problem is one thing that is wrong with the parameters. It never holds a
// value, which may be a secret.
type Problem struct {
	Path string
	Text string
}

func (p Problem) Error() string {
	if p.Path == "" {
		return p.Text
	}
	return p.Path + ": " + p.Text
}

type validator interface{ Validate() error }

// Decode reads raw, one JSON object, into dst, a pointer to the plan's type. It
// refuses unknown and repeated keys, null, values that break a rule and missing
// ones, fills in defaults and runs every Validate method. The error joins one
// Problem for each.
func (n *Node) Decode(raw []byte, dst any) error {
	d := decoder{dec: jsontext.NewDecoder(bytes.NewBuffer(raw))}
	if err := d.value(n, reflect.ValueOf(dst).Elem(), nil); err != nil {
		return fmt.Errorf("the parameters are no valid JSON: %w", err)
	}
	if _, err := d.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.New("the parameters are no valid JSON: more than one value")
	}
	return d.err()
}

type decoder struct {
	dec      *jsontext.Decoder
	problems []error
}

func (d *decoder) err() error { return errors.Join(d.problems...) }

func (d *decoder) problem(path []string, format string, args ...any) {
	d.problems = append(d.problems, Problem{strings.Join(path, "."), fmt.Sprintf(format, args...)})
}

// value reads the next JSON value into v. Its error is one of syntax; all else
// is a problem, after which reading goes on.
func (d *decoder) value(n *Node, v reflect.Value, path []string) error {
	got := d.dec.PeekKind()
	if got == jsontext.KindInvalid {
		_, err := d.dec.ReadToken()
		return err
	}
	if n.Kind != Any && !n.takes(got) {
		d.problem(path, "is %s, expected %s", kindName(got), n.expects())
		return d.dec.SkipValue()
	}
	if n.Pointer && v.Kind() == reflect.Pointer {
		v.Set(reflect.New(n.Type))
		v = v.Elem()
	}
	before := len(d.problems)
	var err error
	switch n.Kind {
	case Struct:
		err = d.object(n, v, path)
	case List:
		err = d.list(n, v, path)
	case Map:
		err = d.mapping(n, v, path)
	default:
		err = d.scalar(n, v, path)
	}
	if err == nil && len(d.problems) == before {
		d.rules(n, v, path)
	}
	return err
}

func (d *decoder) object(n *Node, v reflect.Value, path []string) error {
	if _, err := d.dec.ReadToken(); err != nil {
		return err
	}
	before := len(d.problems)
	given := make(map[*Field]bool, len(n.Fields))
	for d.dec.PeekKind() != jsontext.KindEndObject {
		tok, err := d.dec.ReadToken()
		if err != nil {
			return err
		}
		name := tok.String()
		at := append(path, name)
		f := n.byName[name]
		if f == nil {
			d.problem(at, "unknown parameter")
			if err := d.dec.SkipValue(); err != nil {
				return err
			}
			continue
		}
		given[f] = true
		if err := d.value(f.Node, v.FieldByIndex(f.Index), at); err != nil {
			return err
		}
	}
	if _, err := d.dec.ReadToken(); err != nil {
		return err
	}
	for _, f := range n.Fields {
		switch {
		case given[f]:
		case f.Default != nil:
			sub := decoder{dec: jsontext.NewDecoder(bytes.NewBuffer(f.Default))}
			if err := sub.value(f.Node, v.FieldByIndex(f.Index), append(path, f.Name)); err != nil {
				return err
			}
			d.problems = append(d.problems, sub.problems...)
		case !f.Optional:
			d.problem(append(path, f.Name), "is required")
		}
	}
	if n.validates && len(d.problems) == before {
		if err := v.Addr().Interface().(validator).Validate(); err != nil {
			d.problem(path, "%v", err)
		}
	}
	return nil
}

func (d *decoder) list(n *Node, v reflect.Value, path []string) error {
	if _, err := d.dec.ReadToken(); err != nil {
		return err
	}
	out := reflect.MakeSlice(n.Type, 0, 0)
	for i := 0; d.dec.PeekKind() != jsontext.KindEndArray; i++ {
		elem := reflect.New(n.Type.Elem()).Elem()
		if err := d.value(n.Elem, elem, append(path, strconv.Itoa(i))); err != nil {
			return err
		}
		out = reflect.Append(out, elem)
	}
	v.Set(out)
	_, err := d.dec.ReadToken()
	return err
}

func (d *decoder) mapping(n *Node, v reflect.Value, path []string) error {
	if _, err := d.dec.ReadToken(); err != nil {
		return err
	}
	out := reflect.MakeMap(n.Type)
	for d.dec.PeekKind() != jsontext.KindEndObject {
		tok, err := d.dec.ReadToken()
		if err != nil {
			return err
		}
		name := tok.String()
		elem := reflect.New(n.Type.Elem()).Elem()
		if err := d.value(n.Elem, elem, append(path, name)); err != nil {
			return err
		}
		out.SetMapIndex(reflect.ValueOf(name).Convert(n.Type.Key()), elem)
	}
	v.Set(out)
	_, err := d.dec.ReadToken()
	return err
}

func (d *decoder) scalar(n *Node, v reflect.Value, path []string) error {
	raw, err := d.dec.ReadValue()
	if err != nil {
		return err
	}
	switch n.Kind {
	case Duration:
		var text string
		if err := jsonv2.Unmarshal(raw, &text); err != nil {
			return err
		}
		parsed, err := time.ParseDuration(text)
		if err != nil {
			d.problem(path, "is not %s", n.expects())
			return nil
		}
		v.SetInt(int64(parsed))
	case Int, Uint:
		if !setInteger(v, raw) {
			d.problem(path, "is not %s that fits %s", n.expects(), n.Type)
		}
	default:
		if err := jsonv2.Unmarshal(raw, v.Addr().Interface()); err != nil {
			// The library's own text repeats the value.
			d.problem(path, "is not %s", n.expects())
		}
	}
	return nil
}

// setInteger takes 1e3 and 2.0 too, as JSON Schema's integer does.
func setInteger(v reflect.Value, raw jsontext.Value) bool {
	if v.CanUint() {
		u, err := strconv.ParseUint(string(raw), 10, 64)
		if err == nil && !v.OverflowUint(u) {
			v.SetUint(u)
			return true
		}
	} else if i, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		if v.OverflowInt(i) {
			return false
		}
		v.SetInt(i)
		return true
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return false
	}
	if v.CanUint() {
		if f < 0 || v.OverflowUint(uint64(f)) {
			return false
		}
		v.SetUint(uint64(f))
		return true
	}
	if v.OverflowInt(int64(f)) {
		return false
	}
	v.SetInt(int64(f))
	return true
}

func (d *decoder) rules(n *Node, v reflect.Value, path []string) {
	r := n.Rules
	if r.Enum != nil && !slices.Contains(r.Enum, plainText(n, v)) {
		d.problem(path, "is not one of %s", strings.Join(r.Enum, ", "))
	}
	if r.Min == nil && r.Max == nil {
		return
	}
	low, high, what := false, false, ""
	switch n.Kind {
	case Float:
		f := v.Float()
		low, high = r.Min != nil && f < r.Min.Float, r.Max != nil && f > r.Max.Float
	default:
		var i int64
		switch n.Kind {
		case Int, Duration, Bytes:
			i = v.Int()
		case Uint:
			i = int64(min(v.Uint(), math.MaxInt64))
		case String:
			i, what = int64(utf8.RuneCountInString(v.String())), " characters"
		case List, Map:
			i, what = int64(v.Len()), " items"
		}
		low, high = r.Min != nil && i < r.Min.Int, r.Max != nil && i > r.Max.Int
	}
	if low {
		d.problem(path, "is below the least, %s%s", r.Min.Text, what)
	}
	if high {
		d.problem(path, "is above the most, %s%s", r.Max.Text, what)
	}
}

func plainText(n *Node, v reflect.Value) string {
	switch n.Kind {
	case Int:
		return strconv.FormatInt(v.Int(), 10)
	case Uint:
		return strconv.FormatUint(v.Uint(), 10)
	}
	return v.String()
}

func (n *Node) takes(k jsontext.Kind) bool {
	switch n.Kind {
	case Bool:
		return k == jsontext.KindTrue || k == jsontext.KindFalse
	case Int, Uint, Float:
		return k == jsontext.KindNumber
	case Bytes:
		return k == jsontext.KindNumber || k == jsontext.KindString
	case Struct, Map:
		return k == jsontext.KindBeginObject
	case List:
		return k == jsontext.KindBeginArray
	}
	return k == jsontext.KindString
}

func (n *Node) expects() string {
	switch n.Kind {
	case Bool:
		return "true or false"
	case Int, Uint:
		return "a whole number"
	case Float:
		return "a number"
	case Blob:
		return "base64 text"
	case Time:
		return "a time as RFC 3339 has it"
	case Duration:
		return "a duration such as 1h30m"
	case Bytes:
		return "a size such as 64MiB"
	case Secret:
		return "the text of a secret"
	case Struct, Map:
		return "an object"
	case List:
		return "a list"
	case Any:
		return "a value that type " + n.Type.String() + " takes"
	case Text:
		return "the text of a " + n.Type.String()
	}
	return "a string"
}

func kindName(k jsontext.Kind) string {
	switch k {
	case jsontext.KindNull:
		return "null"
	case jsontext.KindTrue, jsontext.KindFalse:
		return "a boolean"
	case jsontext.KindNumber:
		return "a number"
	case jsontext.KindString:
		return "a string"
	case jsontext.KindBeginObject:
		return "an object"
	}
	return "a list"
}
