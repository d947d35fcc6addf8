package schema

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

// size and secret stand for the types of package sdk.
type (
	size   int64
	secret string
)

func classify(t reflect.Type) (Kind, bool) {
	switch t {
	case reflect.TypeFor[size]():
		return Bytes, true
	case reflect.TypeFor[secret]():
		return Secret, true
	}
	return 0, false
}

type loop struct {
	Next *loop `json:"next"`
}

type Embedded struct {
	A string `json:"a"`
}

// tagged is a struct of string fields with tags that go vet would not let pass;
// a field of a type's name is embedded.
func tagged(namesAndTags ...string) any {
	var fields []reflect.StructField
	for i := 0; i < len(namesAndTags); i += 2 {
		f := reflect.StructField{Name: namesAndTags[i], Tag: reflect.StructTag(namesAndTags[i+1]), Type: reflect.TypeFor[string]()}
		if f.Name == "Embedded" {
			f.Type, f.Anonymous = reflect.TypeFor[Embedded](), true
		}
		if f.Name == "a" {
			f.PkgPath = "schema"
		}
		fields = append(fields, f)
	}
	return reflect.New(reflect.StructOf(fields)).Elem().Interface()
}

func TestWrongDefinitionsAreRefusedByField(t *testing.T) {
	for name, c := range map[string]struct {
		of   any
		want string
	}{
		"malformed tag":         {tagged("A", `json:a`), `.A: the struct tag "json:a" is not of the form`},
		"unquoted end":          {tagged("A", `json:"a`), ".A: the struct tag"},
		"unexported with a tag": {tagged("a", `json:"a"`), ".a: an unexported field can have no tag"},
		"a name no flag can have": {struct {
			A string `json:"a.b"`
		}{}, `.A: the name "a.b" may hold only`},
		"a name twice":           {tagged("A", `json:"x"`, "B", `json:"x"`), `.B: the name "x" is used twice`},
		"an embedded name twice": {tagged("Embedded", "", "B", `json:"a"`), `.B: the name "a" is used twice`},
		"a json option": {struct {
			A int `json:"a,string"`
		}{}, `.A: the json tag's option "string" is not supported`},
		"a channel":            {struct{ A chan int }{}, ".A: a value of type chan int has no JSON form"},
		"a function":           {struct{ A func() }{}, ".A: a value of type func()"},
		"a pointer to pointer": {struct{ A **int }{}, ".A: a value of type **int"},
		"keys of another type": {struct{ A map[int]string }{}, ".A: a value of type map[int]string"},
		"a bad element":        {struct{ A []chan int }{}, ".A[]: a value of type chan int"},
		"a bad nested field": {struct {
			A struct {
				B complex128 `json:"b"`
			}
		}{}, ".A.B: a value of type complex128"},
		"a type in itself": {loop{}, ".Next: type schema.loop contains itself"},
		"no struct":        {7, "int: is no struct"},
		"default of int": {struct {
			A int `default:"x"`
		}{}, `.A: default "x" does not fit`},
		"default of bool": {struct {
			A bool `default:"yes"`
		}{}, `.A: default "yes" does not fit`},
		"default of duration": {struct {
			A time.Duration `default:"5 min"`
		}{}, `.A: default "5 min" does not fit`},
		"default of list": {struct {
			A []string `default:"a"`
		}{}, `.A: default "a" does not fit`},
		"default under min": {struct {
			A int `default:"1" min:"2"`
		}{}, `.A: default "1" does not fit: is below the least, 2`},
		"default outside of enum": {struct {
			A string `default:"c" enum:"a,b"`
		}{}, `.A: default "c" does not fit: is not one of a, b`},
		"default overflows": {struct {
			A int8 `default:"300"`
		}{}, `.A: default "300" does not fit`},
		"default of a nested struct": {struct {
			A Embedded `default:"{}"`
		}{}, `.A: default "{}" does not fit: a: is required`},
		"enum of bool": {struct {
			A bool `enum:"true"`
		}{}, ".A: enum does not fit type bool"},
		"enum of int": {struct {
			A int `enum:"1,two"`
		}{}, `.A: enum value "two" is no whole number`},
		"empty enum value": {struct {
			A string `enum:"a,,b"`
		}{}, ".A: enum \"a,,b\" has an empty value"},
		"min of bool": {struct {
			A bool `min:"1"`
		}{}, ".A: min does not fit type bool"},
		"min of int": {struct {
			A int `min:"1.5"`
		}{}, `.A: min "1.5" does not fit type int`},
		"max of float": {struct {
			A float64 `max:"NaN"`
		}{}, `.A: max "NaN" does not fit type float64`},
		"max of duration": {struct {
			A time.Duration `max:"1"`
		}{}, `.A: max "1" does not fit type time.Duration`},
		"max of size": {struct {
			A size `max:"many"`
		}{}, `.A: max "many" does not fit type schema.size`},
		"min above max": {struct {
			A int `min:"3" max:"2"`
		}{}, `.A: min "3" is above max "2"`},
		"a secret with default": {struct {
			A secret `default:"x"`
		}{}, ".A: a secret takes no default"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Plan(reflect.TypeOf(c.of), Params, classify)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
}

func TestAllThatIsWrongIsNamedAtOnce(t *testing.T) {
	_, err := Plan(reflect.TypeFor[struct {
		A int `default:"x"`
		B bool
		C chan int
	}](), Params, classify)
	if err == nil || !strings.Contains(err.Error(), ".A:") || !strings.Contains(err.Error(), ".C:") || strings.Contains(err.Error(), ".B:") {
		t.Error(err)
	}
}

func TestOptional(t *testing.T) {
	n, err := Plan(reflect.TypeFor[struct {
		Required int
		Pointer  *int
		Default  int    `default:"1"`
		Empty    []int  `json:"Empty,omitempty"`
		Zero     string `json:"Zero,omitzero"`
		Skipped  int    `json:"-"`
		hidden   int
		Embedded
		Foreign string `yaml:"foreign" json:"foreign"`
	}](), Params, classify)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, f := range n.Fields {
		got[f.Name] = f.Optional
	}
	want := map[string]bool{"Required": false, "Pointer": true, "Default": true, "Empty": true, "Zero": true, "a": false, "foreign": false}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("optional: %v", got)
	}
}

// An output may be what parameters may not.
func TestOutputs(t *testing.T) {
	for _, good := range []any{
		struct{}{}, &struct{}{}, map[string]int{}, struct {
			A netip.Addr `json:"weird name"`
			B int        `min:"x"`
		}{},
	} {
		if _, err := Plan(reflect.TypeOf(good), Output, classify); err != nil {
			t.Errorf("%T: %v", good, err)
		}
	}
	for _, bad := range []any{7, "x", []int{}, map[int]int{}, struct{ A chan int }{}} {
		if _, err := Plan(reflect.TypeOf(bad), Output, classify); err == nil {
			t.Errorf("%T was taken for an output", bad)
		}
	}
}
