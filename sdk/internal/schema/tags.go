package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/go-json-experiment/json/jsontext"
)

// Rules are what the enum, min and max tags ask of a value. Min and Max count
// the runes of a string and the members of a list or map.
type Rules struct {
	Enum     []string
	Min, Max *Bound
}

// Bound is one end of a range, as written and as a number: of a duration in
// nanoseconds, of a size in bytes.
type Bound struct {
	Text  string
	Int   int64
	Float float64
}

type tags struct {
	json, help, def, enum, min, max string
	hasDefault, hasEnum             bool
	any                             bool
}

// parseTags is stricter than reflect.StructTag, which takes a malformed tag for
// none at all.
func parseTags(tag reflect.StructTag) (tags, error) {
	var t tags
	for rest := strings.TrimLeft(string(tag), " "); rest != ""; rest = strings.TrimLeft(rest, " ") {
		key, quoted, ok := strings.Cut(rest, ":")
		if !ok || key == "" || strings.ContainsAny(key, " \"") {
			return t, fmt.Errorf("the struct tag %q is not of the form key:\"value\"", string(tag))
		}
		prefix, err := strconv.QuotedPrefix(quoted)
		if err != nil || prefix[0] != '"' {
			return t, fmt.Errorf("the struct tag %q is not of the form key:\"value\"", string(tag))
		}
		value, err := strconv.Unquote(prefix)
		if err != nil {
			return t, fmt.Errorf("the struct tag %q: %w", string(tag), err)
		}
		rest = quoted[len(prefix):]
		switch key {
		case "json":
			t.json = value
		case "help":
			t.help = value
		case "default":
			t.def, t.hasDefault = value, true
		case "enum":
			t.enum, t.hasEnum = value, true
		case "min":
			t.min = value
		case "max":
			t.max = value
		default:
			continue
		}
		t.any = true
	}
	return t, nil
}

func (f *Field) applyTags(t tags) error {
	if f.Kind == Secret && (t.hasDefault || t.hasEnum || t.min != "" || t.max != "") {
		return errors.New("a secret takes no default, enum, min or max")
	}
	if t.hasEnum {
		if err := f.applyEnum(t.enum); err != nil {
			return err
		}
	}
	var err error
	if f.Rules.Min, err = f.bound("min", t.min); err != nil {
		return err
	}
	if f.Rules.Max, err = f.bound("max", t.max); err != nil {
		return err
	}
	if f.Rules.Min != nil && f.Rules.Max != nil && f.Rules.Min.Float > f.Rules.Max.Float {
		return fmt.Errorf("min %q is above max %q", t.min, t.max)
	}
	if t.hasDefault {
		return f.applyDefault(t.def)
	}
	return nil
}

func (f *Field) applyEnum(text string) error {
	target := f.Node
	for target.Kind == List || target.Kind == Map {
		target = target.Elem
	}
	for v := range strings.SplitSeq(text, ",") {
		v = strings.TrimSpace(v)
		switch target.Kind {
		case String:
		case Int, Uint:
			if _, err := strconv.ParseInt(v, 10, 64); err != nil {
				return fmt.Errorf("enum value %q is no whole number", v)
			}
		default:
			return fmt.Errorf("enum does not fit type %s", f.Type)
		}
		if v == "" {
			return fmt.Errorf("enum %q has an empty value", text)
		}
		target.Rules.Enum = append(target.Rules.Enum, v)
	}
	return nil
}

func (f *Field) bound(tag, text string) (*Bound, error) {
	if text == "" {
		return nil, nil
	}
	b := &Bound{Text: text}
	var err error
	switch f.Kind {
	case Int, Uint, String, List, Map:
		b.Int, err = strconv.ParseInt(text, 10, 64)
		b.Float = float64(b.Int)
	case Float:
		b.Float, err = strconv.ParseFloat(text, 64)
		if math.IsNaN(b.Float) || math.IsInf(b.Float, 0) {
			err = errors.New("not a number")
		}
	case Duration:
		var d time.Duration
		d, err = time.ParseDuration(text)
		b.Int, b.Float = int64(d), float64(d)
	case Bytes:
		var n uint64
		n, err = humanize.ParseBytes(text)
		b.Int, b.Float = int64(n), float64(n)
	default:
		return nil, fmt.Errorf("%s does not fit type %s", tag, f.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("%s %q does not fit type %s", tag, text, f.Type)
	}
	return b, nil
}

// applyDefault decodes the default once, so that a wrong one is refused at
// start and not in the first run that needs it.
func (f *Field) applyDefault(text string) error {
	def := []byte(text)
	switch f.Kind {
	case String, Text, Blob, Time, Duration, Bytes:
		def, _ = json.Marshal(text)
	case Any:
		if !json.Valid(def) {
			return fmt.Errorf("default %q is no JSON", text)
		}
	}
	if !jsontext.Value(def).IsValid() {
		return fmt.Errorf("default %q does not fit type %s", text, f.Type)
	}
	d := decoder{dec: jsontext.NewDecoder(strings.NewReader(string(def)))}
	if err := d.value(f.Node, reflect.New(f.Type).Elem(), nil); err != nil || d.problems != nil {
		return fmt.Errorf("default %q does not fit: %v", text, errors.Join(err, d.err()))
	}
	f.Default = def
	return nil
}
