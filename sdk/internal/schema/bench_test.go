package schema

import (
	"reflect"
	"testing"
)

// A plugin's start pays for the plan of each of its components.
func BenchmarkPlan(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Plan(reflect.TypeFor[everything](), Params, classify); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	plan := planOf[everything](b, Params)
	raw := []byte(`{"text":"abc","count":2,"every":"90s","tags":["a","b"],"range":{"from":1}}`)
	b.ReportAllocs()
	for b.Loop() {
		var e everything
		if err := plan.Decode(raw, &e); err != nil {
			b.Fatal(err)
		}
	}
}
