package address_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/outrider-run/outrider/plugins/digdag/internal/address"
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
	of := func(s address.Session, task string) address.Address {
		return address.Address{Source: "digdag", Project: "etl", Workflow: "daily", Session: s, Task: task}
	}
	instant := address.Session{Kind: address.Instant, Time: at("2026-11-22T07:00:00+09:00")}
	for text, want := range map[string]address.Address{
		"digdag:etl/daily":                                      of(address.Session{}, ""),
		"etl/daily":                                             {Project: "etl", Workflow: "daily"},
		"digdag:etl/daily+load":                                 of(address.Session{}, "+load"),
		"digdag:etl/daily@latest":                               of(address.Session{Kind: address.Latest}, ""),
		"digdag:etl/daily@latest+g+load":                        of(address.Session{Kind: address.Latest}, "+g+load"),
		"digdag:etl/daily@today+l^sub+loop-0":                   of(address.Session{Kind: address.Today}, "+l^sub+loop-0"),
		"digdag:etl/daily@35":                                   of(address.Session{Kind: address.Number, ID: "35"}, ""),
		"digdag:etl/daily@35+a@b":                               of(address.Session{Kind: address.Number, ID: "35"}, "+a@b"),
		"digdag:etl/daily@2026-11-22":                           of(address.Session{Kind: address.Date, Time: utc("2026-11-22T00:00:00")}, ""),
		"digdag:etl/daily@2026-11-22+load":                      of(address.Session{Kind: address.Date, Time: utc("2026-11-22T00:00:00")}, "+load"),
		"digdag:etl/daily@2026-11-22T07:00":                     of(address.Session{Kind: address.Local, Time: utc("2026-11-22T07:00:00")}, ""),
		"digdag:etl/daily@2026-11-22 07:00:05+load":             of(address.Session{Kind: address.Local, Time: utc("2026-11-22T07:00:05")}, "+load"),
		"digdag:etl/daily@2026-11-22T07:00:00+09:00":            of(instant, ""),
		"digdag:etl/daily@2026-11-22T07:00:00.999+0900+load":    of(instant, "+load"),
		"digdag:etl/daily@2026-11-21T22:00:00Z+load":            of(address.Session{Kind: address.Instant, Time: utc("2026-11-21T22:00:00")}, "+load"),
		"prod-2.b:team/a@b:c+d/my%40w%2Bx%25@latest+f=fruit=0":  {Source: "prod-2.b", Project: "team/a@b:c+d", Workflow: "my@w+x%", Session: address.Session{Kind: address.Latest}, Task: "+f=fruit=0"},
		"digdag:etl/daily+load^failure-alert":                   of(address.Session{}, "+load^failure-alert"),
		"digdag:etl/日次@today":                                   {Source: "digdag", Project: "etl", Workflow: "日次", Session: address.Session{Kind: address.Today}},
		"digdag:etl/100%":                                       {Source: "digdag", Project: "etl", Workflow: "100%"},
		"digdag:etl/daily@2026-11-22T07:00:00-03:30+wait_other": of(address.Session{Kind: address.Instant, Time: at("2026-11-22T07:00:00-03:30")}, "+wait_other"),
	} {
		got, err := address.Parse(text)
		if err != nil || !equal(got, want) {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", text, got, err, want)
		}
	}
}

func equal(a, b address.Address) bool {
	if !a.Session.Time.Equal(b.Session.Time) {
		return false
	}
	a.Session.Time, b.Session.Time = time.Time{}, time.Time{}
	return a == b
}

func TestParseRefuses(t *testing.T) {
	for text, says := range map[string]string{
		"":                            "there is no / between project and workflow; want SOURCE:PROJECT/WORKFLOW",
		"digdag:etl":                  "there is no / between",
		"digdag:/daily":               "the project is empty",
		"digdag:etl/":                 "the workflow is empty",
		"digdag:etl/@latest":          "the workflow is empty",
		":etl/daily":                  `"" is no name of a source`,
		"a b:etl/daily":               `"a b" is no name of a source`,
		"digdag:etl/daily@":           `session "": want latest, today, a date`,
		"digdag:etl/daily@lates+load": `session "lates": want latest, today`,
		"digdag:etl/daily@2026-02-30": `session "2026-02-30": there is no such day`,
		"digdag:etl/daily@2026-11-22T25:00:00+load":  `session "2026-11-22T25:00:00": there is no such time`,
		"digdag:etl/daily@2026-11-22T07:00:00+99:00": "there is no such time",
		"digdag:etl/daily@12345678901234567890":      `want latest`,
		"digdag:etl/daily@-1":                        `session "-1": want latest`,
		"digdag:etl/daily@latest+":                   `"+" is no task`,
		"digdag:etl/daily++a":                        `"++a" is no task`,
		"digdag:etl/daily+a b":                       `"+a b" is no task`,
	} {
		a, err := address.Parse(text)
		if err == nil || !strings.Contains(err.Error(), says) || !strings.HasPrefix(err.Error(), "address ") || a != (address.Address{}) {
			t.Errorf("%q: %+v, %v, want … %s", text, a, err, says)
		}
	}
}

// drawn is any address that can be.
func drawn(t *rapid.T) address.Address {
	a := address.Address{
		Source:   rapid.StringMatching(`[A-Za-z_][A-Za-z0-9_.-]{0,8}`).Draw(t, "source"),
		Project:  rapid.StringMatching(`[^\x00-\x1f]{1,12}`).Draw(t, "project"),
		Workflow: rapid.StringMatching(`[^/\x00-\x1f]{1,12}`).Draw(t, "workflow"),
		Task:     rapid.StringMatching(`(\+[a-z0-9_=@.-]{1,5}([+^][a-z=@%-]{1,5}){0,3})?`).Draw(t, "task"),
	}
	when := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "when"), 0).UTC()
	switch a.Session.Kind = address.Kind(rapid.IntRange(0, int(address.Number)).Draw(t, "kind")); a.Session.Kind {
	case address.Date:
		a.Session.Time = when.Truncate(24 * time.Hour)
	case address.Local:
		a.Session.Time = when
	case address.Instant:
		a.Session.Time = when.In(time.FixedZone("", 60*rapid.IntRange(-18*60, 18*60).Draw(t, "offset")))
	case address.Number:
		a.Session.ID = rapid.StringMatching(`[0-9]{1,19}`).Draw(t, "id")
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
	for _, text := range []string{"digdag:etl/daily@latest+load", "a/b@2026-11-22T07:00:00+09:00+x^sub+y", "s:p/q/w%2B%40%25@35", "p/w@2026-11-22 07:00+t", "p/w%252B"} {
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

func TestPattern(t *testing.T) {
	for _, c := range []struct {
		pattern, project, workflow string
		want                       bool
	}{
		{"digdag:etl_*", "etl_a", "daily", true},
		{"digdag:etl_*", "etl", "daily", false},
		{"etl_*/da?ly", "etl_a", "daily", true},
		{"etl_*/daily", "etl_a", "hourly", false},
		{"*", "anything", "at all", true},
		{"digdag:etl/[a-d]*", "etl", "daily", true},
	} {
		p, err := address.ParsePattern(c.pattern)
		if err != nil || p.Match(c.project, c.workflow) != c.want {
			t.Errorf("%s of %s/%s: %+v, %v", c.pattern, c.project, c.workflow, p, err)
		}
	}
	for text, says := range map[string]string{"": "want SOURCE:PROJECT", "digdag:": "want SOURCE", "a b:x": "no name of a source", "x/": "want SOURCE", "x/[a": "is not closed", "x/y@latest": "a session or task"} {
		if p, err := address.ParsePattern(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %+v, %v", text, p, err)
		}
	}
}
