package alert

import (
	"errors"
	"slices"
	"time"

	"github.com/netresearch/go-cron"

	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
)

// Silence mutes what it matches for a time.
type Silence struct {
	ID     string    `json:"id"`
	Match  Matchers  `json:"match"`
	From   time.Time `json:"from"`
	Until  time.Time `json:"until"`
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
}

// Validate refuses a silence of everything and one that is never.
func (s Silence) Validate() error {
	if p := s.problem(); p != nil {
		return p
	}
	return nil
}

func (s Silence) problem() *rule.Problem {
	bad := func(field, value, why string) *rule.Problem {
		return &rule.Problem{At: "/" + field, Whose: "silence " + s.ID, Field: field, Value: value, Why: why}
	}
	switch {
	case len(s.Match) == 0:
		return bad("match", `""`, "a silence needs matchers, such as project=etl; source=~.* silences all")
	case !s.Until.After(s.From):
		return bad("until", s.Until.Format(time.RFC3339), "a silence has to end after it begins")
	}
	return nil
}

// Active reports whether it is in force.
func (s Silence) Active(now time.Time) bool { return !now.Before(s.From) && now.Before(s.Until) }

// Window is when maintenance is done, again and again: what it matches is muted then.
type Window struct {
	Name  string             `json:"name"`
	Match Matchers           `json:"match,omitempty"` // none match all
	Cron  Cron               `json:"cron"`
	For   threshold.Duration `json:"for"`
	Zone  rule.Zone          `json:"zone,omitempty"`
}

// Validate names what is wrong with a window.
func (w Window) Validate() error {
	if p := w.problem(); p != nil {
		return p
	}
	return nil
}

func (w Window) problem() *rule.Problem {
	bad := func(field, value, why string) *rule.Problem {
		return &rule.Problem{At: "/" + field, Whose: "window " + w.Name, Field: field, Value: value, Why: why}
	}
	switch {
	case w.Name == "":
		return bad("name", `""`, "want a name")
	case w.Cron.text == "":
		return bad("cron", `""`, "want a crontab's five fields, such as 0 2 * * sun")
	case w.For <= 0 || time.Duration(w.For) > 31*24*time.Hour:
		return bad("for", w.For.String(), "want a duration above zero and up to 31d")
	}
	return nil
}

// Active reports whether a window is open: it began within its duration, of real time.
func (w Window) Active(now time.Time) bool {
	began := w.Cron.before(now.In(w.Zone.Location()))
	return !began.IsZero() && now.Sub(began) < time.Duration(w.For)
}

// Cron is a crontab's five fields. Where both days are given either will do, as in
// crontab(5).
type Cron struct {
	text string
	s    cron.Schedule
}

// String is as it was written.
func (c Cron) String() string { return c.text }

// MarshalText writes what UnmarshalText reads.
func (c Cron) MarshalText() ([]byte, error) { return []byte(c.text), nil }

// UnmarshalText refuses what is no crontab's time.
func (c *Cron) UnmarshalText(text []byte) error {
	parser, err := cron.TryNewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.DowOrDom | cron.Descriptor)
	if err != nil {
		return err
	}
	s, err := parser.Parse(string(text))
	if err != nil {
		return errors.New("want a crontab's five fields, such as 0 2 * * sun")
	}
	*c = Cron{string(text), s}
	return nil
}

// before is the last time up to now, in now's zone. Where the clocks are set forward over
// a time, it is the moment when they are.
func (c Cron) before(now time.Time) time.Time {
	s, ok := c.s.(interface{ Prev(time.Time) time.Time })
	if !ok {
		return time.Time{}
	}
	last := s.Prev(now.Add(time.Second))
	jump, _ := now.ZoneBounds()
	if jump.IsZero() || !jump.After(last) {
		return last
	}
	_, before := jump.Add(-time.Second).Zone()
	_, after := jump.Zone()
	// By the clocks as they were, what was left out began after the jump.
	end := jump.Add(time.Duration(after-before) * time.Second)
	if after > before && !s.Prev(end.In(time.FixedZone("", before))).Before(jump) {
		return jump
	}
	return last
}

// at is the policy with what mutes at a time alone.
func (p Policy) at(now time.Time) Policy {
	p.Silences = slices.DeleteFunc(slices.Clone(p.Silences), func(s Silence) bool { return !s.Active(now) })
	p.Windows = slices.DeleteFunc(slices.Clone(p.Windows), func(w Window) bool { return !w.Active(now) })
	return p
}

// mutedBy is what mutes an alert by the policy of the moment, "" for nothing.
func (p Policy) mutedBy(f *finding.Finding) string {
	for _, s := range p.Silences {
		if s.Match.Match(f) {
			text := "silence " + s.ID
			if s.Reason != "" {
				text += ": " + s.Reason
			}
			return text
		}
	}
	for _, w := range p.Windows {
		if w.Match.Match(f) {
			return "window " + w.Name
		}
	}
	return ""
}
