package history

import (
	"encoding/json"
	"maps"
	"testing"

	"github.com/outrider-run/outrider/sdk/observe"
)

// TestLabelsOfTheNewestRunThatTellsThem: an owner may take them out again, and a source may
// not know them yet.
func TestLabelsOfTheNewestRunThatTellsThem(t *testing.T) {
	of := func(id string, from float64, state observe.State, labels map[string]string) observe.Run {
		r := run(id, from, 5, state)
		r.Labels = labels
		return r
	}
	off, none := map[string]string{"outrider.off": "true"}, map[string]string{}
	set := of("1", 0, observe.Success, off)
	for _, c := range []struct {
		name  string
		after []observe.Run
		want  map[string]string
	}{
		{"they are known to be none", []observe.Run{of("2", 10, observe.Running, none)}, none},
		{"of one that ended too", []observe.Run{of("2", 10, observe.Failed, none)}, none},
		{"they are not known", []observe.Run{of("2", 10, observe.Running, nil)}, off},
		{"they are known a little later", []observe.Run{of("2", 10, observe.Running, nil), of("2", 10, observe.Running, none)}, none},
		{"they are others", []observe.Run{of("2", 10, observe.Running, map[string]string{"outrider.off": "late"})}, map[string]string{"outrider.off": "late"}},
		{"an older run does not count", []observe.Run{of("0", -10, observe.Success, none)}, off},
	} {
		s, _ := Fold(Source{}, snap(6, set))
		for i, r := range c.after {
			s, _ = Fold(s, snap(float64(16+i), r))
			raw, err := json.Marshal(s)
			var read Source
			if err != nil || json.Unmarshal(raw, &read) != nil {
				t.Fatal(err)
			}
			s = read
		}
		if got := s.Workflows["etl/daily"].Labels; !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestLabelsThatAreNotKnownAreNoNews: nothing is written for them.
func TestLabelsThatAreNotKnownAreNoNews(t *testing.T) {
	r := run("1", 0, 0, observe.Running)
	r.Labels = map[string]string{"team": "data"}
	s, _ := Fold(Source{}, snap(1, r))
	r.Labels = nil
	if s, c := Fold(s, snap(2, r)); len(c.Workflows) > 0 {
		t.Errorf("%v changed: %v", c.Workflows, s.Workflows["etl/daily"].Labels)
	}
}

// TestLabelsOfAScheduleThatTellsThem: the same, of a schedule.
func TestLabelsOfAScheduleThatTellsThem(t *testing.T) {
	with := func(minute float64, labels map[string]string) observe.Snapshot {
		c := sched("daily", 60)
		c.Labels = labels
		return snapS(minute, []observe.Schedule{c})
	}
	s, _ := Fold(Source{}, with(1, map[string]string{"team": "data"}))
	s, c := Fold(s, with(2, nil))
	if got := s.Workflows["etl/daily"].Schedule.Labels; got["team"] != "data" || len(c.Workflows) > 0 {
		t.Errorf("not known: %v, %v", got, c.Workflows)
	}
	s, _ = Fold(s, with(3, map[string]string{}))
	if got := s.Workflows["etl/daily"].Schedule.Labels; len(got) > 0 {
		t.Errorf("none: %v", got)
	}
}
