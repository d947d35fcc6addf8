package history

import (
	"slices"
	"strings"
)

// Blind is what a snapshot could not look at, so that nothing can be concluded from its
// absence there.
type Blind struct {
	Runs      bool     `json:"runs,omitempty"`
	Schedules bool     `json:"schedules,omitempty"`
	Health    bool     `json:"health,omitempty"`
	Signals   bool     `json:"signals,omitempty"`
	RunIDs    []string `json:"run_ids,omitempty"`
}

// blindOf reads what observing components say of it: a part of the engine, a colon and
// the reason. What is not understood is taken for everything.
func blindOf(texts []string) (b Blind) {
	for _, text := range texts {
		text = strings.TrimPrefix(text, "not looked at: ")
		// A run's id may have colons, with no blank after them.
		whole, _, _ := strings.Cut(text, ": ")
		words := strings.Fields(whole)
		part := strings.ToLower(whole)
		starts := func(with ...string) bool {
			return slices.ContainsFunc(with, func(w string) bool { return strings.HasPrefix(part, w) })
		}
		switch {
		case starts("tasks of", "log of", "dag warnings", "settings"), strings.Contains(part, "asked for in details"):
		case starts("pool", "import error", "task instance", "jobs", "signals"):
			b.Signals = true
		case starts("health", "monitor", "version"):
			b.Health = true
		case starts("schedules", "dags"):
			b.Schedules = true
		case len(words) == 2 && (words[0] == "attempt" || words[0] == "run"):
			b.RunIDs = append(b.RunIDs, words[1])
		case starts("attempt", "runs", "dag run", "history"):
			b.Runs = true
		default:
			b = Blind{Runs: true, Schedules: true, Health: true, Signals: true, RunIDs: b.RunIDs}
		}
	}
	return b
}

// isGone reports whether a text says that a run which was open is no more.
func isGone(text, id string) bool {
	part, why, _ := strings.Cut(text, ": ")
	words := strings.Fields(part)
	return len(words) == 2 && words[1] == id && strings.Contains(why, "no more")
}
