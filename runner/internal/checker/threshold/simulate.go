package threshold

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Past is how the histories of a simulation are spoilt.
type Past string

const (
	// OneOutlier: in 30 % of the histories one run took 4 times as long.
	OneOutlier Past = "one ×4 outlier in 30 % of histories"
	// ManySlow: 30 % of all past runs took 4 times as long.
	ManySlow Past = "30 % of past runs ×4"
)

// Method is a way to set a threshold.
type Method string

// The methods that are compared; the first is ours.
const (
	MethodUsual    Method = "usual"
	MethodMean20   Method = "mean+20%"
	MethodP95      Method = "p95"
	MethodMean3SD  Method = "mean+3σ"
	MethodMedian3x Method = "3× median"
)

// Cell is a kind of history, and how each method does on it.
type Cell struct {
	Sigma float64 `json:"sigma"`
	N     int     `json:"n"`
	Past  Past    `json:"past"`
	Rows  []Row   `json:"rows"`
}

// Row is a method in a cell. Shares are from 0 to 1.
type Row struct {
	Method      Method  `json:"method"`
	FalseAlarms float64 `json:"false_alarms"` // of ordinary runs
	Caught      float64 `json:"caught"`       // of runs that take 5 times as long
	// Median threshold over the histories, as a multiple of the true median duration.
	Threshold float64 `json:"threshold"`
}

// Simulate draws so many histories a cell, and 20 runs for each that are judged by
// them. The same seed gives the same numbers.
func Simulate(seed uint64, histories int) []Cell {
	var cells []Cell
	for _, past := range []Past{OneOutlier, ManySlow} {
		for _, sigma := range []float64{0.1, 0.3, 0.5} {
			for _, n := range []int{10, 30, 100} {
				r := rand.New(rand.NewPCG(seed, uint64(len(cells))))
				cells = append(cells, simulate(r, histories, sigma, n, past))
			}
		}
	}
	return cells
}

// judged is how many runs each history judges.
const judged = 20

func simulate(r *rand.Rand, histories int, sigma float64, n int, past Past) Cell {
	c := Cell{Sigma: sigma, N: n, Past: past}
	methods := []Method{MethodUsual, MethodMean20, MethodP95, MethodMean3SD, MethodMedian3x}
	wrong, right := make([]int, len(methods)), make([]int, len(methods))
	limits := make([][]float64, len(methods))
	for range histories {
		x := draw(r, sigma, n, past)
		var runs [judged]float64
		for i := range runs {
			runs[i] = r.NormFloat64() * sigma
		}
		for i, m := range methods {
			at := m.limit(x)
			limits[i] = append(limits[i], at)
			for _, run := range runs {
				if run > at {
					wrong[i]++
				}
				if run+math.Log(5) > at {
					right[i]++
				}
			}
		}
	}
	all := float64(histories * judged)
	for i, m := range methods {
		c.Rows = append(c.Rows, Row{m, float64(wrong[i]) / all, float64(right[i]) / all, math.Exp(median(limits[i]))})
	}
	return c
}

// draw makes a history of logarithms, where the true median is 0.
func draw(r *rand.Rand, sigma float64, n int, past Past) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = r.NormFloat64() * sigma
		if past == ManySlow && r.Float64() < 0.3 {
			x[i] += math.Log(4)
		}
	}
	if past == OneOutlier && r.Float64() < 0.3 {
		x[r.IntN(n)] += math.Log(4)
	}
	return x
}

// limit is the logarithm of a method's threshold.
func (m Method) limit(logs []float64) float64 {
	logs = slices.Sorted(slices.Values(logs))
	mean, square := 0.0, 0.0
	for _, x := range logs {
		mean += math.Exp(x) / float64(len(logs))
	}
	for _, x := range logs {
		square += math.Pow(math.Exp(x)-mean, 2) / float64(len(logs)-1)
	}
	switch m {
	case MethodMean20:
		return math.Log(mean * 1.2)
	case MethodP95:
		return quantile(logs, 0.95)
	case MethodMean3SD:
		return math.Log(mean + 3*math.Sqrt(square))
	case MethodMedian3x:
		return quantile(logs, 0.5) + math.Log(3)
	}
	return upper(logs)
}
