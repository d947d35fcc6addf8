package e2e

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestDigdagOutcomes(t *testing.T) {
	r := onDigdag(t).run("outcomes", nil)
	for name, c := range map[string]struct {
		code  string // of the command; "" is success
		lines []string
	}{
		"ok":           {"", []string{"before\n", "\n{\"message\":\"Hello, you!\"}\n{\"message\":\"Hello, you!\"}\n", "out.json"}},
		"unchanged":    {"", []string{"{\"attempt\":1,"}},
		"skip":         {"", []string{"nothing new", "\n{}\n"}},
		"fail":         {"1", []string{"failed: no such luck"}},
		"permanent":    {"3", []string{"because"}},
		"usage":        {"2", []string{"--nmae", "--name"}},
		"crash":        {"5", []string{"exit status 7"}},
		"timeout":      {"124", []string{"ran into its timeout of 1s"}},
		"exec":         {"7", []string{"out\nerr\n"}},
		"exec_timeout": {"124", []string{"ran into its timeout of 1s"}},
		"missing":      {"127", []string{"no-such-command: not found"}},
	} {
		x, want := r.Task("+outcomes+"+name), ""
		if c.code != "" {
			want = "Command failed with code " + c.code + " (runtime)"
		}
		if x.Error.Message != want || (x.State == "success") != (c.code == "") {
			t.Errorf("%s is %s: %q, want %q", name, x.State, x.Error.Message, want)
		}
		out := r.Output("+outcomes+" + name)
		for _, line := range c.lines {
			if !strings.Contains(out, line) {
				t.Errorf("%s lacks %q:\n%s", name, line, out)
			}
		}
	}
}

// TestDigdagCaller: Digdag's variables tell who called, the address of its pages
// is told by ours.
func TestDigdagCaller(t *testing.T) {
	d := onDigdag(t)
	a := d.start("caller", map[string]any{"endpoint": d.URL})
	r := d.Wait(a.ID)
	for _, name := range []string{"run", "nested"} {
		var got struct {
			Engine, Project, Workflow, Task, Link string
			LogicalTime                           time.Time `json:"logical_time"`
		}
		lastLine(t, r.Output("+caller+"+name), &got)
		if got.Engine != "digdag" || got.Project != a.Project.ID || got.Workflow != "caller" || got.Task != "+caller+"+name ||
			got.Link != d.URL+"/attempts/"+a.ID || !got.LogicalTime.Equal(a.SessionTime) {
			t.Errorf("%s: %+v\nof %+v", name, got, a)
		}
	}
}

// TestDigdagValues sends text that shells, templates, YAML and JSON each read in
// their own way.
func TestDigdagValues(t *testing.T) {
	const text = "it's \"quoted\" $HOME `id` $(id) \\n {{ x }} %s $$\n\tsecond line; ünïcödé 漢字 🎉 & <tag> | * ?"
	sent := strings.ReplaceAll(text, "$$", "$$$$") // Digdag reads $$ as one $, in parameters too
	r := onDigdag(t).run("values", map[string]any{"text": sent, "params": map[string]any{"text": sent, "tags": []string{sent, "a,b"}}})
	if !r.Success {
		t.Fatalf("%v", r.States())
	}
	for _, name := range []string{"flag", "file", "stdin"} {
		var got map[string]any
		lastLine(t, r.Output("+values+"+name), &got)
		if got["text"] != text {
			t.Errorf("%s: the component got\n%q, want\n%q", name, got["text"], text)
		}
		if want := []any{text, "a,b"}; name != "flag" && !reflect.DeepEqual(got["tags"], want) {
			t.Errorf("%s: tags %q, want %q", name, got["tags"], want)
		}
	}
	for _, name := range []string{"exec", "sh"} {
		if got := r.Output("+values+" + name); got != text {
			t.Errorf("%s: the command got\n%q, want\n%q", name, got, text)
		}
	}
}

// lastLine reads the last line that a task printed, its outputs, into to.
func lastLine(t *testing.T, out string, to any) {
	t.Helper()
	out = strings.TrimSuffix(out, "\n")
	if err := json.Unmarshal([]byte(out[strings.LastIndexByte(out, '\n')+1:]), to); err != nil {
		t.Errorf("the last line is no JSON: %v\n%s", err, out)
	}
}
