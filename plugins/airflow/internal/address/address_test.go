package address_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/outrider-run/outrider/plugins/airflow/internal/address"
)

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

func TestParse(t *testing.T) {
	utc := func(text string) time.Time { return at(text + "Z") }
	of := func(r address.Run, task string) address.Address {
		return address.Address{Source: "airflow", DAG: "daily", Run: r, Task: task}
	}
	id := func(id string) address.Run { return address.Run{Kind: address.ID, ID: id} }
	instant := address.Run{Kind: address.Instant, Time: at("2026-11-22T07:00:00+09:00")}
	mapped := of(address.Run{Kind: address.Latest}, "g.load")
	mapped.Mapped, mapped.Index = true, 3
	zeroth := address.Address{DAG: "daily", Task: "load", Mapped: true}
	for text, want := range map[string]address.Address{
		"airflow:daily":                                      of(address.Run{}, ""),
		"daily":                                              {DAG: "daily"},
		"etl.sub-1":                                          {DAG: "etl.sub-1"},
		"日次":                                                 {DAG: "日次"},
		"prod-2.b:daily":                                     {Source: "prod-2.b", DAG: "daily"},
		"airflow:daily/load":                                 of(address.Run{}, "load"),
		"daily/load[0]":                                      zeroth,
		"airflow:daily@latest":                               of(address.Run{Kind: address.Latest}, ""),
		"airflow:daily@latest/g.load[3]":                     mapped,
		"airflow:daily@today/load":                           of(address.Run{Kind: address.Today}, "load"),
		"airflow:daily@2026-11-22":                           of(address.Run{Kind: address.Date, Time: utc("2026-11-22T00:00:00")}, ""),
		"airflow:daily@2026-11-22/load":                      of(address.Run{Kind: address.Date, Time: utc("2026-11-22T00:00:00")}, "load"),
		"airflow:daily@2026-11-22T07:00":                     of(address.Run{Kind: address.Local, Time: utc("2026-11-22T07:00:00")}, ""),
		"airflow:daily@2026-11-22 07:00:05/load":             of(address.Run{Kind: address.Local, Time: utc("2026-11-22T07:00:05")}, "load"),
		"airflow:daily@2026-11-22T07:00:00+09:00/load":       of(instant, "load"),
		"airflow:daily@2026-11-22T07:00:00.999+0900":         of(instant, ""),
		"airflow:daily@2026-11-21T22:00:00Z":                 of(address.Run{Kind: address.Instant, Time: utc("2026-11-21T22:00:00")}, ""),
		"airflow:daily@scheduled__2026-11-22T07:00:00+00:00": of(id("scheduled__2026-11-22T07:00:00+00:00"), ""),
		"airflow:daily@manual__2026-11-22T07:00:00.123456+00:00_Ab/load": of(id("manual__2026-11-22T07:00:00.123456+00:00_Ab"), "load"),
		"daily@manual__2026-11-22T07:00:00+00:00":                        {DAG: "daily", Run: id("manual__2026-11-22T07:00:00+00:00")},
		"airflow:daily@a%2Fb%25 c:d@e[1]/load":                           of(id("a/b% c:d@e[1]"), "load"),
		"airflow:daily@%6Catest":                                         of(id("latest"), ""),
		"airflow:daily@35":                                               of(id("35"), ""),
		"airflow:daily@lates":                                            of(id("lates"), ""),
	} {
		got, err := address.Parse(text)
		if err != nil || !equal(got, want) {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", text, got, err, want)
		}
	}
}

func equal(a, b address.Address) bool {
	if !a.Run.Time.Equal(b.Run.Time) {
		return false
	}
	a.Run.Time, b.Run.Time = time.Time{}, time.Time{}
	return a == b
}

func TestParseRefuses(t *testing.T) {
	for text, says := range map[string]string{
		"":                                     "the DAG is empty; want SOURCE:DAG",
		"airflow:":                             "the DAG is empty",
		"airflow:@latest":                      "the DAG is empty",
		"/load":                                "the DAG is empty",
		":daily":                               `"" is no name of a source`,
		"a b:daily":                            `"a b" is no name of a source`,
		"a:b:daily":                            `"b:daily" is no DAG's id`,
		"~":                                    `"~" is no DAG's id`,
		"..":                                   `".." is no DAG's id`,
		"etl daily":                            `"etl daily" is no DAG's id`,
		"daily@":                               "the run is empty; want latest, today, a date",
		"daily@/load":                          "the run is empty",
		"daily@2026-02-30":                     `run "2026-02-30": there is no such day`,
		"daily@2026-11-22T25:00:00":            `run "2026-11-22T25:00:00": there is no such time`,
		"daily@2026-11-22T07:00:00+99:00/load": "there is no such time",
		"daily@100%":                           "a % of an id is written %25",
		"daily@a%0Ab":                          "no id has such characters",
		"daily@~":                              "that is all runs",
		"daily@%2E%2E":                         "that is a path",
		"daily@latest/":                        `"" is no task`,
		"daily/..":                             `".." is no task`,
		"daily@a/b/load":                       "a / in a run's id is written %2F",
		"daily/load[":                          `"load[" is no task`,
		"daily/load[-1]":                       `"load[-1]" is no task`,
		"daily/load[1][2]":                     "is no task",
		"daily/[3]":                            `"[3]" is no task`,
		"daily/+load":                          `"+load" is no task`,
	} {
		a, err := address.Parse(text)
		if err == nil || !strings.Contains(err.Error(), says) || !strings.HasPrefix(err.Error(), "address ") || a != (address.Address{}) {
			t.Errorf("%q: %+v, %v, want … %s", text, a, err, says)
		}
	}
}

// drawn is any address that can be.
func drawn(t *rapid.T) address.Address {
	id := rapid.StringMatching(`[\p{L}\p{N}_-][\p{L}\p{N}_.-]{0,8}`)
	a := address.Address{
		Source: rapid.StringMatching(`([A-Za-z_][A-Za-z0-9_.-]{0,8})?`).Draw(t, "source"),
		DAG:    id.Draw(t, "dag"),
	}
	if rapid.Bool().Draw(t, "has task") {
		a.Task = id.Draw(t, "task")
		if a.Mapped = rapid.Bool().Draw(t, "mapped"); a.Mapped {
			a.Index = rapid.IntRange(0, 1e6).Draw(t, "index")
		}
	}
	when := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "when"), 0).UTC()
	switch a.Run.Kind = address.Kind(rapid.IntRange(0, int(address.ID)).Draw(t, "kind")); a.Run.Kind {
	case address.Date:
		a.Run.Time = when.Truncate(24 * time.Hour)
	case address.Local:
		a.Run.Time = when
	case address.Instant:
		a.Run.Time = when.In(time.FixedZone("", 60*rapid.IntRange(-18*60, 18*60).Draw(t, "offset")))
	case address.ID:
		a.Run.ID = rapid.OneOf(
			rapid.StringMatching(`[^\x00-\x1f\x7f.~][^\x00-\x1f\x7f]{0,20}`),
			rapid.SampledFrom([]string{"latest", "today", "2026-11-22", "2026-02-30", "2026-11-22T07:00:00Z", "2026-11-22 27:00", "%", "/", "a/b%2F"}),
		).Draw(t, "id")
	}
	return a
}

// TestRoundTrip: an address that is written is read as the same.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		want := drawn(r)
		got, err := address.Parse(want.String())
		if err != nil || !equal(got, want) {
			r.Fatalf("%s:\n got %+v, %v\nwant %+v", want, got, err, want)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"airflow:daily@latest/load", "a@2026-11-22T07:00:00+09:00/x[3]", "s:p@q%2Fw%25@35", "p@2026-11-22 07:00/t", "p@%6Catest", "d@scheduled__2026-11-22T00:00:00+00:00/g.t[0]"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := address.Parse(text)
		if err != nil {
			return
		}
		again, err := address.Parse(a.String())
		if err != nil || !equal(a, again) || again.String() != a.String() {
			t.Errorf("%q is %+v, and again %+v, %v", text, a, again, err)
		}
	})
}

func TestMoment(t *testing.T) {
	zone := func(name string) *time.Location {
		z, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		return z
	}
	berlin, santiago := zone("Europe/Berlin"), zone("America/Santiago")
	now := at("2026-03-29T21:59:59.5Z")
	for _, c := range []struct {
		run  string
		zone *time.Location
		want string
	}{
		{"today", berlin, "2026-03-29T00:00:00+01:00"},
		{"today", zone("Asia/Tokyo"), "2026-03-30T00:00:00+09:00"},
		{"2026-03-30", berlin, "2026-03-30T00:00:00+02:00"},
		{"2026-03-29T12:00", berlin, "2026-03-29T12:00:00+02:00"},
		{"2026-03-29T02:30", berlin, "2026-03-29T03:30:00+02:00"}, // skipped by the clock
		{"2026-09-06", santiago, "2026-09-06T01:00:00-03:00"},     // there is no midnight that day
		{"2026-03-29T12:00:00Z", berlin, "2026-03-29T12:00:00Z"},
		{"latest", berlin, ""},
		{"manual__1", berlin, ""},
	} {
		r, err := address.ParseRun(c.run)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := r.Moment(c.zone, now); ok != (c.want != "") || ok && got.Format(time.RFC3339) != c.want {
			t.Errorf("%s: %s, %v, want %s", c.run, got.Format(time.RFC3339), ok, c.want)
		}
	}
	if got, ok := (address.Run{}).Moment(berlin, now); !ok || !got.Equal(at("2026-03-29T21:59:59Z")) {
		t.Errorf("none: %s", got)
	}
}

func TestPattern(t *testing.T) {
	for _, c := range []struct {
		pattern, dag string
		want         bool
	}{
		{"airflow:etl_*", "etl_a", true},
		{"airflow:etl_*", "etl", false},
		{"etl_?aily", "etl_daily", true},
		{"*", "anything.at-all", true},
		{"airflow:[a-d]*", "daily", true},
		{"daily", "daily", true},
	} {
		p, err := address.ParsePattern(c.pattern)
		if err != nil || p.Match(c.dag) != c.want {
			t.Errorf("%s of %s: %+v, %v", c.pattern, c.dag, p, err)
		}
	}
	for text, says := range map[string]string{"": "want SOURCE:DAG", "airflow:": "want SOURCE", "a b:x": "no name of a source", "[a": "is not closed", "y*@latest": "a run or task", "y*/t": "a run or task"} {
		if p, err := address.ParsePattern(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %+v, %v", text, p, err)
		}
	}
	for text, want := range map[string]bool{"etl_*": true, "airflow:a?b@x": true, "daily/load[3]": false, "daily@a*b": false, "daily": false} {
		if address.IsPattern(text) != want {
			t.Errorf("%s: %v", text, !want)
		}
	}
}
