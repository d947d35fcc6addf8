package digdagtest

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience turns a hang into a failure. It is no measure of anything.
const patience = 3 * time.Minute

// Tester is a server as one test sees it: whatever fails, fails the test.
type Tester struct {
	*Server
	tb  testing.TB
	ctx context.Context
	tag string // in project names, so that a test can run twice on one server
}

// For makes a Tester of the server.
func (s *Server) For(tb testing.TB) *Tester {
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	tb.Cleanup(cancel)
	return &Tester{s, tb, ctx, rand.Text()[:8]}
}

// Context ends with the test, or when a hang is certain.
func (t *Tester) Context() context.Context { return t.ctx }

// Files are a project in memory: paths and contents. What starts with #! is
// executable.
type Files map[string]string

// Push pushes files as a project named after the test and gives its name, which
// is the same for all pushes of one Tester.
func (t *Tester) Push(files Files) (project string) {
	t.tb.Helper()
	dir := t.tb.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.tb.Fatal(err)
		}
		mode := os.FileMode(0o644)
		if strings.HasPrefix(text, "#!") {
			mode = 0o755
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.tb.Fatal(err)
		}
	}
	project = strings.NewReplacer("/", "-", "#", "-").Replace(t.tb.Name()) + "-" + t.tag
	if _, err := t.Server.Push(t.ctx, project, dir); err != nil {
		t.tb.Fatal(err)
	}
	return project
}

// Start starts a workflow of a project.
func (t *Tester) Start(project, workflow string) Attempt {
	t.tb.Helper()
	a, err := t.StartWorkflow(t.ctx, project, workflow, nil)
	if err != nil {
		t.tb.Fatal(err)
	}
	return a
}

// Run pushes text as the only workflow, runs it and waits for its end.
func (t *Tester) Run(dig string) Result {
	t.tb.Helper()
	return t.Wait(t.Start(t.Push(Files{"w.dig": dig}), "w").ID)
}

// Wait waits for the end of an attempt.
func (t *Tester) Wait(attempt string) Result {
	t.tb.Helper()
	a, err := t.WaitAttempt(t.ctx, attempt)
	if err != nil {
		t.tb.Fatal(err)
	}
	return t.Result(a)
}

// Result reads what is to know of an attempt by now.
func (t *Tester) Result(a Attempt) Result {
	t.tb.Helper()
	tasks, err := t.Tasks(t.ctx, a.ID)
	if err != nil {
		t.tb.Fatal(err)
	}
	return Result{a, tasks, t}
}

// Until waits until the newest task of that name is in a state.
func (t *Tester) Until(attempt, fullName, state string) Task {
	t.tb.Helper()
	task, err := t.WaitTask(t.ctx, attempt, fullName, func(x Task) bool { return x.State == state })
	if err != nil {
		t.tb.Fatal(err)
	}
	return task
}

// AwaitFile waits until a program has written a file, whole, and gives its text.
// The program makes it whole by renaming it.
func (t *Tester) AwaitFile(path string) (text string) {
	t.tb.Helper()
	err := poll(t.ctx, 5*time.Millisecond, func() (bool, error) {
		data, err := os.ReadFile(path)
		text = string(data)
		return err == nil, nil
	})
	if err != nil {
		t.tb.Fatalf("wait for %s: %v", path, err)
	}
	return text
}

// Result is an attempt with its tasks, by id.
type Result struct {
	Attempt
	Tasks []Task
	t     *Tester
}

// Task is the newest task of that full name.
func (r Result) Task(fullName string) Task {
	r.t.tb.Helper()
	for i := len(r.Tasks) - 1; i >= 0; i-- {
		if r.Tasks[i].FullName == fullName {
			return r.Tasks[i]
		}
	}
	r.t.tb.Fatalf("no task %s among %v", fullName, r.States())
	return Task{}
}

// States are the tasks in short: name and state, by id.
func (r Result) States() []string {
	var list []string
	for _, x := range r.Tasks {
		list = append(list, x.FullName+" "+x.State)
	}
	return list
}

// ownLine is a line of Digdag's own in a log. It follows at once on a text that
// did not end its line.
var ownLine = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} [-+]\d{4} \[[A-Z]+\] .*\n`)
})

// Output is what the tasks whose names start with prefix printed: their logs
// without Digdag's own lines, of which the further lines of a long message
// remain.
func (r Result) Output(prefix string) string {
	r.t.tb.Helper()
	log, err := r.t.Log(r.t.ctx, r.ID, prefix)
	if err != nil {
		r.t.tb.Fatal(err)
	}
	return ownLine().ReplaceAllString(log, "")
}
