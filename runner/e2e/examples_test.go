package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/dags/airflowtest"
)

// example is one of a component's page, and how it gets onto the stage: the names that
// stand for a user's own are replaced.
type example struct {
	doc     string
	env     map[string]string
	replace []string
	// outputs are some of what the task returns, as JSON.
	outputs map[string]string
	// hears is what the stage's servers are sent.
	hears string
}

func (s stage) examples() map[string]example {
	quoted := func(text string) string { return `"` + text + `"` }
	return map[string]example{
		"airflow.observe": {
			doc: "Health alone", replace: []string{"http://airflow.internal:8080", s.airflow.URL},
			outputs: map[string]string{"engine": `"airflow"`},
		},
		"airflow.status":  s.atAirflow("The latest run of a DAG", "status", "etl", map[string]string{"workflow": `"stage_status"`}),
		"airflow.trigger": s.atAirflow("A DAG, now", "trigger", "daily", map[string]string{"existed": "false"}),
		"airflow.wait":    s.atAirflow("Another team's task of today", "wait", "ingest", nil),
		"airflow.clear":   s.atAirflow("What failed, of the latest run", "clear", "daily", map[string]string{"retried": "1", "failed": "0"}),
		"airflow.kill":    s.atAirflow("The latest run", "kill", "daily", map[string]string{"left": "0"}),
		"airflow.logs":    s.atAirflow("One task of today", "logs", "etl", map[string]string{"cut": "false"}),
		"airflow.pause":   s.atAirflow("Pause", "pause", "daily", map[string]string{"paused": "true"}),
		"digdag.observe": {
			doc: "The first pass", replace: []string{"http://localhost:65432", s.digdag},
			outputs: map[string]string{"engine": `"digdag"`},
		},
		"digdag.status": {
			doc: "The newest session", replace: []string{"http://localhost:65432", s.digdag, "etl/daily", s.project + "/broken"},
			outputs: map[string]string{"workflow": `"broken"`},
		},
		"digdag.start":    {doc: "A workflow, now", replace: s.onIts("daily"), outputs: map[string]string{"existed": "false"}},
		"digdag.retry":    {doc: "What failed, of the latest", replace: s.onIts("broken"), outputs: map[string]string{"retried": "1", "failed": "0"}},
		"digdag.kill":     {doc: "The latest session", replace: s.onIts("daily"), outputs: map[string]string{"left": "0"}},
		"digdag.logs":     {doc: "One task of today", replace: s.onIts("daily"), outputs: map[string]string{"cut": "false"}},
		"digdag.schedule": {doc: "All schedules", replace: s.onIts("daily")[:2], outputs: map[string]string{"changed": "0"}},
		"digdag.wait": {
			doc: "Another project's task", replace: []string{"http://digdag.internal:65432", s.digdag, "ingest/daily", s.project + "/daily"},
			outputs: map[string]string{"attempts": "1"},
		},
		"http.request": {
			doc: "Take a value out", replace: []string{"https://api.example.com", s.api},
			outputs: map[string]string{"values": `{"state":"done"}`, "status": "200"},
		},
		"http.check": {
			doc: "Wait for a service", replace: []string{"http://localhost:8080", s.api},
			outputs: map[string]string{"status": "200", "url": quoted(s.api + "/health"), "looks": "1"},
		},
		"tcp.check": {
			doc: "A database comes up", replace: []string{"db.internal:5432", s.address},
			outputs: map[string]string{"remote": quoted(s.address), "looks": "1"},
		},
		"file.wait": {
			doc: "The newest export", replace: []string{"/srv/in", s.dir},
			outputs: map[string]string{"count": "1", "newest": quoted(filepath.Join(s.dir, "orders-1.csv"))},
		},
		"file.check": {
			doc: "An export of today", replace: []string{"/srv/in", s.dir},
			outputs: map[string]string{"rows": "200", "path": quoted(filepath.Join(s.dir, "orders.csv"))},
		},
		"slack.post": {
			doc: "A template of digdag-slack", env: map[string]string{"SLACK_WEBHOOK": s.api + "/hook"},
			replace: []string{"good-template.yml", filepath.Join(s.dir, "good.yml")},
			outputs: map[string]string{"cut": "[]"},
			hears:   `/hook {"text":"+load of 2026-03-01 is done"}`,
		},
		"notify.send": {
			doc: "A mail", env: map[string]string{"ONCALL_MAIL": "smtp://" + s.mail + "/?from=outrider@mail.example&to=oncall@mail.example&auth=None&starttls=no"},
			outputs: map[string]string{"results": `[{"target":"oncall","service":"smtp","earlier":false}]`},
			hears:   "oncall@mail.example | orders are late | The session of 2026-03-01 has not ended.",
		},
	}
}

// block is the very code that plugins/README.md shows for an example, on the stage.
func (x example) block(t *testing.T, component, language string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), "plugins", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, page, _ := strings.Cut(string(text), "\n## "+component+"\n")
	page, _, _ = strings.Cut(page, "\n## ")
	_, part, found := strings.Cut(page, "\n"+x.doc)
	_, part, _ = strings.Cut(part, "\n```"+language+"\n")
	code, _, ok := strings.Cut(part, "\n```\n")
	if !found || !ok {
		t.Fatalf("plugins/README.md has no example %q of %s in %s", x.doc, component, language)
	}
	for i := 0; i < len(x.replace); i += 2 {
		if !strings.Contains(code, x.replace[i]) {
			t.Fatalf("the example %q of %s holds no %s:\n%s", x.doc, component, x.replace[i], code)
		}
	}
	return strings.NewReplacer(x.replace...).Replace(code) + "\n"
}

// check looks at what the example came to.
func (x example) check(t *testing.T, s stage, component, printed string) {
	t.Helper()
	var outputs map[string]json.RawMessage
	if err := json.Unmarshal([]byte(printed), &outputs); err != nil {
		t.Errorf("%s returned %q: %v", component, printed, err)
		return
	}
	for name, want := range x.outputs {
		if string(outputs[name]) != want {
			t.Errorf("%s of %s is %s, want %s", name, component, outputs[name], want)
		}
	}
	if x.hears == "" {
		return
	}
	if got := s.hear(t); got != x.hears {
		t.Errorf("%s sent %q, want %q", component, got, x.hears)
	}
}

// TestExamplesInDigdag runs an example of each component's page, as it stands there, as
// a workflow.
func TestExamplesInDigdag(t *testing.T) {
	a, err := airflows[airflowtest.V3]()
	if err != nil {
		t.Fatal(err)
	}
	s := newStage(t).onto(t, a)
	d := onDigdag(t)
	examples := s.examples()
	for _, c := range shippedComponents(t) {
		x, ok := examples[c.Name]
		if !ok {
			t.Errorf("%s has no example that runs", c.Name)
			continue
		}
		code := x.block(t, c.Name, "yaml")
		task, _, _ := strings.Cut(code, ":\n")
		var exports strings.Builder
		for name, value := range x.env { // what is exported is in a task's environment
			fmt.Fprintf(&exports, "_export:\n  %s: %q\n\n", name, value)
		}
		r := d.Run(exports.String() + code)
		out := r.Output("+w" + task)
		if !r.Success {
			t.Errorf("%s: %v\n%s", c.Name, r.States(), out)
			continue
		}
		// Not out: an output may hold what looks like a line of Digdag's own.
		text, err := d.Log(d.Context(), r.ID, "+w"+task)
		if err != nil {
			t.Fatal(err)
		}
		begin := strings.LastIndex("\n"+text, "\n{")
		if begin < 0 {
			t.Errorf("%s printed no outputs: %s", c.Name, text)
			continue
		}
		line, _, _ := strings.Cut(text[begin:], "\n")
		x.check(t, s, c.Name, line)
	}
}

// TestExamplesInAirflow runs the same examples, as they stand there, as DAGs.
func TestExamplesInAirflow(t *testing.T) {
	imports := dagImports(t)
	onAirflow(t, func(t *testing.T, a airflow) {
		s := newStage(t).onto(t, a)
		examples := s.examples()
		file := imports + "\nimport os\n"
		var last string
		for component, x := range examples {
			last = dagOf(component)
			for name, value := range x.env { // a task's own process reads this file
				file += fmt.Sprintf("\nos.environ[%q] = %q\n", name, value)
			}
			file += fmt.Sprintf("\nwith DAG(%q, schedule=None):\n    %s", last, x.block(t, component, "python"))
		}
		if err := a.PutDAG(deadline(t), "pages.py", file, last); err != nil {
			t.Fatal(err)
		}
		runs := map[string]airflowtest.Run{}
		for component := range examples {
			if err := a.AwaitDAG(deadline(t), dagOf(component)); err != nil {
				t.Fatal(err)
			}
			r, err := a.Trigger(deadline(t), dagOf(component), map[string]any{})
			if err != nil {
				t.Fatal(err)
			}
			runs[component] = r
		}
		var heard []string
		for component, x := range examples {
			r, name := runs[component], taskIDOf(t, x.block(t, component, "python"))
			if got := task(t, r, name); got.State != "success" {
				t.Errorf("%s: %+v\n%s", component, got, logText(t, r, name, 1))
				continue
			}
			text, ok, err := r.XCom(deadline(t), name)
			if err != nil || !ok {
				t.Errorf("%s returned nothing: %v", component, err)
				continue
			}
			// They run at the same time: what is sent comes in any order.
			if x.hears != "" {
				heard, x.hears = append(heard, x.hears), ""
			}
			x.check(t, s, component, text)
		}
		for len(heard) > 0 && !t.Failed() {
			at := slices.Index(heard, s.hear(t))
			if at < 0 {
				t.Fatalf("something else than %q was sent", heard)
			}
			heard = slices.Delete(heard, at, at+1)
		}
	})
}

func dagOf(component string) string { return "page_" + strings.ReplaceAll(component, ".", "_") }

// taskIDOf is the id of the one task in a DAG's code.
func taskIDOf(t *testing.T, code string) string {
	t.Helper()
	_, rest, ok := strings.Cut(code, `task_id="`)
	id, _, closed := strings.Cut(rest, `"`)
	if !ok || !closed {
		t.Fatalf("no task in %s", code)
	}
	return id
}

// TestSlackTellsOfAFailedWorkflow: Digdag's _error: posts, without the checker.
func TestSlackTellsOfAFailedWorkflow(t *testing.T) {
	s := newStage(t)
	d := onDigdag(t)
	r := d.Run("_error:\n  sh>: |\n    SLACK_WEBHOOK=" + s.api + "/hook outrider run slack.post --webhook env:SLACK_WEBHOOK --text \"failed: ${error.message}\"\n\n+load:\n  sh>: exit 1\n")
	if r.Success {
		t.Fatalf("%v", r.States())
	}
	if got := s.hear(t); !strings.HasPrefix(got, `/hook {"text":"failed: `) {
		t.Errorf("sent %q", got)
	}
}
