package checkercli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/cli/term"
	"github.com/outrider-run/outrider/runner/internal/engine"
)

func (a *app) init() *cli.Command {
	return command(cli.Command{
		Name: "init", Usage: "write a commented outrider.yml for what is found", ArgsUsage: "[FILE]",
		Description: "  outrider-checker init\n  outrider-checker init --digdag http://digdag:65432 /etc/outrider/outrider.yml\n  outrider-checker init -\n\n" +
			"It looks at the flags, at OUTRIDER_DIGDAG_ENDPOINT and OUTRIDER_AIRFLOW_ENDPOINT, and at the usual\n" +
			"ports of this machine. FILE is that of the user where it is not given, - is stdout.",
		Flags: settingsFlags()[1:3],
		Action: func(c *cli.Context) error {
			var file string
			if words := c.Args().Slice(); len(words) == 1 && words[0] == "-" {
				file = "-"
			} else {
				got, err := term.Args(c, 0, 1, "the file")
				if err != nil {
					return err
				}
				if file, err = userFile(got); err != nil {
					return err
				}
			}
			found := find(c.Context, text(c, "digdag"), text(c, "airflow"))
			page, err := page(found)
			if err != nil {
				return err
			}
			if file == "-" {
				_, err := fmt.Fprint(a.Out, page)
				return term.Undeliverable(err)
			}
			if err := writeNew(file, page); err != nil {
				return err
			}
			for _, f := range found {
				a.say("found %s at %s", f.engine, f.url)
			}
			if len(found) == 0 {
				a.say("found neither Digdag nor Airflow: fill in sources:")
			}
			_, err = fmt.Fprintln(a.Out, file)
			return term.Undeliverable(err)
		},
	})
}

func userFile(got []string) (string, error) {
	if len(got) == 1 {
		return got[0], nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", term.Usage("where is it to be written? %w", err)
	}
	return filepath.Join(dir, "outrider", "outrider.yml"), nil
}

// writeNew writes a file that is not there yet.
func writeNew(file, page string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("make the folder of the config: %w", err)
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if os.IsExist(err) {
		return term.Usage("%s is there already; give another name, or - for stdout", file)
	}
	if err != nil {
		return fmt.Errorf("write the config: %w", err)
	}
	if _, err := io.WriteString(f, page); err != nil {
		_ = f.Close()
		return fmt.Errorf("write the config: %w", err)
	}
	return f.Close()
}

// server is an engine that was found.
type server struct {
	engine engine.Name
	url    string
	// answers: it was seen to.
	answers bool
}

// probeTimeout is how long a server on this machine may take to say what it is.
const probeTimeout = 2 * time.Second

// find looks at what is given, else at the environment, else at the usual ports.
func find(ctx context.Context, digdag, airflow string) (all []server) {
	for _, e := range []struct {
		name           engine.Name
		given, env, at string
	}{
		{engine.Digdag, digdag, os.Getenv(engine.DigdagEndpoint), "http://localhost:65432"},
		{engine.Airflow, airflow, os.Getenv(engine.AirflowEndpoint), "http://localhost:8080"},
	} {
		given := e.given
		if given == "" {
			given = e.env
		}
		switch {
		case given != "":
			all = append(all, server{e.name, given, answers(ctx, e.name, given)})
		case answers(ctx, e.name, e.at):
			all = append(all, server{e.name, e.at, true})
		}
	}
	return all
}

// answers reports whether there is such an engine at a URL.
func answers(ctx context.Context, name engine.Name, url string) bool {
	paths := map[engine.Name][]string{engine.Digdag: {"/api/version"}, engine.Airflow: {"/api/v2/version", "/api/v1/version"}}
	for _, path := range paths[name] {
		if probe(ctx, strings.TrimRight(url, "/")+path) {
			return true
		}
	}
	return false
}

// probe reports whether there is a JSON object with a version.
func probe(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	var v struct {
		Version string `json:"version"`
	}
	return resp.StatusCode == http.StatusOK && json.NewDecoder(io.LimitReader(resp.Body, 4096)).Decode(&v) == nil && v.Version != ""
}

// page is the config with its comments.
func page(found []server) (string, error) {
	var b strings.Builder
	b.WriteString("# What Outrider watches and whom it tells. To check it: outrider-checker config check\n" +
		"# All keys: outrider-checker config schema\n\n" +
		"# Rules and windows without a zone go by this one; else by the machine's.\n" +
		"# timezone: Asia/Tokyo\n\n" +
		"# How often a pass is made, by whoever makes them.\ninterval: 60s\n\n" +
		"# A dead man's switch: asked after each pass; it tells you when it is not.\n" +
		"# ping: env:HEALTHCHECK_URL\n\nsources:\n")
	for _, f := range found {
		url, err := json.Marshal(f.url)
		if err != nil {
			return "", err
		}
		if !f.answers {
			b.WriteString("  # It did not answer when this was written.\n")
		}
		fmt.Fprintf(&b, "  %s:\n    engine: %s\n    endpoint: %s\n", f.engine, f.engine, url)
		if f.engine == engine.Airflow {
			b.WriteString("    # user: admin\n    # password: env:AIRFLOW_PASSWORD\n")
		}
	}
	if len(found) == 0 {
		b.WriteString("  digdag: {engine: digdag, endpoint: http://localhost:65432}\n" +
			"  # airflow: {engine: airflow, endpoint: http://localhost:8080, user: admin, password: env:AIRFLOW_PASSWORD}\n")
	}
	b.WriteString("  # Outrider's own runs, those of crontab lines under `outrider exec --expect` too:\n" +
		"  # outrider: {engine: outrider}\n\n" +
		"# Rules go before the built-in ones (outrider-checker rules); the first that is about a run decides.\n" +
		"# To have them made of what is usual: outrider-checker suggest\n" +
		"# rules:\n" +
		"#   - {name: etl-long, kind: running, project: etl, threshold: usual*1.5, floor: 10m, severity: critical}\n" +
		"#   - {name: report-by-seven, kind: deadline, workflow: report, by: '07:00', days: mon-fri}\n\n" +
		"# Who is told what. The first route that matches counts.\n" +
		"# On a route for all, a workflow's owner may name another channel than the receiver's.\n" +
		"routes:\n" +
		"  # - {match: 'severity=critical', receiver: team, second: boss, after: 15m}\n" +
		"  - {receiver: console}\n" +
		"# Who can be told. To try one: outrider-checker test-notify NAME\n" +
		"# receivers:\n" +
		"#   team: {component: slack.post, params: {token: env:SLACK_TOKEN, channel: '#data'}, fallback: console}\n" +
		"#   boss: {component: notify.send, params: {targets: {mail: env:MAIL_TARGET}}}\n\n" +
		"# What is done because of an alert.\n" +
		"# actions:\n" +
		"#   - name: retry-etl\n" +
		"#     match: 'kind=failed,source=digdag,project=etl'\n" +
		"#     do: {component: digdag.retry, params: {address: '{{.Alert.Address}}'}}\n" +
		"#     at_most: 3\n\n" +
		"# When maintenance is done, and nobody is told.\n" +
		"# windows: [{name: sunday, cron: '0 2 * * sun', for: 3h, match: 'source=prod'}]\n")
	return b.String(), nil
}
