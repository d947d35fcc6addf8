package digdagtest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
)

// printed compares what tasks printed.
func printed(t *testing.T, r Result, want map[string]string) {
	t.Helper()
	for name, text := range want {
		if got := strings.TrimSpace(r.Output(name)); got != text {
			t.Errorf("%s printed %q, want %q", name, got, text)
		}
	}
}

// failed compares how tasks failed.
func failed(t *testing.T, r Result, want map[string]string) {
	t.Helper()
	for name, message := range want {
		if x := r.Task("+w+" + name); x.State != "error" || !regexp.MustCompile(message).MatchString(x.Error.Message) {
			t.Errorf("%s is %s: %q, want %s", name, x.State, x.Error.Message, message)
		}
	}
}

func TestLoops(t *testing.T) {
	r := onShared(t).Run(`
_export: {list: [x, "y z"], n: 2}
+l:
  loop>: ${n}
  _do:
    sh>: echo ${i} $i $j
    _export: {j: k}
+f:
  for_each>: {fruit: [apple, "süße/Kirsche", 3], color: "${list}"}
  _parallel: true
  _do: {echo>: "${fruit} ${color}"}
+limited:
  for_each>: {a: [1, 2, 3]}
  _parallel: {limit: 2}
  _do:
    +one: {echo>: "${a}"}
+none:
  loop>: 0
  _do: {echo>: never}
`)
	expect(t, r, "success", "+w success", "+w+l success", "+w+f success", "+w+limited success", "+w+none success",
		"+w+l^sub success", "+w+l^sub+loop-0 success", "+w+l^sub+loop-1 success", "+w+f^sub success",
		"+w+f^sub+for-0=fruit=0=apple&1=color=0=x success", "+w+f^sub+for-0=fruit=0=apple&1=color=1=y%20z success",
		"+w+f^sub+for-0=fruit=1=s%C3%BC%C3%9Fe%2FKir&1=color=0=x success", "+w+f^sub+for-0=fruit=1=s%C3%BC%C3%9Fe%2FKir&1=color=1=y%20z success",
		"+w+f^sub+for-0=fruit=2=3&1=color=0=x success", "+w+f^sub+for-0=fruit=2=3&1=color=1=y%20z success",
		"+w+limited^sub success", "+w+limited^sub+for-0=a=0=1 success", "+w+limited^sub+for-0=a=0=1+one success",
		"+w+limited^sub+for-0=a=1=2 success", "+w+limited^sub+for-0=a=1=2+one success", "+w+limited^sub+for-0=a=2=3 success",
		"+w+limited^sub+for-0=a=2=3+one success")
	printed(t, r, map[string]string{
		"+w+l^sub+loop-1": "1 1 k", "+w+f^sub+for-0=fruit=1=s%C3%BC%C3%9Fe%2FKir&1=color=1=y%20z": "süße/Kirsche y z", "+w+limited^sub+for-0=a=2=3": "3",
	})
	l, third := r.Task("+w+l"), r.Task("+w+limited^sub+for-0=a=2=3")
	if l.IsGroup || l.StartedAt == nil || len(third.Upstreams) != 2 || third.ExportParams["a"] != 3.0 {
		t.Errorf("%+v\n%+v", l, third)
	}
}

func TestBranches(t *testing.T) {
	s := onShared(t)
	r := s.Run(`
+yes: {if>: "${1 < 2}", _do: {+a: {echo>: "${session_id}"}}}
+no: {if>: false, _do: {echo>: never}, _else_do: {echo>: otherwise}}
+neither: {if>: false, _do: {echo>: never}}
`)
	expect(t, r, "success", "+w success", "+w+yes success", "+w+no success", "+w+neither success",
		"+w+yes^sub success", "+w+yes^sub+a success", "+w+no^sub success")
	printed(t, r, map[string]string{"+w+yes^sub+a": r.SessionID, "+w+no^sub": "otherwise"})
	r = s.Run(`
_parallel: true
+if: {if>: true}
+what: {if>: perhaps, _do: {echo>: a}}
+loop: {loop>: many, _do: {echo>: a}}
+nothing: {loop>: 2}
+much: {loop>: 1001, _do: {echo>: a}}
+each: {for_each>: {a: 3}, _do: {echo>: a}}
`)
	failed(t, r, map[string]string{
		"if": `^Both _do and _else_do are not specified. \(config\)$`, "what": `\(config\)$`, "loop": `\(config\)$`,
		"nothing": `^Parameter '_do' is required but not set \(config\)$`, "much": `^Too many loop subtasks. Limit: 1000 \(config\)$`,
		"each": `a.*\(config\)$`,
	})
}

func TestCalledWorkflows(t *testing.T) {
	s := onShared(t)
	project := s.Push(Files{
		"w.dig":          "_export: {k: outer}\n+a: {call>: other}\n+b: {call>: lib/deep.dig}\n",
		"other.dig":      "timezone: Asia/Tokyo\n_export: {k: inner}\n+x: {echo>: '${k} ${timezone}'}\n",
		"lib/deep.dig":   "+y: {sh>: 'cat here; pwd'}\n",
		"lib/here":       "found\n",
		"broken.dig":     "_parallel: true\n+none: {call>: nosuch}\n+bad: {call>: lib/bad}\n",
		"lib/bad.dig":    "+z: {nosuch: 1}\n",
		"_disabled/none": "",
	})
	r := s.Wait(s.Start(project, "w").ID)
	expect(t, r, "success", "+w success", "+w+a success", "+w+b success", "+w+a^sub success", "+w+a^sub+x success", "+w+b^sub success", "+w+b^sub+y success")
	if got := r.Output("+w+a^sub+x"); got != "inner UTC" {
		t.Errorf("printed %q", got)
	}
	if got := r.Output("+w+b^sub+y"); !regexp.MustCompile(`^found\n/.*/lib\n$`).MatchString(got) {
		t.Errorf("printed %q", got)
	}
	r = s.Wait(s.Start(project, "broken").ID)
	for name, want := range map[string]string{"none": `^File not found: /.*/nosuch.dig \(config\)$`, "bad": `nosuch`} {
		if x := r.Task("+broken+" + name); x.State != "error" || !regexp.MustCompile(want).MatchString(x.Error.Message) {
			t.Errorf("%s is %s: %q", name, x.State, x.Error.Message)
		}
	}
}

func TestWaiting(t *testing.T) {
	s := onShared(t)
	a := s.Start(s.Push(Files{"w.dig": "+a: {wait>: 2s}\n+b: {echo>: b}\n"}), "w")
	x := s.Until(a.ID, "+w+a", "retry_waiting")
	if x.StateParams["wait_start_time_millis"] == nil || x.RetryAt == nil || x.StartedAt == nil {
		t.Errorf("%+v", x)
	}
	expect(t, s.Wait(a.ID), "success", "+w success", "+w+a success", "+w+b success")
	r := s.Run("_parallel: true\n+a: {wait>: soon}\n+b: {wait>: 1s, blocking: true, poll_interval: 1s}\n")
	failed(t, r, map[string]string{"a": `^Invalid configuration \(config\)$`, "b": `^poll_interval can't be specified with blocking:true \(config\)$`})
}

func TestRequiredWorkflows(t *testing.T) {
	s, dir := onShared(t), t.TempDir()
	command, release := waiting(dir)
	other := s.For(t) // a project of its own
	otherProject := other.Push(Files{"far.dig": fmt.Sprintf("+a: {sh>: '%s'}\n+b: {echo>: '${given}'}\n", command), "bad.dig": "+a: {fail>: no}\n"})
	project := s.Push(Files{
		"w.dig":    fmt.Sprintf("+r:\n  require>: far\n  project_name: %s\n  params: {given: on}\n", otherProject),
		"own.dig":  "+r: {require>: near, session_time: '2026-01-02T03:04:05+09:00'}\n+s: {require>: near, session_time: '2026-01-02T03:04:05+09:00', rerun_on: all}\n",
		"near.dig": "+a: {echo>: near}\n",
		"f.dig": fmt.Sprintf(`
_parallel: true
_export: {session_time: "x"}
+bad: {require>: bad, project_name: %[1]s}
+none: {require>: nosuch}
+project: {require>: near, project_name: nosuch}
+both: {require>: near, project_name: %[1]s, project_id: 1}
+rerun: {require>: near, rerun_on: sometimes}
`, otherProject),
		"i.dig": fmt.Sprintf("+r: {require>: bad, project_name: %s, ignore_failure: true}\n", otherProject),
	})
	a := s.Start(project, "w")
	s.AwaitFile(dir + "/started")
	x := s.Until(a.ID, "+w+r", "retry_waiting")
	if x.StateParams["require_kicked"] != true || x.StateParams["retry"] == nil || len(x.StateParams) != 2 {
		t.Errorf("%v", x.StateParams)
	}
	release(t)
	expect(t, s.Wait(a.ID), "success", "+w success", "+w+r success")
	var page struct{ Attempts []Attempt }
	if err := s.Get(s.Context(), "/api/attempts?workflow=far&project="+otherProject, &page); err != nil || len(page.Attempts) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	far := s.Result(page.Attempts[0])
	if !far.SessionTime.Equal(a.SessionTime) || far.RetryAttemptName != nil || far.Params["given"] != "on" {
		t.Errorf("%+v", far.Attempt)
	}
	expect(t, s.Wait(s.Start(project, "own").ID), "success", "+own success", "+own+r success", "+own+s success")
	if err := s.Get(s.Context(), "/api/attempts?include_retried=true&workflow=near&project="+project, &page); err != nil || len(page.Attempts) != 2 || page.Attempts[0].RetryAttemptName == nil {
		t.Errorf("%+v, %v", page, err)
	}
	r := s.Wait(s.Start(project, "f").ID)
	for name, want := range map[string]string{
		"bad": `^Dependent workflow failed. Session id: \d+, attempt id: \d+$`, "none": `^Dependent workflow does not exist\. .*workflowName:nosuch$`,
		"project": `^Dependent workflow does not exist\. `, "both": `^Both project_id and project_name can't be set \(config\)$`, "rerun": `^invalid rerun_on option:sometimes \(config\)$`,
	} {
		if x := r.Task("+f+" + name); x.State != "error" || !regexp.MustCompile(want).MatchString(x.Error.Message) {
			t.Errorf("%s is %s: %q", name, x.State, x.Error.Message)
		}
	}
	if i := s.Wait(s.Start(project, "i").ID); !i.Success {
		t.Errorf("%v", i.States())
	}
}

func TestRequests(t *testing.T) {
	var calls atomic.Int32
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		switch r.URL.Path {
		case "/echo":
			fmt.Fprintf(w, "%s %s %s %s %s", r.Method, r.URL.RawQuery, r.Header.Get("Content-Type"), r.Header.Get("X-A"), body)
		case "/once":
			if calls.Add(1) == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		case "/missing":
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, "no such thing")
		default:
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer web.Close()
	s := onShared(t)
	r := s.Run(strings.ReplaceAll(`
+get: {http>: "URL/echo", query: {a: "b c"}, headers: [{X-A: x}], store_content: true}
+got: {echo>: "${http.last_status} ${http.last_content}"}
+post: {http>: "URL/echo", method: POST, content: {text: "ü ${1+1}"}, store_content: true}
+posted: {echo>: "${http.last_content}"}
+put: {http>: "URL/echo", method: put, content: plain, store_content: true}
+puted: {echo>: "${http.last_content}"}
+form: {http>: "URL/echo", method: post, content: {a: b c}, content_format: form, store_content: true}
+formed: {echo>: "${http.last_content}"}
+again: {http>: "URL/once"}
`, "URL", web.URL))
	if !r.Success {
		t.Fatalf("%v", r.States())
	}
	printed(t, r, map[string]string{
		"+w+got": "200 GET a=b+c  x", "+w+posted": `POST  application/json  {"text":"ü 2"}`, "+w+puted": "PUT  plain/text  plain",
		"+w+formed": "POST  application/x-www-form-urlencoded  a=b+c",
	})
	if n := calls.Load(); n != 2 {
		t.Errorf("asked %d times", n)
	}
	r = s.Run(strings.ReplaceAll(`
_parallel: true
+missing: {http>: "URL/missing"}
+broken: {http>: "URL/broken", method: POST}
+format: {http>: "URL/echo", method: POST, content: [1], content_format: form}
+refused: {http>: "http://127.0.0.1:1/", method: POST}
`, "URL", web.URL))
	failed(t, r, map[string]string{
		"missing": `^HTTP 4XX Client Error: GET ` + web.URL + `/missing - 404 Not Found: no such thing$`,
		"broken":  `^HTTP 5XX Server Error: POST ` + web.URL + `/broken - 500 Server Error: $`,
		"format":  `\(config\)$`, "refused": `onnect`,
	})
}
