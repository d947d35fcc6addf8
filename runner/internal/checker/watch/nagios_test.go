package watch

import (
	"strings"
	"testing"
)

// TestUnknownSaysWhy: a plugin's first line is all that most people read.
func TestUnknownSaysWhy(t *testing.T) {
	up, down := Source{Name: "one"}, Source{Name: "one", Failure: "refused"}
	for _, c := range []struct {
		name string
		s    Summary
		want string
	}{
		{"nobody answers", Summary{Sources: []Source{down}, Notes: []string{"one does not answer"}}, "no source answered: one: refused"},
		{"no pass", Summary{Notes: []string{"early", "open the store: file is not a database"}}, "open the store: file is not a database"},
		{"an old pass", Summary{Sources: []Source{up}, Notes: []string{"another pass is under way"}}, "another pass is under way"},
		{"one of two", Summary{Sources: []Source{up, down}, Notes: []string{"too long ago"}}, "too long ago"},
		{"nothing said", Summary{}, "nothing is known"},
		{"a bar and lines", Summary{Notes: []string{"a|b\nc"}}, "a/b c"},
	} {
		c.s.Exit = ExitUnknown
		first, _, _ := strings.Cut(Nagios(c.s), "\n")
		if text, _, _ := strings.Cut(first, " | "); text != "OUTRIDER UNKNOWN - "+c.want {
			t.Errorf("%s: %s", c.name, first)
		}
	}
}
