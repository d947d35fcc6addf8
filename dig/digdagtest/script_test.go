package digdagtest

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// interpreter finds a real one: what is under test is a project's functions.
func interpreter(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPythonFunctions(t *testing.T) {
	s := onShared(t)
	project := s.Push(Files{
		"w.dig": fmt.Sprintf(`
_export: {py: {python: ["%s", "-B"]}, who: world}
+f: {py>: tasks.greet, times: 2}
+got: {echo>: "${greeting} ${nested.n}"}
+c: {py>: pack.mod.Job.work, name: n}
+made: {echo>: "${made}"}
+run: {py>: pack.mod.Job, name: r}
+sub: {py>: tasks.plan}
+all: {py>: tasks.everything}
`, interpreter(t, "python3")),
		"tasks.py": `import digdag
def greet(who, times=1, other="o"):
    print("hello", who)
    digdag.env.store({"greeting": who * times + other}, nested={"n": 1})
def part(number):
    print("part", number)
def plan():
    digdag.env.add_subtask(part, number=7)
    digdag.env.add_subtask({"echo>": "given"})
def everything(**params):
    print(params["who"], params["task_name"])
def bad(nosuch):
    pass
def wrong():
    raise ValueError("it is wrong")
`,
		"pack/__init__.py": "",
		"pack/mod.py": `import digdag
class Job:
    def __init__(self, name):
        self.name = name
    def work(self, who):
        digdag.env.store(made=self.name + who)
    def run(self):
        print("ran", self.name)
`,
		"f.dig": fmt.Sprintf(`
_parallel: true
_export: {py: {python: "%s"}}
+lacks: {py>: tasks.bad}
+wrong: {py>: tasks.wrong}
+none: {py>: tasks.nosuch}
`, interpreter(t, "python3")),
	})
	r := s.Wait(s.Start(project, "w").ID)
	if !r.Success {
		t.Fatalf("%v\n%s", r.States(), r.Output("+w"))
	}
	printed(t, r, map[string]string{
		"+w+f": "hello world", "+w+got": "worldworldo 1", "+w+made": "nworld", "+w+run": "ran r", "+w+sub^sub+subtask0": "part 7",
		"+w+sub^sub+subtask1": "given", "+w+all": "world +w+all",
	})
	f := s.Wait(s.Start(project, "f").ID)
	for name, want := range map[string]string{
		"lacks": `^Python command failed with code 1\nError messages from python: Method 'bad' requires parameter 'nosuch' but not set \(TypeError\)\n\tfrom Traceback `,
		"wrong": `^Python command failed with code 1\nError messages from python: it is wrong \(ValueError\)\n\tfrom (?s:.*) \(runtime\)$`,
		"none":  `: Module 'tasks' has no attribute 'nosuch' \(AttributeError\)`,
	} {
		if x := f.Task("+f+" + name); x.State != "error" || !regexp.MustCompile(want).MatchString(x.Error.Message) {
			t.Errorf("%s is %s: %q", name, x.State, x.Error.Message)
		}
	}
}

func TestWhatARubyProgramGetsAndGives(t *testing.T) {
	s, dir := onShared(t), t.TempDir()
	// $1 is rb; the last three are the command, the input and the output.
	p := program(t, `for a in "$@"; do echo "arg $a"; done
while [ $# -gt 3 ]; do shift; done
cp "$2" `+dir+`/input; echo '{"store_params":{"answer":42}}' > "$3"
`)
	r := s.Run(fmt.Sprintf("_export: {rb: {ruby: [%s, rb]}}\n+a: {rb>: My.job, require: lib/x}\n+b: {echo>: '${answer}'}\n", p))
	if !r.Success {
		t.Fatalf("%v: %s", r.States(), r.Task("+w+a").Error.Message)
	}
	folder := `\.digdag/tmp/digdag-rb-` + r.Task("+w+a").ID + `-\d+/`
	want := "^arg rb\narg -I\narg /.*/workspace/.*\narg -r\narg lib/x\narg --\narg " + folder + "runner.rb\narg My.job\narg " + folder + "input.json\narg " + folder + "output.json\n$"
	if got := r.Output("+w+a"); !regexp.MustCompile(want).MatchString(got) {
		t.Errorf("printed %q", got)
	}
	if input := must(t)(readFile(filepath.Join(dir, "input"))); !strings.HasPrefix(input, `{"params":{`) || !strings.Contains(input, `"rb>":"My.job"`) {
		t.Errorf("input %s", input)
	}
	printed(t, r, map[string]string{"+w+b": "42"})
	fails := program(t, `while [ $# -gt 3 ]; do shift; done
echo '{"error":{"class":"C","message":"m","backtrace":["l1","l2"]}}' > "$3"; exit 7`)
	plain, silent := program(t, `exit 7`), program(t, `exit 0`)
	r = s.Run(fmt.Sprintf("_parallel: true\n+fails: {rb>: x, ruby: [%s]}\n+plain: {rb>: x, ruby: %s}\n+silent: {rb>: x, ruby: %s}\n", fails, plain, silent))
	failed(t, r, map[string]string{
		"fails": "^Ruby command failed with code 7: m \\(C\\)\n\tfrom l1\n\tfrom l2 \\(runtime\\)$",
		"plain": `^java.nio.file.NoSuchFileException: /.*output.json \(runtime\)$`, "silent": `^java.nio.file.NoSuchFileException: /.*output.json \(runtime\)$`,
	})
}

func TestRubyMethods(t *testing.T) {
	s := onShared(t)
	project := s.Push(Files{
		"w.dig": fmt.Sprintf(`
_export: {rb: {ruby: "%s", require: tasks}, who: world}
+f: {rb>: greet}
+got: {echo>: "${greeting}"}
+c: {rb>: Jobs::Job.work, times: 2}
+s: {rb>: Jobs::Job.plan}
`, interpreter(t, "ruby")),
		"tasks.rb": `def greet(who, other = "o")
  puts "hello #{who}"
  Digdag.env.store(greeting: who + other)
end
module Jobs
  class Job
    def work(times)
      puts "worked #{times}"
    end
    def self.plan
      Digdag.env.add_subtask("echo>": "given")
    end
  end
end
`,
	})
	r := s.Wait(s.Start(project, "w").ID)
	if !r.Success {
		t.Fatalf("%v\n%s", r.States(), r.Output("+w"))
	}
	printed(t, r, map[string]string{"+w+f": "hello world", "+w+got": "worldo", "+w+c": "worked 2", "+w+s^sub+subtask0": "given"})
}

// A stub stands for docker: what is under test is how it is called.
func TestTasksInDocker(t *testing.T) {
	s := onShared(t)
	stub := program(t, `for a in "$@"; do echo "arg $a"; done; pwd; cat "$(eval echo \${$#})"; echo "own $attempt_id."`)
	r := s.Run(fmt.Sprintf(`
+a:
  sh>: echo in docker
  shell: [wrapper, sh]
  docker: {image: "ubuntu:22.04", docker: %s, run_options: [-v, "/x:/x"]}
  _env: {OWN: o}
+b: {sh>: echo, docker: {docker: %s}}
`, stub, stub))
	got := r.Output("+w+a")
	for _, want := range []string{
		"^arg run\narg -v\narg /x:/x\narg --rm\narg -v\narg (/.*):(/.*):rw\narg -w\narg /.*/workspace/", "\narg -e\narg OWN=o\n", "\narg -e\narg attempt_id=" + r.ID + "\n",
		"\narg ubuntu:22.04\narg wrapper\narg sh\narg \\.digdag/tmp/digdag-sh-.*/runner.sh\n/.*/workspace/.*\necho in dockerown \\.\n$",
	} {
		if !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("printed %q\nwant %s", got, want)
		}
	}
	failed(t, r, map[string]string{"b": `^Parameter 'image' is required but not set \(config\)$`})
}
