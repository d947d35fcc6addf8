package watch

import (
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/outrider-run/outrider/runner/internal/checker/rule"
)

// Metrics are what Prometheus is told of the last pass, over HTTP or by a file. Labels
// are names of sources, rules, severities and receivers alone: what an engine names may
// be anything.
type Metrics struct {
	mu    sync.Mutex
	last  Summary
	known bool
	// complete is when the last complete pass was made.
	complete time.Time
	passes   map[string]float64
}

// NewMetrics makes them for no pass yet.
func NewMetrics() *Metrics { return &Metrics{passes: map[string]float64{}} }

// Passed takes a pass in.
func (m *Metrics) Passed(s Summary) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last, m.known = s, true
	if s.Complete {
		m.passes["complete"]++
		m.complete = s.At
	} else {
		m.passes["incomplete"]++
	}
}

// Failed counts a pass that did not come to its end.
func (m *Metrics) Failed() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.passes["failed"]++
}

const namespace = "outrider_checker_"

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(namespace+name, help, labels, nil)
}

// Describe tells nothing beforehand: which sources there are may change.
func (m *Metrics) Describe(chan<- *prometheus.Desc) {}

// Collect is the last pass.
func (m *Metrics) Collect(out chan<- prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for _, result := range []string{"complete", "incomplete", "failed"} {
		out <- prometheus.MustNewConstMetric(desc("passes_total", "Passes since the program began.", "result"), prometheus.CounterValue, m.passes[result], result)
	}
	if !m.known {
		return
	}
	s := m.last
	if !m.complete.IsZero() {
		gauge(desc("last_pass_timestamp_seconds", "When the last complete pass was made."), float64(m.complete.UnixMilli())/1000)
	}
	gauge(desc("pass_seconds", "How long it took."), s.Took)
	gauge(desc("status", "Its exit code: 0 ok, 1 warning, 2 critical, 3 unknown."), float64(s.Exit))
	gauge(desc("told", "Messages that it sent."), float64(s.Told))
	for _, x := range s.Sources {
		gauge(desc("source_up", "Whether the source answered.", "source"), float64(rank(x.Failure == "")), x.Name)
		gauge(desc("source_seconds", "How long asking it took.", "source"), x.Took, x.Name)
		gauge(desc("source_requests", "How many requests that took.", "source"), float64(x.Requests), x.Name)
		gauge(desc("source_workflows", "Workflows that are known.", "source"), float64(x.Workflows), x.Name)
		gauge(desc("source_open_runs", "Runs that have not ended.", "source"), float64(x.Open), x.Name)
	}
	type group struct{ source, rule, severity, muted string }
	groups := map[group]float64{}
	for _, a := range s.Alerts {
		groups[group{a.Source, a.Rule, string(a.Severity), fmt.Sprint(a.Muted != "")}]++
	}
	for g, n := range groups {
		gauge(desc("alerts", "Alerts that fire.", "source", "rule", "severity", "muted"), n, g.source, g.rule, g.severity, g.muted)
	}
	for _, w := range s.Waiting {
		gauge(desc("undelivered", "Messages that a receiver could not be given yet.", "receiver"), float64(w.Count), w.Receiver)
		gauge(desc("undelivered_oldest_timestamp_seconds", "Since when the oldest of them waits.", "receiver"), float64(w.Oldest.Unix()), w.Receiver)
	}
	for _, severity := range []rule.Severity{rule.Info, rule.Warning, rule.Critical} {
		gauge(desc("firing", "Alerts that fire and are not muted.", "severity"), float64(s.count(severity)), string(severity))
	}
}

// count is how many alerts of a severity fire and are not muted.
func (s Summary) count(severity rule.Severity) (n int) {
	for _, a := range s.Alerts {
		if a.Severity == severity && a.Muted == "" {
			n++
		}
	}
	return n
}

// Registry is what the metrics are gathered from.
func (m *Metrics) Registry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(m)
	return r
}

// WriteFile puts the metrics into a file for a collector of text files, whole or not at
// all.
func (m *Metrics) WriteFile(path string) error {
	if err := prometheus.WriteToTextfile(path, m.Registry()); err != nil {
		return fmt.Errorf("write the metrics: %w", err)
	}
	return nil
}
