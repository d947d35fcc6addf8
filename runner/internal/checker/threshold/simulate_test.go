package threshold

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// The promise of usual, in every cell. A benchmark draws more histories.
func TestUsualKeepsItsPromiseInEveryCell(t *testing.T) {
	cells := Simulate(1, 2000)
	if len(cells) != 18 {
		t.Fatalf("%d cells, want 18", len(cells))
	}
	var table strings.Builder
	for _, c := range cells {
		for _, r := range c.Rows {
			fmt.Fprintf(&table, "σ %.1f n %3d %-38s %-9s false %5.2f%% caught %5.1f%% at %.2f\n", c.Sigma, c.N, c.Past, r.Method, r.FalseAlarms*100, r.Caught*100, r.Threshold)
		}
		r := c.Rows[0]
		if r.Method != MethodUsual {
			t.Fatalf("first row is of %s", r.Method)
		}
		if r.FalseAlarms > 0.025 || r.Caught < 0.60 {
			t.Errorf("σ %.1f n %d %s: %.2f %% false alarms, %.1f %% caught", c.Sigma, c.N, c.Past, r.FalseAlarms*100, r.Caught*100)
		}
		if c.Sigma == 0.1 && c.Past == OneOutlier && r.Threshold > 1.8 {
			t.Errorf("n %d: the median threshold is %.2f × the median duration", c.N, r.Threshold)
		}
	}
	t.Log("\n" + table.String())
}

func TestSimulationRepeatsItself(t *testing.T) {
	if !reflect.DeepEqual(Simulate(7, 20), Simulate(7, 20)) || reflect.DeepEqual(Simulate(7, 20), Simulate(8, 20)) {
		t.Error("the same seed has to give the same numbers, and another others")
	}
}
