package observe

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestLabelsKnown: that there are none is told apart from not knowing them.
func TestLabelsKnown(t *testing.T) {
	for _, c := range []struct {
		labels map[string]string
		told   bool
	}{{nil, false}, {map[string]string{}, true}, {map[string]string{"a": "b"}, true}} {
		for _, v := range []any{Run{Labels: c.labels}, Schedule{Labels: c.labels}} {
			raw, err := json.Marshal(v)
			if told := strings.Contains(string(raw), `"labels":`); err != nil || told != c.told {
				t.Errorf("%v: %s, %v", c.labels, raw, err)
			}
		}
	}
}

func TestEnded(t *testing.T) {
	for s, want := range map[State]bool{
		Queued: false, Running: false, Cancelling: false,
		Success: true, Failed: true, Cancelled: true, Skipped: true, "": false, "else": false,
	} {
		if got := s.Ended(); got != want {
			t.Errorf("%q ended: %v, want %v", s, got, want)
		}
	}
}
