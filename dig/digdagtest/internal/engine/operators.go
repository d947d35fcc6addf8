package engine

import (
	"fmt"
	"regexp"
	"sync"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/conf"
)

// operate runs the operator of the job.
func (j *job) operate(operator string) (*conf.Object, *failure) {
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
	case "rb":
		return j.rb()
	case "loop":
		return j.loop()
	case "for_each":
		return j.forEach()
	case "if":
		return j.branch()
	case "call":
		return j.call()
	case "wait":
		return j.wait()
	case "require":
		return j.require()
	case "http":
		return j.http()
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
