package e2e

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// stage is what the examples of the pages speak of: servers and files, on this machine.
type stage struct {
	api, address, dir string
	// heard is what was posted, by path.
	heard chan string
}

func newStage(t *testing.T) stage {
	t.Helper()
	s := stage{dir: t.TempDir(), heard: make(chan string, 9)}
	answers := map[string]string{"/v1/jobs/7": `{"job":{"state":"done"}}`, "/health": "up", "/hook": "ok"}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, known := answers[r.URL.Path]
		if !known {
			http.NotFound(w, r)
			return
		}
		if r.Method == http.MethodPost {
			body, _ := io.ReadAll(r.Body) // what is missing shows in the text
			s.heard <- r.URL.Path + " " + string(body)
		}
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	s.api, s.address = server.URL, strings.TrimPrefix(server.URL, "http://")
	if _, _, err := net.SplitHostPort(s.address); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(s.dir, "orders-1.csv")
	if err := os.WriteFile(file, []byte("id,price\n"+strings.Repeat("1,2.50\n", 200)), 0o600); err != nil {
		t.Fatal(err)
	}
	template := "text: ${task_name} of ${session_date} is done\n"
	if err := os.WriteFile(filepath.Join(s.dir, "good.yml"), []byte(template), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, filepath.Join(s.dir, "orders.csv")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(file, time.Now(), time.Now().Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	return s
}

// example is one of a component's page, and how it gets onto the stage: the names that
// stand for a user's own are replaced.
type example struct {
	doc     string
	env     string
	replace []string
	// output is a value of the outputs.
	output, want string
	// hears is in what the stage's server is sent.
	hears string
}

func (s stage) examples() map[string]example {
	return map[string]example{
		"http.request": {doc: "Take a value out", replace: []string{"https://api.example.com", s.api}, output: "values", want: `{"state":"done"}`},
		"http.check":   {doc: "Wait for a service", replace: []string{"http://localhost:8080", s.api}, output: "status", want: "200"},
		"tcp.check":    {doc: "A database comes up", replace: []string{"db.internal:5432", s.address}},
		"file.wait":    {doc: "The newest export", replace: []string{"/srv/in", s.dir}},
		"file.check":   {doc: "An export of today", replace: []string{"/srv/in", s.dir}, output: "rows", want: "200"},
		"slack.post":   {doc: "A template of digdag-slack", env: "SLACK_WEBHOOK=" + s.api + "/hook", replace: []string{"good-template.yml", filepath.Join(s.dir, "good.yml")}, hears: `/hook {"text":"+load of 2026-03-01 is done"`},
		"notify.send":  {doc: "A mail", env: "ONCALL_MAIL='generic+" + s.api + "/hook'", hears: "/hook "},
	}
}

// call is the shell's line of the example on the page, on the stage.
func (x example) call(t *testing.T, page string) string {
	t.Helper()
	_, part, found := strings.Cut(page, "\n"+x.doc)
	_, part, _ = strings.Cut(part, "\n```sh\n")
	line, _, ok := strings.Cut(part, "\n```\n")
	if !found || !ok {
		t.Fatalf("the page has no example %q:\n%s", x.doc, page)
	}
	return strings.TrimSpace(x.env + " " + strings.NewReplacer(x.replace...).Replace(line))
}

// check looks at what the example came to.
func (x example) check(t *testing.T, s stage, outputs map[string]json.RawMessage) {
	t.Helper()
	if x.output != "" && string(outputs[x.output]) != x.want {
		t.Errorf("%s is %s, want %s", x.output, outputs[x.output], x.want)
	}
	if x.hears == "" {
		return
	}
	select {
	case text := <-s.heard:
		if !strings.HasPrefix(text, x.hears) {
			t.Errorf("sent %q", text)
		}
	case <-time.After(time.Minute):
		t.Error("nothing was sent")
	}
}

// TestExamplesInDigdag runs an example of each component's page as a task.
func TestExamplesInDigdag(t *testing.T) {
	s := newStage(t)
	d := onDigdag(t)
	examples := s.examples()
	for _, c := range shippedComponents(t) {
		x, ok := examples[c.Name]
		if !ok {
			t.Errorf("%s has no example that runs", c.Name)
			continue
		}
		r := d.Run("+example:\n  sh>: |\n    " + x.call(t, page(t, c.Name)) + "\n")
		out := r.Output("+w+example")
		if !r.Success {
			t.Errorf("%s: %v\n%s", c.Name, r.States(), out)
			continue
		}
		lines := strings.Split(strings.TrimSpace(out), "\n")
		var outputs map[string]json.RawMessage
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &outputs); err != nil {
			t.Errorf("%s printed %q: %v", c.Name, out, err)
			continue
		}
		x.check(t, s, outputs)
	}
}

// TestExamplesInAirflow runs the same examples as tasks of a DAG.
func TestExamplesInAirflow(t *testing.T) {
	onAirflow(t, func(t *testing.T, a airflow) {
		s := newStage(t)
		for name, x := range s.examples() {
			r := a.trigger(t, "once", x.call(t, page(t, name)))
			if got := task(t, r, "run"); got.State != "success" {
				t.Errorf("%s: %+v\n%s", name, got, logText(t, r, "run", 1))
				continue
			}
			text, ok, err := r.XCom(deadline(t), "run")
			var outputs map[string]json.RawMessage
			if err != nil || !ok || json.Unmarshal([]byte(text), &outputs) != nil {
				t.Errorf("%s returned %q: %v", name, text, err)
				continue
			}
			x.check(t, s, outputs)
		}
	})
}

// TestSlackTellsOfAFailedWorkflow: Digdag's _error: posts, without the checker.
func TestSlackTellsOfAFailedWorkflow(t *testing.T) {
	s := newStage(t)
	d := onDigdag(t)
	r := d.Run("_error:\n  sh>: |\n    SLACK_WEBHOOK=" + s.api + "/hook outrider run slack.post --webhook env:SLACK_WEBHOOK --text \"failed: ${error.message}\"\n\n+load:\n  sh>: exit 1\n")
	if r.Success {
		t.Fatalf("%v", r.States())
	}
	example{hears: `/hook {"text":"failed: `}.check(t, s, nil)
}
