package checkercli

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
	"github.com/outrider-run/outrider/runner/internal/cli/term"
)

// settingsFlags are those of every command that goes by the settings.
func settingsFlags() []cli.Flag {
	return []cli.Flag{
		configFlag(),
		&cli.StringFlag{Name: "digdag", Usage: "watch the Digdag at `URL`, as the source digdag"},
		&cli.StringFlag{Name: "airflow", Usage: "watch the Airflow at `URL`, as the source airflow; its login is in AIRFLOW_USER and AIRFLOW_PASSWORD"},
		&cli.BoolFlag{Name: "ledger", Usage: "watch Outrider's own runs, as the source outrider", DisableDefaultText: true},
		&cli.StringSliceFlag{Name: "set", Usage: "set a parameter of a source: `SOURCE.NAME=VALUE`, e.g. airflow.password=env:PW (again for more)"},
		&cli.StringFlag{Name: "threshold", Usage: "a run is too long after `LIMIT`, where neither the config nor the workflow's owner says so: 2h, usual or usual*1.5"},
	}
}

func configFlag() cli.Flag {
	return &cli.StringFlag{Name: "config", Usage: "read `FILE` instead of the user's or the system's outrider.yml"}
}

func pluginDirFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "plugin-dir", Usage: "look for plugins in `DIR` first (again for more)"}
}

// sourceFlags are those of commands that ask the sources.
func sourceFlags() []cli.Flag {
	return append(settingsFlags(),
		pluginDirFlag(),
		&cli.StringFlag{Name: "history", Usage: "at the first pass look back for `TIME` (default: 30d)"},
	)
}

// tellFlags are those of commands that tell.
func tellFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "slack", Usage: "tell Slack's `CHANNEL` too; the token is in SLACK_TOKEN, or a webhook in SLACK_WEBHOOK; SLACK_API_URL is for another Slack than slack.com"},
		&cli.StringFlag{Name: "textfile", Usage: "write metrics for Prometheus into `FILE` after each pass"},
		&cli.StringFlag{Name: "ping", Usage: "ask `URL` after each complete pass, URL/fail where it is not; env:NAME and file:PATH may stand for it"},
	}
}

// given is what the flags say.
type given struct {
	config          string
	pluginDirs      []string
	digdag, airflow string
	ledger          bool
	sets            []set
	threshold       threshold.Spec
	history         threshold.Duration
	slack           string
	textfile        string
	ping            string
}

func parse(c *cli.Context) (g given, err error) {
	g = given{
		config: text(c, "config"), pluginDirs: texts(c, "plugin-dir"), digdag: text(c, "digdag"), airflow: text(c, "airflow"),
		ledger: flag(c, "ledger"), slack: text(c, "slack"), textfile: text(c, "textfile"), ping: text(c, "ping"),
	}
	if g.threshold, err = threshold.Parse(text(c, "threshold")); text(c, "threshold") != "" && err != nil {
		return g, term.Usage("--threshold %q: %w", text(c, "threshold"), err)
	}
	if back := text(c, "history"); back != "" {
		if g.history, err = threshold.ParseDuration(back); err != nil || g.history == 0 {
			return g, term.Usage("--history %q: want a time such as 30d", back)
		}
	}
	for _, t := range texts(c, "set") {
		s, err := parseSet(t)
		if err != nil {
			return g, err
		}
		g.sets = append(g.sets, s)
	}
	return g, nil
}

// isReference reports whether a text stands for a secret.
func isReference(text string) bool {
	return strings.HasPrefix(text, "env:") || strings.HasPrefix(text, "file:")
}

// secret is what a reference stands for, or the text itself. No error has its value.
func secret(text string) (string, error) {
	var value string
	switch kind, name, _ := strings.Cut(text, ":"); {
	case kind == "env" && name != "":
		value = os.Getenv(name)
	case kind == "file" && name != "":
		data, err := os.ReadFile(name)
		if err != nil {
			return "", fmt.Errorf("%s: %w", text, err)
		}
		value = strings.TrimRight(string(data), "\r\n")
	default:
		return text, nil
	}
	if value == "" {
		return "", errors.New(text + ": it is empty or not there")
	}
	return value, nil
}
