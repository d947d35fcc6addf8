package term

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"
)

func TestMoment(t *testing.T) {
	zone := time.FixedZone("here", 9*3600)
	now := time.Date(2026, 3, 1, 1, 30, 0, 0, zone)
	for text, want := range map[string]time.Time{
		"01:30":                     now,
		"01:31":                     time.Date(2026, 2, 28, 1, 31, 0, 0, zone),
		"00:05:06":                  time.Date(2026, 3, 1, 0, 5, 6, 0, zone),
		"2026-01-02":                time.Date(2026, 1, 2, 0, 0, 0, 0, zone),
		"2026-01-02 03:04":          time.Date(2026, 1, 2, 3, 4, 0, 0, zone),
		"2026-01-02T03:04:05Z":      time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		"2026-01-02T03:04:05-05:00": time.Date(2026, 1, 2, 8, 4, 5, 0, time.UTC),
		"2h":                        now.Add(-2 * time.Hour),
		"3d":                        now.AddDate(0, 0, -3),
		"1d12h":                     now.Add(-36 * time.Hour),
	} {
		if got, err := Moment(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%s: %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"25:00", "yesterday", "2026-13-01", "-2h", "3", "2026-01-02T03:04:05"} {
		if got, err := Moment(text, now); err == nil {
			t.Errorf("%q is taken for %s", text, got)
		}
	}
}

// TestMisuse shows what callers are told of their mistakes.
func TestMisuse(t *testing.T) {
	for line, want := range map[string]string{
		"--formt x":        "there is no flag --formt; see prog list --help",
		"--limit x":        `invalid value "x" for flag -limit`,
		"":                 "the key is missing; see prog list --help",
		"a b":              `unexpected argument "b" after the key`,
		"a --limit 3":      "put the flag --limit before the key: prog list --limit",
		"--format yaml a":  `--format "yaml": want table or json`,
		"--format table a": "",
	} {
		app := &cli.App{Name: "prog", ExitErrHandler: func(*cli.Context, error) {}, Commands: []*cli.Command{{
			Name: "list", OnUsageError: OnUsage, Flags: []cli.Flag{&cli.IntFlag{Name: "limit"}, FormatFlag("table", "json")},
			Action: func(c *cli.Context) error {
				if _, err := Format(c, "table", "json"); err != nil {
					return err
				}
				_, err := Args(c, 1, 1, "the key")
				return err
			},
		}}}
		err := app.Run(append([]string{"prog", "list"}, strings.Fields(line)...))
		var e *Exit
		switch {
		case want == "" && err != nil:
			t.Errorf("%q: %v", line, err)
		case want != "" && (!errors.As(err, &e) || e.Code != Misused || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v, want %s", line, err, want)
		}
	}
}

func TestGroupSaysWhatThereIs(t *testing.T) {
	app := &cli.App{Name: "prog", ExitErrHandler: func(*cli.Context, error) {}, Commands: []*cli.Command{
		Group("prog", "alerts", "", "", &cli.Command{Name: "list"}, &cli.Command{Name: "show"}),
	}}
	for line, want := range map[string]string{
		"alerts":        "say what to do: prog alerts list|show",
		"alerts lst":    "did you mean `prog alerts list`?",
		"alerts remove": "want list or show",
	} {
		if err := app.Run(append([]string{"prog"}, strings.Fields(line)...)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", line, err, want)
		}
	}
}

func TestATableIsPlain(t *testing.T) {
	var b strings.Builder
	if err := Table(&b, []string{"A", "B"}, [][]string{{"long one", OneLine("x\x1b[31m\ny and more", 8)}, {"s", ""}}); err != nil {
		t.Fatal(err)
	}
	if want := "A         B\nlong one  x\uFFFD[31m …\ns\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
	if err := Table(failing{}, []string{"A"}, nil); err == nil || !strings.Contains(err.Error(), "write to stdout: no room") {
		t.Error(err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("no room") }
