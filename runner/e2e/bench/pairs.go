package main

import (
	"fmt"
	"os/exec"
	"slices"
	"time"
)

// pairs times two commands as whole processes in turn, so that what else the
// machine does hits both, and returns milliseconds in the order of the pairs.
func pairs(n int, a, b func() *exec.Cmd) (as, bs []float64, err error) {
	for i := range n + 2 {
		x, err := timed(a())
		if err != nil {
			return nil, nil, err
		}
		y, err := timed(b())
		if err != nil {
			return nil, nil, err
		}
		if i >= 2 { // the first two warm caches
			as, bs = append(as, x), append(bs, y)
		}
	}
	return as, bs, nil
}

func timed(cmd *exec.Cmd) (float64, error) {
	return clocked(func() error {
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%v: %w", cmd.Args, err)
		}
		return nil
	})
}

// clocked is how long do takes, in milliseconds.
func clocked(do func() error) (float64, error) {
	began := time.Now()
	err := do()
	return time.Since(began).Seconds() * 1e3, err
}

// ratio is the median of the pairs' ratios.
func ratio(a, b []float64) float64 {
	r := make([]float64, len(a))
	for i := range a {
		r[i] = a[i] / b[i]
	}
	return median(r)
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}
