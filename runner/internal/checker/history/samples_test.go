package history

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func anySamples(t *rapid.T) (all Samples) {
	for range rapid.IntRange(0, 2*maxRuns).Draw(t, "n") {
		one := Sample{
			Start: rapid.Int64Range(0, 4e12).Draw(t, "start"),
			Total: rapid.Int32Range(1, math.MaxInt32).Draw(t, "total"),
			Work:  rapid.Int32Range(0, math.MaxInt32).Draw(t, "work"),
			Hour:  uint8(rapid.IntRange(0, 167).Draw(t, "hour")),
		}
		before := slices.Clone(all)
		after := all.with(one, maxRuns)
		if !slices.Equal(all, before) {
			t.Fatalf("with changed what it was given")
		}
		all = after
		if again := all.with(one, maxRuns); !slices.Equal(again, all) {
			t.Fatalf("the same sample twice is %d samples, not %d", len(again), len(all))
		}
	}
	return all
}

func TestSamplesAreOrderedBoundedAndReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := anySamples(t)
		if len(all) > maxRuns || !slices.IsSortedFunc(all, func(a, b Sample) int { return int(a.Start/1000 - b.Start/1000) }) {
			t.Fatalf("%d samples, or not in order", len(all))
		}
		raw, err := json.Marshal(map[string]Packed{"runs": all.Pack()})
		var back map[string]Packed
		if err != nil || json.Unmarshal(raw, &back) != nil || !slices.Equal(back["runs"].Samples(), all) {
			t.Fatalf("%v came back as %v, %v", all, back["runs"].Samples(), err)
		}
	})
}

func TestTheNewestSamplesAreKept(t *testing.T) {
	var all Samples
	for i := range int64(maxRuns + 10) {
		all = all.with(Sample{Start: i, Total: 1}, maxRuns)
	}
	if len(all) != maxRuns || all[0].Start != 10 {
		t.Errorf("%d samples from %d on", len(all), all[0].Start)
	}
	if late := all.with(Sample{Start: 3, Total: 1}, maxRuns); !reflect.DeepEqual(late, all) {
		t.Error("an old sample drove out a newer one")
	}
}

func TestSamplesRefuseWhatIsBroken(t *testing.T) {
	good, err := Samples{{Start: 5e12, Total: 7, Work: 3, Hour: 9}}.Pack().MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "AA", "!", string(good[:len(good)-1]), string(good[:5]), "AQ" + strings.Repeat("__", 12)} {
		var s Packed
		if err := s.UnmarshalText([]byte(text)); err == nil || !strings.HasPrefix(err.Error(), "unpack durations: ") {
			t.Errorf("%q: %v, %v", text, s, err)
		}
	}
}
