package threshold

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/outrider-run/outrider/runner/internal/age"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]Spec{
		"2h": Fixed(2 * time.Hour), "1d12h": Fixed(36 * time.Hour), " 90s ": Fixed(90 * time.Second),
		"usual": Usual(), "usual*1.5": {Factor: 1.5}, "usual * 2": {Factor: 2},
	} {
		if got, err := Parse(strings.TrimSpace(text)); err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "2", "-2h", "0s", "usual*", "usual*0", "usual*-1", "usual*NaN", "usual*1e9", "usual 2", "unusual", "40000d", "1d-2h"} {
		if got, err := Parse(text); err == nil {
			t.Errorf("%q: %+v, want an error", text, got)
		} else if !strings.Contains(err.Error(), `"`+text+`"`) {
			t.Errorf("%q: %v does not name the value", text, err)
		}
	}
}

func TestSpecIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Spec{Fixed: time.Duration(rapid.Int64Range(1, int64(age.MaxDays*day)).Draw(t, "fixed"))}
		if rapid.Bool().Draw(t, "usual") {
			s = Spec{Factor: rapid.Float64Range(0.001, maxFactor).Draw(t, "factor")}
		}
		raw, err := json.Marshal(s)
		var got Spec
		if err != nil || json.Unmarshal(raw, &got) != nil || got != s {
			t.Fatalf("%+v became %s and %+v, %v", s, raw, got, err)
		}
	})
}

func minutes(m ...float64) (d []time.Duration) {
	for _, x := range m {
		d = append(d, time.Duration(x*float64(time.Minute)))
	}
	return d
}

func TestLimitAndItsReason(t *testing.T) {
	steady := minutes(30, 29, 31, 30, 32, 28, 30, 30, 31, 29)
	for _, c := range []struct {
		name   string
		spec   Spec
		past   []time.Duration
		bounds Bounds
		at     time.Duration
		why    string
	}{
		{"fixed", Fixed(2 * time.Hour), steady, Bounds{}, 2 * time.Hour, "2h (set to 2h)"},
		{"fixed is not bounded", Fixed(time.Minute), nil, Bounds{Floor: Duration(time.Hour)}, time.Minute, "1m (set to 1m)"},
		{"a steady one gets the least width", Usual(), steady, Bounds{}, 45 * time.Minute, "45m (usual, which is 1.5 times the median)"},
		{"a factor", Spec{Factor: 2}, steady, Bounds{}, 90 * time.Minute, "1h30m (usual*2, which is 3.0 times the median)"},
		{"a wild one gets the most", Usual(), minutes(5, 200, 30, 10, 90, 20, 50), Bounds{}, 90 * time.Minute, "1h30m (usual, which is 3.0 times the median)"},
		{"the floor", Usual(), minutes(1, 1, 1, 1, 1), Bounds{}, 5 * time.Minute, "5m (the floor, as usual would be below it)"},
		{"the cap", Usual(), steady, Bounds{Cap: Duration(40 * time.Minute)}, 40 * time.Minute, "40m (the cap, as usual would be above it)"},
		{"a cap below the floor's default", Usual(), steady, Bounds{Cap: Duration(time.Minute)}, time.Minute, "1m (the cap, as usual would be above it)"},
		{"no history", Usual(), nil, Bounds{}, 24 * time.Hour, "1d (it has no success yet to compare with)"},
		{"too little history", Usual(), minutes(1, 1, 1, 1), Bounds{}, 24 * time.Hour, "1d (4 successes are too few to tell what is usual)"},
		{"no history under a cap", Usual(), nil, Bounds{Cap: Duration(time.Hour)}, time.Hour, "1h (it has no success yet to compare with)"},
		{"no history above a floor", Usual(), nil, Bounds{Floor: Duration(48 * time.Hour)}, 48 * time.Hour, "2d (it has no success yet to compare with)"},
		{"a day's work is not capped at a day", Usual(), minutes(2000, 2000, 2000, 2000, 2000), Bounds{}, 3000 * time.Minute, "2d2h (usual, which is 1.5 times the median)"},
		{"durations of zero", Usual(), minutes(0, 0, 0, 0, 0), Bounds{}, 5 * time.Minute, "5m (the floor, as usual would be below it)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := c.spec.Of(c.past, c.bounds)
			if off := time.Duration(l.At) - c.at; off.Abs() > time.Second {
				t.Errorf("at %s, want %s", time.Duration(l.At), c.at)
			}
			if got := l.String(); got != c.why {
				t.Errorf("%q, want %q", got, c.why)
			}
		})
	}
}

func TestUsuallyNamesRangeAndBucket(t *testing.T) {
	l := Usual().Of(minutes(30, 29, 31, 30, 32), Bounds{})
	l.Bucket, l.Clock = "on Mondays at 02h", Created
	if got, want := l.Usually(), "30m, mostly 29m to 32m, in 5 successes on Mondays at 02h"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if !strings.HasSuffix(l.Why(), "; timed from its creation") {
		t.Errorf("%q does not name the clock", l.Why())
	}
	if got := (Limit{}).Usually(); got != "" {
		t.Errorf("%q of no history", got)
	}
}

func TestUnderMirrorsUsual(t *testing.T) {
	past := minutes(30, 30, 30, 30, 30)
	floor := func(d time.Duration) Bounds { return Bounds{Floor: Duration(d)} }
	limit := func(d time.Duration) Bounds { return Bounds{Cap: Duration(d)} }
	for _, c := range []struct {
		spec   Spec
		past   []time.Duration
		bounds Bounds
		want   time.Duration
		bound  string
	}{
		{Usual(), past, Bounds{}, 20 * time.Minute, ""},
		{Spec{Factor: 2}, past, Bounds{}, 10 * time.Minute, ""},
		{Fixed(time.Minute), past, Bounds{}, time.Minute, ""},
		{Usual(), past[:4], Bounds{}, 0, ""},
		{Usual(), past, floor(25 * time.Minute), 25 * time.Minute, "floor"},
		{Usual(), past, floor(15 * time.Minute), 20 * time.Minute, ""},
		{Usual(), past, limit(5 * time.Minute), 5 * time.Minute, "cap"},
		{Usual(), past, limit(time.Hour), 20 * time.Minute, ""},
		{Usual(), past[:4], floor(time.Minute), time.Minute, "floor"},
		{Usual(), minutes(1, 1, 1, 1, 1), Bounds{}, 40 * time.Second, ""}, // no floor of five minutes
	} {
		l := c.spec.Under(c.past, c.bounds)
		if got := time.Duration(l.At); (got-c.want).Abs() > time.Second || l.Bound != c.bound {
			t.Errorf("%s of %d within %+v: %s by %q, want %s by %q", c.spec, len(c.past), c.bounds, got, l.Bound, c.want, c.bound)
		}
	}
}

// What is usual lies between 1.5 and 3 medians or at a bound, does not depend on the
// order, and grows with the durations.
func TestUsualOfAnyHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		past := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) time.Duration {
			return time.Duration(rapid.Int64Range(1, int64(20*day)).Draw(t, "d"))
		}), Enough, 40).Draw(t, "past")
		b := Bounds{Floor: Duration(time.Nanosecond), Cap: Duration(age.MaxDays * day)}
		l := Usual().Of(past, b)
		// The logarithms' median lies between the middle two of an even number.
		slack := float64(time.Millisecond)
		low, high := float64(rangeOf(past).low), float64(rangeOf(past).high)
		if at := float64(l.At); at < 1.49*low-slack || at > 3.01*max(high, float64(time.Millisecond))+slack {
			t.Fatalf("%s of %v", time.Duration(l.At), past)
		}
		other := rapid.Permutation(past).Draw(t, "order")
		if again := Usual().Of(other, b); again != l {
			t.Fatalf("%+v, in another order %+v", l, again)
		}
		bounds := Bounds{Floor: Duration(rapid.Int64Range(1, int64(2*day)).Draw(t, "floor"))}
		bounds.Cap = bounds.Floor + Duration(rapid.Int64Range(0, int64(2*day)).Draw(t, "cap"))
		factor := rapid.Float64Range(0.1, 10).Draw(t, "factor")
		if at := (Spec{Factor: factor}).Of(past, bounds).At; at < bounds.Floor || at > bounds.Cap {
			t.Fatalf("%s is not within %+v", at, bounds)
		}
	})
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 8 * time.Second: "8s", 1500 * time.Millisecond: "2s", 300 * time.Millisecond: "300ms",
		270 * time.Second: "4m30s", 47*time.Minute + 20*time.Second: "47m", 599 * time.Second: "10m",
		3*time.Hour + 12*time.Minute + 31*time.Second: "3h13m", 52 * time.Hour: "2d4h", 24 * time.Hour: "1d",
		-90 * time.Second: "-1m30s", 24*time.Hour - time.Minute: "1d",
	} {
		if got := Short(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}
