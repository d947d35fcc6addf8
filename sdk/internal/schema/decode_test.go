package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
)

type inner struct {
	From int `json:"from"`
	To   int `json:"to" default:"10"`
}

func (i inner) Validate() error {
	if i.From > i.To {
		return errors.New("from is after to")
	}
	return nil
}

// everything has a field of each kind.
type everything struct {
	Text    string            `json:"text" help:"Some text" min:"2" max:"5"`
	Flag    bool              `json:"flag" default:"true"`
	Count   int               `json:"count" default:"3" min:"-1" max:"9"`
	Tiny    *int8             `json:"tiny"`
	Size    uint16            `json:"size,omitempty" max:"1000"`
	Big     int64             `json:"big,omitempty"`
	Rate    float64           `json:"rate" default:"0.5" min:"0" max:"1"`
	Mode    string            `json:"mode" default:"fast" enum:"fast, slow"`
	Level   int               `json:"level" default:"1" enum:"1,2,3"`
	Every   time.Duration     `json:"every" default:"1m" min:"1s" max:"1h"`
	At      *time.Time        `json:"at"`
	Limit   size              `json:"limit" default:"64MiB" max:"1GiB"`
	Token   *secret           `json:"token"`
	Tags    []string          `json:"tags" default:"[]" enum:"a,b" max:"2"`
	Labels  map[string]string `json:"labels,omitempty" min:"1"`
	Range   *inner            `json:"range"`
	Ranges  []inner           `json:"ranges,omitempty"`
	Secrets map[string]secret `json:"secrets,omitempty"`
	Data    []byte            `json:"data,omitempty"`
	Any     any               `json:"any,omitempty"`
	Addr    *netip.Addr       `json:"addr"`
}

// UnmarshalJSON stands for that of sdk.Bytes.
func (s *size) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case `"64MiB"`:
		*s = 64 << 20
	case `"2GiB"`:
		*s = 2 << 30
	default:
		var n int64
		if err := json.Unmarshal(b, &n); err != nil {
			return err
		}
		*s = size(n)
	}
	return nil
}

func planOf[T any](t testing.TB, use Use) *Node {
	t.Helper()
	n, err := Plan(reflect.TypeFor[T](), use, classify)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func decodeEverything(t testing.TB, raw string) (everything, error) {
	var e everything
	err := planOf[everything](t, Params).Decode([]byte(raw), &e)
	return e, err
}

func TestDecode(t *testing.T) {
	got, err := decodeEverything(t, `{"text":"abc","tiny":-5,"size":1e2,"big":9223372036854775807,"every":"90s",
		"at":"2024-05-06T07:08:09+02:00","limit":512,"token":"hush!!","tags":["a","b"],"labels":{"k":"v"},
		"range":{"from":1},"ranges":[{"from":1,"to":2},{"from":3}],"secrets":{"X":"y"},"data":"aGk=",
		"any":{"x":[1,null]},"addr":"10.0.0.1","count":2.0}`)
	if err != nil {
		t.Fatal(err)
	}
	tiny, token, addr := int8(-5), secret("hush!!"), netip.MustParseAddr("10.0.0.1")
	at := time.Date(2024, 5, 6, 7, 8, 9, 0, time.FixedZone("", 2*3600))
	if !got.At.Equal(at) {
		t.Errorf("time %v", got.At)
	}
	got.At = nil
	want := everything{
		Text: "abc", Flag: true, Count: 2, Tiny: &tiny, Size: 100, Big: math.MaxInt64, Rate: 0.5, Mode: "fast", Level: 1,
		Every: 90 * time.Second, Limit: 512, Token: &token, Tags: []string{"a", "b"}, Labels: map[string]string{"k": "v"},
		Range: &inner{1, 10}, Ranges: []inner{{1, 2}, {3, 10}}, Secrets: map[string]secret{"X": "y"}, Data: []byte("hi"),
		Any: map[string]any{"x": []any{1.0, nil}}, Addr: &addr,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestDefaultsAreFilledIn(t *testing.T) {
	got, err := decodeEverything(t, `{"text":"abc"}`)
	want := everything{
		Text: "abc", Flag: true, Count: 3, Rate: 0.5, Mode: "fast", Level: 1, Every: time.Minute,
		Limit: 64 << 20, Tags: []string{},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\ngot  %+v\nwant %+v", err, got, want)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, c := range map[string]struct{ raw, want string }{
		"missing":            {`{}`, "text: is required"},
		"unknown":            {`{"text":"abc","txt":1}`, "txt: unknown parameter"},
		"another case":       {`{"Text":"abc","text":"abc"}`, "Text: unknown parameter"},
		"unknown inside":     {`{"text":"abc","range":{"from":1,"x":2}}`, "range.x: unknown parameter"},
		"missing inside":     {`{"text":"abc","ranges":[{"from":1},{}]}`, "ranges.1.from: is required"},
		"null":               {`{"text":null}`, "text: is null, expected a string"},
		"null pointer":       {`{"text":"abc","tiny":null}`, "tiny: is null, expected a whole number"},
		"string for int":     {`{"text":"abc","count":"7"}`, "count: is a string, expected a whole number"},
		"int for string":     {`{"text":7}`, "text: is a number, expected a string"},
		"string for bool":    {`{"text":"abc","flag":"true"}`, "flag: is a string, expected true or false"},
		"object for list":    {`{"text":"abc","tags":{}}`, "tags: is an object, expected a list"},
		"list for object":    {`{"text":"abc","range":[]}`, "range: is a list, expected an object"},
		"fraction":           {`{"text":"abc","count":1.5}`, "count: is not a whole number that fits int"},
		"overflow":           {`{"text":"abc","tiny":128}`, "tiny: is not a whole number that fits int8"},
		"negative":           {`{"text":"abc","size":-1}`, "size: is not a whole number that fits uint16"},
		"beyond int64":       {`{"text":"abc","big":9223372036854775808}`, "big: is not a whole number that fits int64"},
		"short":              {`{"text":"a"}`, "text: is below the least, 2 characters"},
		"long":               {`{"text":"éééééé"}`, "text: is above the most, 5 characters"},
		"above max":          {`{"text":"abc","count":10}`, "count: is above the most, 9"},
		"below min":          {`{"text":"abc","rate":-0.1}`, "rate: is below the least, 0"},
		"not in enum":        {`{"text":"abc","mode":"medium"}`, "mode: is not one of fast, slow"},
		"int not in enum":    {`{"text":"abc","level":4}`, "level: is not one of 1, 2, 3"},
		"member not in enum": {`{"text":"abc","tags":["a","c"]}`, "tags.1: is not one of a, b"},
		"too many":           {`{"text":"abc","tags":["a","a","a"]}`, "tags: is above the most, 2 items"},
		"too few":            {`{"text":"abc","labels":{}}`, "labels: is below the least, 1 items"},
		"bad duration":       {`{"text":"abc","every":"5 min"}`, "every: is not a duration such as 1h30m"},
		"number as duration": {`{"text":"abc","every":60}`, "every: is a number, expected a duration"},
		"long duration":      {`{"text":"abc","every":"2h"}`, "every: is above the most, 1h"},
		"bad time":           {`{"text":"abc","at":"yesterday"}`, "at: is not a time as RFC 3339"},
		"bad size":           {`{"text":"abc","limit":"many"}`, "limit: is not a size such as 64MiB"},
		"large size":         {`{"text":"abc","limit":"2GiB"}`, "limit: is above the most, 1GiB"},
		"bad base64":         {`{"text":"abc","data":"%"}`, "data: is not base64 text"},
		"bad text form":      {`{"text":"abc","addr":"nowhere"}`, "addr: is not the text of a netip.Addr"},
		"Validate inside":    {`{"text":"abc","range":{"from":11}}`, "range: from is after to"},
		"twice":              {`{"text":"abc","text":"abc"}`, "no valid JSON"},
		"two values":         {`{"text":"abc"} {}`, "more than one value"},
		"not JSON":           {`{text: abc}`, "no valid JSON"},
		"empty":              {``, "no valid JSON"},
		"bad UTF-8":          {"{\"text\":\"a\xffb\"}", "no valid JSON"},
		"NaN":                {`{"text":"abc","rate":NaN}`, "no valid JSON"},
		"cut":                {`{"text":"abc","range":{`, "no valid JSON"},
		"a list":             {`[]`, "is a list, expected an object"},
		"BOM":                {"\ufeff{}", "no valid JSON"},
		"deep":               {`{"text":"abc","any":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, "no valid JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decodeEverything(t, c.raw)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	_, err := decodeEverything(t, `{"count":"x","ranges":[{"from":"x"},{"from":1,"y":1}],"z":1}`)
	want := "count: is a string, expected a whole number\nranges.0.from: is a string, expected a whole number\n" +
		"ranges.1.y: unknown parameter\nz: unknown parameter\ntext: is required"
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestProblemsDoNotShowValues(t *testing.T) {
	const hush = "s3cr3t-value"
	for _, raw := range []string{
		`{"text":"` + hush + `","mode":"` + hush + `","every":"` + hush + `","at":"` + hush + `","limit":"` + hush + `","addr":"` + hush + `","data":"` + hush + `"}`,
		`{"text":"abc","token":["` + hush + `"],"count":"` + hush + `"}`,
	} {
		if _, err := decodeEverything(t, raw); err == nil || strings.Contains(err.Error(), hush) {
			t.Error(err)
		}
	}
}

func schemaOf[T any](t testing.TB, use Use) (*jsonschema.Resolved, []byte) {
	t.Helper()
	raw, err := json.Marshal(planOf[T](t, use).Render(use))
	if err != nil {
		t.Fatal(err)
	}
	var s jsonschema.Schema
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	resolved, err := s.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	return resolved, raw
}

func TestRender(t *testing.T) {
	_, raw := schemaOf[everything](t, Params)
	golden(t, "params.json", raw)
	_, raw = schemaOf[everything](t, Output)
	golden(t, "output.json", raw)
}

// FuzzDecode holds the decoder and the schema together: what the decoder takes
// the schema takes too, and what only the schema takes breaks a format or what
// else a schema cannot say.
func FuzzDecode(f *testing.F) {
	schema, _ := schemaOf[everything](f, Params)
	plan := planOf[everything](f, Params)
	for _, seed := range []string{
		`{}`, `{"text":"abc"}`, `{"text":"abc","count":1.5}`, `{"text":"abc","tiny":300,"rate":2}`,
		`{"text":"abc","tags":["a"],"labels":{"k":"v"},"range":{"from":1,"to":0},"ranges":[{}]}`,
		`{"text":"abc","every":"1h","at":"2024-01-01T00:00:00Z","limit":"64MiB","any":[{}],"data":"aGk="}`,
		`{"text":null,"x":1}`, `[]`, `{"text":"abc"}{}`, "{\"text\":\"\xff\"}", `{"text":"abc","size":1e400}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var e everything
		before := bytes.Clone(raw)
		err := plan.Decode(raw, &e)
		if !bytes.Equal(raw, before) {
			t.Fatal("the input was changed")
		}
		var v any
		if jsonErr := json.Unmarshal(raw, &v); jsonErr != nil {
			if err == nil {
				t.Fatalf("the decoder took what is no JSON: %v", jsonErr)
			}
			return
		}
		if schemaErr := schema.Validate(v); err == nil && schemaErr != nil {
			t.Fatalf("the decoder took what the schema refuses: %v", schemaErr)
		} else if err != nil && schemaErr == nil && !beyondSchema(err) {
			t.Fatalf("the decoder refused what the schema takes: %v", err)
		}
	})
}

// beyondSchema reports whether every problem is one that JSON Schema, as the
// validator reads it, cannot see.
func beyondSchema(err error) bool {
	for line := range strings.Lines(err.Error()) {
		ok := false
		for _, part := range []string{
			"no valid JSON", "duration", "RFC 3339", "size such as", "base64", "netip.Addr", "from is after to",
			"every: is ", "limit: is ", "fits int64",
		} {
			ok = ok || strings.Contains(line, part)
		}
		if !ok {
			return false
		}
	}
	return true
}
