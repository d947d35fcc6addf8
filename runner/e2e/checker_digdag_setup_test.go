package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/deliver/slacktest"
	"github.com/outrider-run/outrider/runner/internal/checker/watch"
)

// checked is a Digdag that a checker of the test's own watches as the source prod. What it
// finds in some projects it tells Slack; what others leave on a shared server goes to a
// file.
type checked struct {
	digdag
	// world is the checker's, not that of the server's tasks.
	world world
	slack *slacktest.Server
	// config is its outrider.yml.
	config string
}

const checkedConfig = `
sources: {prod: {engine: digdag, endpoint: %q}}
receivers:
  team: {component: slack.post, params: {token: env:SLACK_TOKEN, channel: '#data', api_url: %q}}
  rest: {file: %q}
routes:
  - {match: 'project!~%s|', receiver: rest} # a source has none
  - {receiver: team}
  - {receiver: rest} # that a source is watched from now on is told to the last
rules:
%s`

// checks has the server at an endpoint watched, by the rules, lines of YAML.
func (d digdag) checks(endpoint, projects string, rules ...string) checked {
	d.t.Helper()
	w := newWorld(d.t)
	c := checked{d, w, slacktest.New(d.t, "#data", "#orders"), filepath.Join(w.home, "outrider.yml")}
	c.configure(endpoint, projects, rules...)
	return c
}

// configure writes the checker's config anew.
func (c checked) configure(endpoint, projects string, rules ...string) {
	c.t.Helper()
	text := fmt.Sprintf(checkedConfig, endpoint, c.slack.URL, filepath.Join(c.world.home, "rest"), projects, strings.Join(rules, "\n")+"\n")
	if err := os.WriteFile(c.config, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// env is that of a person at this checker's machine.
func (c checked) env() []string {
	return append(c.world.env(), "OUTRIDER_CONFIG="+c.config, "SLACK_TOKEN="+slacktest.Token, "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// pass looks once, and tells.
func (c checked) pass() (s watch.Summary) {
	c.t.Helper()
	cmd := exec.CommandContext(c.Context(), filepath.Join(bin, "outrider-checker"), "check", "--format", "json")
	cmd.Env = c.env()
	code, out, errs := ended(c.t, cmd)
	if err := json.Unmarshal([]byte(out), &s); err != nil || code != s.Exit {
		c.t.Fatalf("exit %d, %v\n%s%s", code, err, out, errs)
	}
	if len(s.Notes) > 0 && s.Complete { // else it notes why not
		c.t.Errorf("the pass notes %q", s.Notes)
	}
	return s
}

// until makes passes until one tells Slack something new, and returns that.
func (c checked) until(is func(slacktest.Message) bool) slacktest.Message {
	c.t.Helper()
	for {
		for _, m := range c.slack.Messages() {
			if is(m) {
				return m
			}
		}
		c.pass()
		if c.Context().Err() != nil {
			c.t.Fatalf("no such message:\n%s", c.said())
		}
	}
}

// watch makes passes until the test's end.
func (c checked) watch(every string) {
	c.t.Helper()
	log := &lineWatch{want: "pass at ", seen: make(chan struct{})}
	cmd := exec.Command(filepath.Join(bin, "outrider-checker"), "watch", "--every", every)
	cmd.Env, cmd.Stderr = c.env(), log
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			c.t.Error(err)
		}
		if err := cmd.Wait(); err != nil || !strings.Contains(log.text(), "ended") {
			c.t.Errorf("the checker ended: %v\n%s", err, log.text())
		}
		if c.t.Failed() {
			c.t.Logf("the checker:\n%s", log.text())
		}
	})
	log.await(c.Context(), c.t)
}

// told waits for a message.
func (c checked) told(is func(slacktest.Message) bool) slacktest.Message {
	c.t.Helper()
	m, err := c.slack.Wait(c.Context(), is)
	if err != nil {
		c.t.Fatalf("%v\n%s", err, c.said())
	}
	return m
}

// seen is a message that a person sees all the texts in.
func seen(texts ...string) func(slacktest.Message) bool {
	return func(m slacktest.Message) bool {
		for _, text := range texts {
			if !strings.Contains(m.Seen(), text) {
				return false
			}
		}
		return true
	}
}

// said are all messages, for people.
func (c checked) said() string {
	var all strings.Builder
	for _, m := range c.slack.Messages() {
		fmt.Fprintf(&all, "--- %s, thread %q\n%s\n", m.TS, m.Thread, m.Seen())
	}
	return all.String()
}

// has checks that a message says all that.
func (c checked) has(m slacktest.Message, texts ...string) {
	c.t.Helper()
	for _, text := range texts {
		if !strings.Contains(m.Seen(), text) {
			c.t.Errorf("there is no %q in\n%s", text, m.Seen())
		}
	}
}

// line is the command that a message gives to do something.
func (c checked) line(m slacktest.Message, do string) string {
	c.t.Helper()
	_, rest, found := strings.Cut(m.Seen(), do+"\n```\n")
	line, _, ends := strings.Cut(rest, "\n```")
	if !found || !ends {
		c.t.Fatalf("no command to %q in\n%s", do, m.Seen())
	}
	return line
}

// types has a shell do what a person copied.
func (c checked) types(line string) string {
	c.t.Helper()
	cmd := exec.CommandContext(c.Context(), "sh", "-c", line)
	cmd.Env = c.env()
	code, out, errs := ended(c.t, cmd)
	if code != 0 {
		c.t.Fatalf("%s: exit %d\n%s%s", line, code, out, errs)
	}
	return out
}

// firing are the checker's alerts of a project, "" for those of the source.
func (c checked) firing(project string) (all []alert.Alert) {
	c.t.Helper()
	var list struct{ Alerts []alert.Alert }
	if err := json.Unmarshal([]byte(c.types("outrider-checker alerts list --format json")), &list); err != nil {
		c.t.Fatal(err)
	}
	for _, a := range list.Alerts {
		if a.Project == project {
			all = append(all, a)
		}
	}
	return all
}

// front is an address that stays while the servers behind it come and go.
func front(t *testing.T) (address string, behind func(server string)) {
	t.Helper()
	var to atomic.Pointer[url.URL]
	p := &httputil.ReverseProxy{
		Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(to.Load()) },
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	s := httptest.NewServer(p)
	s.Config.ErrorLog = nil
	t.Cleanup(s.Close)
	return s.URL, func(server string) {
		u, err := url.Parse(server)
		if err != nil {
			t.Fatal(err)
		}
		to.Store(u)
	}
}
