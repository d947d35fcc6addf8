package alert

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/outrider-run/outrider/runner/internal/checker/finding"
)

// Matcher compares what an alert has under a name: rule, kind, severity, source,
// project, workflow, run, task, part, signal, owner, or a label's.
type Matcher struct {
	Name, Op, Value string
	re              *regexp.Regexp
}

// Matchers have to match all.
type Matchers []Matcher

// operators, the longer ones first.
const operators = "=~ !~ != ="

// ParseMatchers reads matchers such as project=etl,rule=~late|missing. A value with a
// comma stands in double quotes.
func ParseMatchers(text string) (Matchers, error) {
	var all Matchers
	for rest := text; ; {
		var one string
		var more bool
		one, rest, more = cutComma(rest)
		m, err := parseMatcher(strings.TrimSpace(one))
		if err != nil {
			return nil, fmt.Errorf("matchers %q: %w", text, err)
		}
		all = append(all, m)
		if !more {
			return all, nil
		}
	}
}

// cutComma cuts at the first comma outside of quotes.
func cutComma(text string) (one, rest string, found bool) {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch {
		case quoted && text[i] == '\\':
			i++
		case text[i] == '"':
			quoted = !quoted
		case text[i] == ',' && !quoted:
			return text[:i], text[i+1:], true
		}
	}
	return text, "", false
}

func parseMatcher(text string) (m Matcher, err error) {
	at := strings.IndexAny(text, "=!")
	if at <= 0 {
		return m, fmt.Errorf("%q: want NAME=VALUE, NAME!=VALUE, NAME=~REGEXP or NAME!~REGEXP", text)
	}
	m.Name = strings.TrimSpace(text[:at])
	for op := range strings.FieldsSeq(operators) {
		if strings.HasPrefix(text[at:], op) {
			m.Op, m.Value = op, strings.TrimSpace(text[at+len(op):])
			break
		}
	}
	if m.Op == "" {
		return m, fmt.Errorf("%q: want =, !=, =~ or !~", text)
	}
	if strings.HasPrefix(m.Value, `"`) {
		if m.Value, err = strconv.Unquote(m.Value); err != nil {
			return m, fmt.Errorf("%q: the quotes do not close", text)
		}
	}
	if strings.HasSuffix(m.Op, "~") {
		if m.re, err = regexp.Compile("^(?:" + m.Value + ")$"); err != nil {
			return m, fmt.Errorf("%q: %w", text, err)
		}
	}
	return m, nil
}

// Match reports whether all match.
func (all Matchers) Match(f *finding.Finding) bool {
	for _, m := range all {
		value := f.Get(m.Name)
		is := value == m.Value
		if m.re != nil {
			is = m.re.MatchString(value)
		}
		if is == strings.HasPrefix(m.Op, "!") {
			return false
		}
	}
	return true
}

// String is what ParseMatchers reads.
func (all Matchers) String() string {
	var texts []string
	for _, m := range all {
		value := m.Value
		if value != strings.TrimSpace(value) || strings.ContainsAny(value, ",\"\\") || strings.HasPrefix(value, "~") || strconv.Quote(value) != `"`+value+`"` {
			value = strconv.Quote(value)
		}
		texts = append(texts, m.Name+m.Op+value)
	}
	return strings.Join(texts, ",")
}

// MarshalText writes what UnmarshalText reads.
func (all Matchers) MarshalText() ([]byte, error) { return []byte(all.String()), nil }

// UnmarshalText refuses what are no matchers; "" matches all.
func (all *Matchers) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*all = nil
		return nil
	}
	m, err := ParseMatchers(string(text))
	if err != nil {
		return errors.New("want matchers such as project=etl,rule=~late|missing")
	}
	*all = m
	return nil
}
