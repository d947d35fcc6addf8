package checkercli

import (
	"testing"
	"time"

	"github.com/outrider-run/outrider/sdk/observe"
)

// TestTooLongAPastLosesItsOldestRuns, and is not kept twice.
func TestTooLongAPastLosesItsOldestRuns(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(id string, day int) observe.Run {
		return observe.Run{ID: id, State: observe.Success, Ended: from.AddDate(0, 0, day), LogTail: "much"}
	}
	e := ended{most: 3, seen: map[string]bool{}}
	if !e.add([]observe.Run{at("b", 2), at("a", 1), {ID: "open", State: observe.Running}}) || e.add([]observe.Run{at("a", 1)}) {
		t.Error("news is what was not told before")
	}
	e.add([]observe.Run{at("d", 4), at("c", 3), at("e", 5)})
	if len(e.runs) != 3 || e.runs[0].ID != "c" || e.runs[2].ID != "e" || e.left != 2 || !e.last().Equal(from.AddDate(0, 0, 5)) || e.runs[0].LogTail != "" {
		t.Errorf("%+v, %d left out", e.runs, e.left)
	}
}
