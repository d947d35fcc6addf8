package watch

import (
	"fmt"
	"strings"

	"github.com/outrider-run/outrider/runner/internal/checker/message"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
)

// maxLines is how many alerts a monitoring plugin's answer lists.
const maxLines = 20

// Nagios is a summary as a monitoring plugin prints it: the status, then performance
// data, then a line an alert.
func Nagios(s Summary) string {
	word := [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}[s.Exit]
	down, open := []string{}, 0
	for _, x := range s.Sources {
		open += x.Open
		if x.Failure != "" {
			down = append(down, x.Name)
		}
	}
	critical, warning := s.count(rule.Critical), s.count(rule.Warning)
	text := fmt.Sprintf("%d critical, %d warning, %d open runs", critical, warning, open)
	switch {
	case s.Exit == ExitUnknown:
		text = s.unknown(len(down))
	case len(down) > 0:
		text += "; no answer from " + strings.Join(down, ", ")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "OUTRIDER %s - %s | critical=%d;;1;0 warning=%d;1;;0 open_runs=%d;;;0 sources_down=%d;;;0;%d time=%.3fs;;;0\n",
		word, plain(text), critical, warning, open, len(down), len(s.Sources), s.Took)
	n := 0
	for _, a := range s.Alerts {
		if a.Muted != "" {
			continue
		}
		if n++; n > maxLines {
			fmt.Fprintf(&b, "and more\n")
			break
		}
		fmt.Fprintf(&b, "%s %s %s\n", strings.ToUpper(string(a.Severity)), plain(a.Where), plain(a.What))
	}
	return b.String()
}

// unknown is why nothing is known, where so many sources are down: that all are, else
// what was said last.
func (s Summary) unknown(down int) string {
	switch {
	case down > 0 && down == len(s.Sources):
		return "no source answered: " + s.Sources[0].Name + ": " + s.Sources[0].Failure
	case len(s.Notes) > 0:
		return s.Notes[len(s.Notes)-1]
	}
	return "nothing is known"
}

// plain is text in one line, without the bar that begins performance data.
func plain(text string) string {
	text = message.Plain(strings.Join(strings.Fields(text), " "))
	return strings.ReplaceAll(text, "|", "/")
}
