package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/conf"
)

// operate runs the operator of the job.
func (j *job) operate(operator string) (*conf.Object, *failure) {
	if j.config.Has("docker") {
		return nil, fail(configError("docker: is not in the double"))
	}
	switch operator {
	case "sh":
		return j.sh()
	case "py":
		return j.py()
	case "echo":
		message, f := j.text(j.config, "_command")
		if f != nil {
			return nil, f
		}
		fmt.Fprintln(j.engine.cfg.Output, message)
		j.log.write([]byte(message))
		return conf.New(), nil
	case "fail":
		message := ""
		if j.config.Get("_command") != nil {
			var f *failure
			if message, f = j.text(j.config, "_command"); f != nil {
				return nil, f
			}
		}
		return nil, &failure{message: message}
	case "notify":
		message, f := j.text(j.config, "_command")
		if f != nil {
			return nil, f
		}
		j.about.Message = message
		if err := j.engine.notify(j.about); err != nil {
			return nil, &failure{message: err.Error()}
		}
		return conf.New(), nil
	}
	return nil, fail(configError("the operator " + operator + "> is not in the double"))
}

func fail(f failure) *failure { return &f }

// text reads a parameter that must be a text, or a number or switch as one.
func (j *job) text(params *conf.Object, key string) (string, *failure) {
	switch v := params.Get(key).(type) {
	case nil:
		return "", fail(configError("Parameter '" + key + "' is required but not set"))
	case *conf.Object:
		return "", fail(configError("Expected string type for key '" + key + "' but got " + conf.Text(v) + " (object)"))
	case []any:
		return "", fail(configError("Expected string type for key '" + key + "' but got " + conf.Text(v) + " (array)"))
	default:
		return conf.String(v), nil
	}
}

// sh runs its text as a script, by /bin/sh or what shell: says.
func (j *job) sh() (*conf.Object, *failure) {
	params := j.config.Clone()
	params.MergeDefault(j.config.Object("sh"))
	w, f := j.newWorkdir("sh")
	if f != nil {
		return nil, f
	}
	argv := []string{"/bin/sh"}
	if params.Has("shell") {
		list, ok := params.Get("shell").([]any)
		if !ok {
			return nil, fail(configError(fmt.Sprintf("Expected array type for key 'shell' but got %s (string)", conf.Text(params.Get("shell")))))
		}
		argv = texts(list)
	}
	script, f := j.text(params, "_command")
	if f != nil {
		return nil, f
	}
	env := map[string]string{}
	for _, k := range params.Keys() {
		if !envName().MatchString(k) {
			continue
		}
		if params.Get(k) == nil {
			return nil, fail(configError("Parameter '" + k + "' is required but null"))
		}
		env[k] = conf.String(params.Get(k))
	}
	if f := j.addEnv(env); f != nil {
		return nil, f
	}
	if f := w.write("runner.sh", script); f != nil {
		return nil, f
	}
	code, f := j.command(append(argv, w.relative("runner.sh")), w.dir, env)
	if f == nil && code != 0 {
		f = fail(unexpected(fmt.Sprintf("Command failed with code %d", code)))
	}
	return conf.New(), f
}

// py hands its parameters to a program in a file and reads the results from
// another. The double runs no Python functions: python: must name a program.
func (j *job) py() (*conf.Object, *failure) {
	params := j.config.Clone()
	params.MergeDefault(j.config.Object("py"))
	w, f := j.newWorkdir("py")
	if f != nil {
		return nil, f
	}
	argv := []string{"python"}
	switch v := params.Get("python").(type) {
	case nil:
	case string:
		argv = []string{v}
	case []any:
		argv = texts(v)
	default:
		return nil, fail(configError("Invalid python: " + conf.Text(v)))
	}
	command, f := j.text(params, "_command")
	if f != nil {
		return nil, f
	}
	env := map[string]string{}
	for _, step := range []func() *failure{
		func() *failure { return w.write("input.json", conf.Text(conf.Of("params", params))) },
		func() *failure { return w.write("runner.py", runner) },
		func() *failure { return j.addEnv(env) },
	} {
		if f := step(); f != nil {
			return nil, f
		}
	}
	argv = append(argv, w.relative("runner.py"), command, w.relative("input.json"), w.relative("output.json"))
	code, f := j.command(argv, w.dir, env)
	if f != nil {
		return nil, f
	}
	return pyResult(code, filepath.Join(w.temp, "output.json"))
}

// runner is what stands where a real Digdag has the Python program that runs
// functions of the project.
const runner = `import sys
sys.exit("the double of Digdag runs no Python functions: name a program with python:")
`

func pyResult(code int, path string) (*conf.Object, *failure) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && code == 0 {
		return nil, fail(unexpected("output.json does not exist. Something unexpected error happened. Please check logs."))
	}
	out, parseErr := conf.ParseObject(data)
	if code == 0 {
		if parseErr != nil {
			return nil, fail(unexpected("com.fasterxml.jackson.core.JsonParseException: " + parseErr.Error()))
		}
		return out, nil
	}
	reason := fmt.Sprintf("Python command failed with code %d", code)
	if err != nil {
		return nil, fail(unexpected(reason))
	}
	if parseErr != nil {
		return nil, fail(unexpected("com.fasterxml.jackson.core.JsonParseException: " + parseErr.Error()))
	}
	reason += "\nError messages from python"
	problem := out.Object("error")
	if problem.Get("message") != nil {
		reason += ": " + conf.String(problem.Get("message"))
	}
	if problem.Get("class") != nil {
		reason += " (" + conf.String(problem.Get("class")) + ")"
	}
	if trace, _ := problem.Get("backtrace").([]any); len(trace) > 0 {
		reason += "\n\tfrom " + strings.Join(texts(trace), "\n\tfrom ")
	}
	return nil, fail(unexpected(reason))
}

// addEnv adds the _env of the task's own configuration.
func (j *job) addEnv(env map[string]string) *failure {
	if !j.local.Has("_env") {
		return nil
	}
	own := j.config.Object("_env")
	for _, k := range own.Keys() {
		if !envName().MatchString(k) {
			return fail(configError("Invalid _env key name: " + k))
		}
		env[k] = conf.String(own.Get(k))
	}
	return nil
}

var envName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-zA-Z_][a-zA-Z_0-9]*$`) })

func texts(list []any) []string {
	var out []string
	for _, v := range list {
		out = append(out, conf.String(v))
	}
	return out
}
