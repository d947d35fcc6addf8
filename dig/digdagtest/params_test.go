package digdagtest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// environment prints the environment of a task, one name=value a line, each
// value with its newlines escaped.
const environment = `#!/bin/sh
exec awk 'BEGIN { for (k in ENVIRON) { v = ENVIRON[k]; gsub(/\n/, "\\n", v); print k "=" v } }' < /dev/null
`

// seen gives the environment that a task printed.
func seen(output string) map[string]string {
	env := map[string]string{}
	for line := range strings.Lines(output) {
		if k, v, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "="); ok {
			env[k] = v
		}
	}
	return env
}

func TestEnvironmentOfATask(t *testing.T) {
	s := onShared(t)
	project := s.Push(Files{"env.sh": environment, "w.dig": `
timezone: Asia/Tokyo
_export:
  text: a 'b' "c" $HOME \ ü 日本
  lines: "one\ntwo"
  number: 3
  real: 1.0
  yes_no: true
  list: [1, "x"]
  object: {k: {n: null}}
  bad-name: absent
  over: by the task
+a:
  over: from the task
  sh>: ./env.sh
  _env: {OWN: "42"}
`})
	a := s.Start(project, "w")
	r := s.Wait(a.ID)
	if !r.Success {
		t.Fatalf("%v: %s", r.States(), r.Task("+w+a").Error.Message)
	}
	got := seen(r.Output("+w+a"))
	local := a.SessionTime
	want := map[string]string{
		"text": `a 'b' "c" $HOME \ ü 日本`, "lines": `one\ntwo`, "number": "3", "real": "1.0", "yes_no": "true",
		"list": `[1,"x"]`, "object": `{"k":{"n":null}}`, "over": "from the task", "OWN": "42",
		"_type": "sh", "_command": "./env.sh", "_env": `{"OWN":"42"}`,
		"FROM_SERVER": "inherited", "LANG": "C.UTF-8",
		"timezone": "Asia/Tokyo", "task_name": "+w+a", "project_id": r.Project.ID, "attempt_id": r.ID,
		"session_id": r.SessionID, "session_uuid": r.SessionUUID,
		"session_time": local.Format("2006-01-02T15:04:05-07:00"), "session_date": local.Format("2006-01-02"),
		"session_date_compact": local.Format("20060102"), "session_local_time": local.Format("2006-01-02 15:04:05"),
		"session_tz_offset": "+0900", "session_unixtime": fmt.Sprint(local.Unix()),
		"last_executed_session_time": "", "last_executed_session_date": "", "last_executed_session_date_compact": "",
		"last_executed_session_local_time": "", "last_executed_session_tz_offset": "+0900", "last_executed_session_unixtime": "",
	}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s is %q, want %q", k, got[k], v)
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok && !slices.Contains([]string{"PATH", "HOME", "PWD", "OLDPWD", "SHLVL", "_", "AWKPATH", "AWKLIBPATH"}, k) {
			t.Errorf("%s=%s is too much", k, got[k])
		}
	}
}

func TestConfigIsReadByDigdagsOwnYAML(t *testing.T) {
	s := onShared(t)
	project := s.Push(Files{"w.dig": `
_export:
  a: 0.5
  b: 010
  c: 1.0
  d: yes
  e: 2020-01-01
  f: 10:00:00
  g:
  h: 1_000
  i: 1e3
  j: 0x1F
  k: "1"
  l: True
  m: TRUE
  n: -7
  o: +7
  p: 0b11
  q: '  '
  r: ~
  s: |
    lines
      of text
  t: >-
    folded
    text
  u: [a, 'b', {c: d}]
  v: .5
  w: on
  x: 1.5
  y: 00
  z: "tab\tand \u00e9"
  1: one
+task:
  echo>: "${a}: x" # comment
  k: {}
`})
	w, err := s.Workflow(s.Context(), project, "w")
	if err != nil {
		t.Fatal(err)
	}
	want := `{"_export":{"a":"0.5","b":8,"c":1.0,"d":"yes","e":"2020-01-01","f":"10:00:00","g":null,"h":1000,"i":1000.0,"j":31,` +
		`"k":"1","l":true,"m":"TRUE","n":-7,"o":7,"p":3,"q":"  ","r":null,"s":"lines\n  of text\n","t":"folded text",` +
		`"u":["a","b",{"c":"d"}],"v":0.5,"w":"on","x":1.5,"y":0,"z":"tab\tand é","1":"one"},` +
		`"+task":{"echo>":"${a}: x","k":{}}}`
	if string(w.Config) != want {
		t.Errorf("got\n%s\nwant\n%s", w.Config, want)
	}
}

func TestTemplates(t *testing.T) {
	r := onShared(t).Run(`
_export:
  n: 2
  text: it's "so"
  o: {list: [1, 2], k: {deep: yes}}
  chain: "<${text}>"
_parallel: true
+sum: {echo>: "${n + 1} ${o.list} ${o.k.deep} ${o}"}
+chained: {echo>: "${chain}"}
+dollars: {echo>: "$$ $HOME ${''}| open ${n"}
+null: {echo>: "[${null}][${undefined}][${false}]"}
+es5: {echo>: "${o.list.map(function(x){ return {v: x * 2}; })}"}
+choice: {echo>: "${n == 2 ? 'two' : 'other'}"}
+own: {mine: "${n}${n}", echo>: "${mine}"}
+later: {echo>: "${typeof after}", after: x}
+unixtime: {echo>: "${session_unixtime - session_unixtime} ${task_name}"}
`)
	for name, want := range map[string]string{
		"sum": `3 [1,2] yes {"list":[1,2],"k":{"deep":"yes"}}`, "chained": `<it's "so">`, "dollars": "$ $HOME | open ${n",
		"null": "[][][false]", "es5": `[{"v":2},{"v":4}]`, "choice": "two", "own": "22", "later": "undefined", "unixtime": "0 +w+unixtime",
	} {
		if got := strings.TrimSuffix(r.Output("+w+"+name), "\n"); got != want || r.Task("+w+"+name).State != "success" {
			t.Errorf("%s: got %q, want %q; %s", name, got, want, r.Task("+w+"+name).Error.Message)
		}
	}
}

func TestTemplatesThatFail(t *testing.T) {
	r := onShared(t).Run(`
_parallel: true
+unknown: {echo>: "${nope.a}"}
+home: {sh>: "echo ${HOME}"}
+arrow: {echo>: "${[1].map(x => x)}"}
+method: {echo>: "${[1,2].includes(1)}"}
+syntax: {echo>: "${throwit(}"}
+member: {echo>: "${timezone.a.b}"}
+let: {echo>: "${(function(){ let x = 1; return x })()}"}
+thrown: {echo>: "${(function(){ throw new Error('mine') })()}"}
`)
	for name, want := range map[string][]string{
		"unknown": {"Failed to evaluate a variable ${nope.a} (ReferenceError: nope is not defined) (config)"},
		"home":    {"ReferenceError: HOME is not defined) (config)"},
		"arrow":   {"(SyntaxError: ", "=>"},
		"method":  {"(TypeError: ", "includes", "(config)"},
		"syntax":  {"Failed to evaluate a variable ${throwit(} (SyntaxError: "},
		"member":  {"(TypeError: Cannot read property 'b' of undefined", "(config)"},
		"let":     {"(SyntaxError: "},
		"thrown":  {"(Error: mine) (config)"},
	} {
		x := r.Task("+w+" + name)
		for _, part := range want {
			if x.State != "error" || !strings.Contains(x.Error.Message, part) {
				t.Errorf("%s is %s: %q, want %q in it", name, x.State, x.Error.Message, part)
			}
		}
	}
}

func TestParametersOfAnAttempt(t *testing.T) {
	s := onShared(t)
	project := s.Push(Files{"w.dig": `
_export:
  exported: e
+a:
  echo>: ${given} ${exported} ${session_id == 'mine'}
`})
	w, err := s.Workflow(s.Context(), project, "w")
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.StartWorkflow(s.Context(), project, "w", map[string]any{"given": map[string]any{"x": 1.5}, "exported": "lost", "session_id": "mine"})
	if err != nil {
		t.Fatal(err)
	}
	r := s.Wait(a.ID)
	if got := r.Output("+w+a"); strings.TrimSpace(got) != `{"x":1.5} e false` {
		t.Errorf("printed %q", got)
	}
	if params, _ := json.Marshal(r.Params); string(params) != `{"exported":"lost","given":{"x":1.5},"session_id":"mine"}` || r.Workflow.ID != w.ID {
		t.Errorf("shown: %s of workflow %s", params, r.Workflow.ID)
	}
}

func TestNullInTheEnvironmentFails(t *testing.T) {
	r := onShared(t).Run("_export: {gone: null}\n+sh: {sh>: 'true'}\n")
	if x := r.Task("+w+sh"); x.Error.Message != "Parameter 'gone' is required but null (config)" {
		t.Errorf("%s: %s", x.State, x.Error.Message)
	}
}
