package threshold

import (
	"math"
	"slices"
	"time"
)

const (
	// madScale makes the MAD of a normal distribution its standard deviation.
	madScale = 1.4826
	// widths is how many of them are still usual.
	widths = 4
	// unsure widens a short history: by half at 8 successes.
	unsure = 4
	// A limit lies between these multiples of the median.
	least, most = 1.5, 3
	// shortest is what a duration of 0 counts as.
	shortest = time.Millisecond
)

// upper is the logarithm of what is usual at most.
func upper(logs []float64) float64 {
	m, width := spread(logs)
	return m + width
}

// spread is the median and how far what is usual reaches from it.
func spread(logs []float64) (m, width float64) {
	m = median(logs)
	off := make([]float64, len(logs))
	for i, x := range logs {
		off[i] = math.Abs(x - m)
	}
	width = widths * madScale * median(off) * (1 + unsure/float64(len(logs)))
	return m, min(max(width, math.Log(least)), math.Log(most))
}

// logs are the logarithms of seconds.
func logs(durations []time.Duration) []float64 {
	all := make([]float64, len(durations))
	for i, d := range durations {
		all[i] = math.Log(max(d, shortest).Seconds())
	}
	return all
}

// median sorts its argument.
func median(x []float64) float64 {
	slices.Sort(x)
	return quantile(x, 0.5)
}

// quantile is of sorted numbers, between two of them in proportion.
func quantile(x []float64, q float64) float64 {
	at := q * float64(len(x)-1)
	low := int(at)
	if low+1 >= len(x) {
		return x[len(x)-1]
	}
	return x[low] + (at-float64(low))*(x[low+1]-x[low])
}

// usualRange is where most durations lie.
type usualRange struct{ low, median, high time.Duration }

// rangeOf is the middle 80 percent.
func rangeOf(durations []time.Duration) usualRange {
	x := make([]float64, len(durations))
	for i, d := range durations {
		x[i] = d.Seconds()
	}
	slices.Sort(x)
	at := func(q float64) time.Duration { return seconds(quantile(x, q)) }
	return usualRange{at(0.1), at(0.5), at(0.9)}
}
