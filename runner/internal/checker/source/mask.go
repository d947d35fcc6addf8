package source

import (
	"strings"

	"github.com/outrider-run/outrider/runner/internal/redact"
	"github.com/outrider-run/outrider/sdk/observe"
)

// mask masks secrets where an engine's own words stand. Ids, names, addresses and the
// cursor stay as they are: a secret may be a word as plain as a workflow's name, and then
// no answer would be about the same thing any more.
func mask(s *observe.Snapshot, secrets *redact.Redactor) {
	text := func(at *string) { *at = secrets.String(*at) }
	for i := range s.Runs {
		r := &s.Runs[i]
		text(&r.LogTail)
		if len(r.Params) > 0 {
			r.Params = secrets.JSON(r.Params)
		}
		for n := range r.Tasks {
			text(&r.Tasks[n].Error)
		}
	}
	for i := range s.Schedules {
		text(&s.Schedules[i].Broken)
	}
	for i := range s.Health {
		text(&s.Health[i].Note)
	}
	for i, said := range s.Blind {
		s.Blind[i] = maskReason(said, secrets)
	}
}

// maskReason leaves what was not looked at, which may be a run by its id, as it is: a part,
// a colon and the reason.
func maskReason(said string, secrets *redact.Redactor) string {
	const not = "not looked at: "
	rest, before := said, ""
	if after, found := strings.CutPrefix(said, not); found {
		rest, before = after, not
	}
	part, why, found := strings.Cut(rest, ": ")
	if !found {
		return secrets.String(said)
	}
	return before + part + ": " + secrets.String(why)
}
