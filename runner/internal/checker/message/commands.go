package message

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
)

// Itself is the key of the alert that the checker itself does not work. It stands in no
// book: nothing can be done about it there.
const Itself = "checker|lost"

// commands are what a person may want to do about an alert that fires. memory are the flags
// that lead to the checker that knows of it.
func commands(a alert.Alert, memory []string) (all []Command) {
	if a.State == alert.Resolved || a.Key == Itself {
		return nil
	}
	add := func(do string, words ...string) { all = append(all, Command{do, Line(words...)}) }
	switch {
	case a.Engine == finding.Ledger:
		ofLedger(a, add)
	case a.Run != "" && a.Address != "":
		add("see its log", "outrider", "logs", a.Address)
		switch remedy(a) {
		case again:
			add("retry it", "outrider", "retry", a.Address)
		case end:
			add("kill it", "outrider", "kill", "--yes", a.Address) // it may be pasted where nobody can be asked
		}
	}
	if a.Kind == rule.Late || a.Kind == rule.Missing || a.Kind == rule.Deadline {
		for _, m := range a.Missed {
			all = append(all, Command{"start the run that was due at " + Stamp(m.At), start(m)})
		}
	}
	answer := func(do, verb string, words ...string) {
		add(do, slices.Concat([]string{"outrider-checker", "alerts", verb}, memory, words)...)
	}
	answer("acknowledge it", "ack", a.Key)
	answer("silence it for two hours", "silence", "--match", matchers(a).String(), "--for", "2h", "--reason", "…")
	return all
}

// Line is words as a line for a POSIX shell.
func Line(words ...string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quote(w)
	}
	return strings.Join(quoted, " ")
}

// What helps an alert's run, if anything does.
const (
	again = "again"
	end   = "end"
)

// remedy is what helps: what takes too long may be ended, what has ended badly done again.
func remedy(a alert.Alert) string {
	switch a.Kind {
	case rule.Failed:
		return again
	case rule.Running, rule.Task, rule.Queued:
		return end
	case rule.Deadline:
		switch {
		case a.RunState.Ended():
			return again
		case a.RunState != "":
			return end
		}
	}
	return ""
}

// ofLedger adds those for a run of the ledger, which no engine has: its verbs are those of
// runs.
func ofLedger(a alert.Alert, add func(do string, words ...string)) {
	if a.Run == "" {
		return
	}
	add("see its log", "outrider", "runs", "logs", a.Run)
	switch remedy(a) {
	case again:
		add("run it again", "outrider", "runs", "rerun", a.Run)
	case end:
		add("cancel it", "outrider", "runs", "cancel", a.Run)
	}
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

// start is the command that starts a run for its session. The ledger knows what ran last
// under that name.
func start(m finding.Missed) string {
	if m.Last != "" {
		return "outrider runs rerun " + quote(m.Last)
	}
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
	if Plain(word) != word && !strings.HasSuffix(word, "\n") {
		return printed(word)
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// printed makes a word of what cannot be seen, and so not be copied either.
func printed(word string) string {
	var b strings.Builder
	for at, size := 0, 0; at < len(word); at += size {
		var r rune
		r, size = utf8.DecodeRuneInString(word[at:])
		switch {
		case r == '%':
			b.WriteString("%%")
		case unseen(r) || r == utf8.RuneError || strings.ContainsRune(`\'`, r):
			for _, c := range []byte(word[at : at+size]) {
				fmt.Fprintf(&b, `\%03o`, c)
			}
		default:
			b.WriteRune(r)
		}
	}
	return `"$(printf '` + b.String() + `')"`
}
