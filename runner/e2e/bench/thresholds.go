package main

import (
	"cmp"
	"fmt"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
)

// thresholds simulates histories, and prints how the checker's threshold does on them
// beside those that people set by hand.
func (b *bench) thresholds() ([]figure, error) {
	cells := threshold.Simulate(1, 5_000)
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	head := table.Row{"false alarms % / caught % / × median", "σ", "n"}
	for _, r := range cells[0].Rows {
		head = append(head, r.Method)
	}
	t.AppendHeader(head)
	// Ours at its worst over all cells, and where each was.
	alarms := figure{what: "threshold: false alarms in the worst of 18 cells", target: 2.5, unit: "%", atMost: true}
	caught := figure{what: "threshold: 5× runs caught in the worst of 18 cells", target: 60, unit: "%", got: 100}
	tight := figure{what: "threshold: median of histories of σ 0.1 with an outlier", target: 1.8, unit: "×", atMost: true}
	worst := func(f *figure, got float64, c threshold.Cell) {
		if sign := cmp.Compare(got, f.got); sign > 0 == f.atMost && sign != 0 {
			f.got, f.note = got, fmt.Sprintf("σ %.1f, n %d, %s", c.Sigma, c.N, c.Past)
		}
	}
	for _, c := range cells {
		row := table.Row{c.Past, c.Sigma, c.N}
		for _, r := range c.Rows {
			row = append(row, fmt.Sprintf("%.2f / %.1f / %.2f", r.FalseAlarms*100, r.Caught*100, r.Threshold))
		}
		t.AppendRow(row)
		ours := c.Rows[0]
		worst(&alarms, ours.FalseAlarms*100, c)
		worst(&caught, ours.Caught*100, c)
		if c.Sigma == 0.1 && c.Past == threshold.OneOutlier {
			worst(&tight, ours.Threshold, c)
		}
	}
	fmt.Println(t.Render())
	return []figure{alarms, caught, tight}, nil
}
