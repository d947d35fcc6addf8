package message

import (
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
)

// commands are what a person may want to do about an alert that fires.
func commands(a alert.Alert) (all []Command) {
	if a.State == alert.Resolved {
		return nil
	}
	add := func(do string, words ...string) {
		for i, w := range words {
			words[i] = quote(w)
		}
		all = append(all, Command{do, strings.Join(words, " ")})
	}
	if a.Run != "" && a.Address != "" {
		add("see its log", "outrider", "logs", a.Address)
		switch a.Kind {
		case rule.Failed:
			add("retry it", "outrider", "retry", a.Address)
		case rule.Running, rule.Task, rule.Queued, rule.Deadline:
			add("kill it", "outrider", "kill", a.Address)
		}
	}
	if a.Kind == rule.Late || a.Kind == rule.Missing {
		for _, m := range a.Missed {
			all = append(all, Command{"start the run that was due at " + stamp(m.At), start(m)})
		}
	}
	add("acknowledge it", "outrider-checker", "alerts", "ack", a.Key)
	add("silence it for two hours", "outrider-checker", "alerts", "silence", "--match", matchers(a).String(), "--for", "2h", "--reason", "…")
	return all
}

// matchers mean this alert and the same of other runs.
func matchers(a alert.Alert) (all alert.Matchers) {
	for _, name := range []string{"source", "project", "workflow", "task", "part", "rule"} {
		if value := a.Get(name); value != "" {
			all = append(all, alert.Matcher{Name: name, Op: "=", Value: value})
		}
	}
	return all
}

// start is the command that starts a run for its session.
func start(m finding.Missed) string {
	address := m.Address
	session := m.Session
	if session.IsZero() {
		session = m.At
	}
	if !session.IsZero() {
		address += "@" + session.Format(time.RFC3339)
	}
	return "outrider start " + quote(address)
}

// quote makes a word one of a POSIX shell.
func quote(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@%+,", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
