package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/cli/term"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/catalog"
	"github.com/outrider-run/outrider/runner/internal/engine"
	"github.com/outrider-run/outrider/runner/internal/state"
)

// finding is one line of the doctor.
type finding struct {
	Check string `json:"check"`
	OK    bool   `json:"ok"`
	Text  string `json:"text"`
}

func (a *app) doctor() *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "look at plugins, state folder, ledger, clock and what was left behind",
		Description: "  outrider doctor\n  outrider doctor --format json\n\n" +
			"Exit 1 when something wants attention.",
		Flags: append([]cli.Flag{term.FormatFlag("text", "json")}, setupFlags()...),
		Action: func(c *cli.Context) error {
			format, err := term.Format(c, "text", "json")
			if err != nil {
				return err
			}
			if _, err := term.Args(c, 0, 0, "doctor"); err != nil {
				return err
			}
			o, err := a.open(parseSetup(c))
			if err != nil {
				return err
			}
			findings := slices.Concat(a.examineSelf(o), examinePlugins(c, o), examineState(time.Now()), examineLedger(c.Context, o.config))
			return a.printFindings(findings, format)
		},
	}
}

func (a *app) printFindings(findings []finding, format string) error {
	bad := 0
	for _, f := range findings {
		if !f.OK {
			bad++
		}
		if format == "text" {
			mark := "ok "
			if !f.OK {
				mark = "!! "
			}
			if _, err := fmt.Fprintf(a.Out, "%s %-8s %s\n", mark, f.Check, f.Text); err != nil {
				return term.Undeliverable(err)
			}
		}
	}
	if format == "json" {
		if err := term.JSON(a.Out, findings); err != nil {
			return err
		}
	}
	if bad > 0 {
		return &term.Exit{Code: 1, Err: fmt.Errorf("%d of %d checks want attention", bad, len(findings))}
	}
	return nil
}

func (a *app) examineSelf(o *opened) []finding {
	cfg := "none"
	if o.config.File != "" {
		cfg = o.config.File
	}
	e := detect(anyone())
	caller := string(e.Name)
	if e.Identity.Task != "" {
		caller += ", task " + e.Identity.Task
	}
	if e.Name != engine.None {
		caller += ", an orphaned run stops (--on-orphan finish lets it end)"
	}
	return []finding{
		{"version", true, fmt.Sprintf("outrider %s, revision %s", a.build.Version, orUnknown(a.build.Revision))},
		{"config", true, cfg},
		{"caller", true, caller},
	}
}

func examinePlugins(c *cli.Context, o *opened) []finding {
	var out []finding
	for _, d := range o.catalog.Dirs() {
		if _, err := os.Stat(d.Path); err == nil {
			out = append(out, finding{"folder", true, d.Path + " (" + d.Origin + ")"})
		}
	}
	entries, problems := o.catalog.List(c.Context)
	bySource := map[string][]catalog.Entry{}
	var sources []string
	for _, e := range entries {
		if bySource[e.Source] == nil {
			sources = append(sources, e.Source)
		}
		bySource[e.Source] = append(bySource[e.Source], e)
	}
	for _, s := range sources {
		var names []string
		for _, e := range bySource[s] {
			names = append(names, e.Component.Name)
		}
		text := s + ": " + strings.Join(names, ", ")
		if v := bySource[s][0].Version; v != "" {
			text += " (version " + v + ")"
		}
		out = append(out, finding{"plugin", true, text})
	}
	if len(entries) == 0 {
		var dirs []string
		for _, d := range o.catalog.Dirs() {
			dirs = append(dirs, d.Path)
		}
		out = append(out, finding{"plugins", false, "there is none; looked in " + strings.Join(dirs, ", ")})
	}
	for _, p := range problems {
		out = append(out, finding{"plugin", false, p.String()})
	}
	if o.lock != nil {
		out = append(out, finding{"lock", true, fmt.Sprintf("%s, %d files", o.lockPath, len(o.lock.Files))})
	}
	return out
}

// examineState looks at the state folder, the clock by which files there are
// stamped, and what killed hosts left.
func examineState(now time.Time) []finding {
	d, err := state.Open(os.Getenv)
	if err != nil {
		return []finding{{"state", false, err.Error()}}
	}
	out := []finding{{"state", d.Temporary == nil, d.Root()}}
	if d.Temporary != nil {
		out[0].Text = fmt.Sprintf("%s is in use instead of what was asked for: %v", d.Root(), d.Temporary)
	}
	out = append(out, examineClock(d, now))
	dead, err := d.Dead()
	switch {
	case err != nil:
		out = append(out, finding{"orphans", false, err.Error()})
	case len(dead) > 0:
		out = append(out, finding{"orphans", false, fmt.Sprintf("%d runs were killed and left folders (%s …); the next run sweeps them", len(dead), dead[0])})
	default:
		out = append(out, finding{"orphans", true, "no folder of a killed run"})
	}
	for _, p := range orphans(d.Runs()) {
		out = append(out, finding{"orphans", false, p})
	}
	return out
}

func examineClock(d state.Dir, now time.Time) finding {
	text := now.Format("2006-01-02 15:04:05 -07:00 (MST)")
	f, err := os.CreateTemp(filepath.Join(d.Root(), "tmp"), "clock-*")
	if err != nil {
		return finding{"clock", false, err.Error()}
	}
	defer func() { _ = os.Remove(f.Name()) }()
	defer func() { _ = f.Close() }()
	st, err := f.Stat()
	if err != nil {
		return finding{"clock", false, err.Error()}
	}
	if skew := st.ModTime().Sub(now); skew.Abs() > 5*time.Second {
		return finding{"clock", false, fmt.Sprintf("%s, but the state folder's files are stamped %s apart from it", text, skew.Round(time.Second))}
	}
	if now.Year() < 2025 {
		return finding{"clock", false, text + ": this clock was never set"}
	}
	return finding{"clock", true, text}
}
