package checkercli

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/runner/internal/engine"
)

// example is a line that becomes one of the config without its mark; a sentence begins
// with a capital.
var example = regexp.MustCompile(`^( *)# ([ a-z-].*)$`)

// TestExamplesHold: with the mark removed each of them is read, all together and section
// by section.
func TestExamplesHold(t *testing.T) {
	for _, found := range [][]server{nil, {{engine.Airflow, "http://a", false}}, {{engine.Digdag, "http://d", true}, {engine.Airflow, "http://a", true}}} {
		text, err := page(found)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := written(t, text, given{}); err != nil {
			t.Errorf("as it is: %v", err)
		}
		sections := strings.Split(text, "\n\n")
		all := slices.Clone(sections)
		for i, section := range sections {
			lines := strings.Split(section, "\n")
			for j, line := range lines {
				lines[j] = example.ReplaceAllString(line, "$1$2")
			}
			all[i] = strings.Join(lines, "\n")
			one := slices.Clone(sections)
			one[i] = all[i]
			if _, err := written(t, strings.Join(one, "\n\n"), given{}); err != nil {
				t.Errorf("%v\n%s", err, all[i])
			}
		}
		s, err := written(t, strings.Join(all, "\n\n"), given{})
		if err != nil {
			t.Errorf("all of them: %v\n%s", err, strings.Join(all, "\n\n"))
		}
		if len(s.Own) != 2 || len(s.Receivers) != 3 || len(s.Actions) != 1 || len(s.Policy.Windows) != 1 || len(s.Policy.Routes) != 2 {
			t.Errorf("examples are missing: %+v", s)
		}
	}
}
