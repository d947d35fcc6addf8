package engine

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/conf"
)

// The programs that run functions of a project, in the place of Digdag's own
// and with the same command line.
var (
	//go:embed runner.py
	pythonRunner string
	//go:embed runner.rb
	rubyRunner string
)

// language is what py> and rb> differ in.
type language struct {
	operator, option, program string // py, python, python
	runner, file              string
	failed                    string // how the error of a failed command starts
	fromProgram               string // what comes between that and the program's own words
}

func (j *job) py() (*conf.Object, *failure) {
	return j.script(language{
		operator: "py", option: "python", program: "python", runner: pythonRunner, file: "runner.py",
		failed: "Python command failed with code %d", fromProgram: "\nError messages from python",
	})
}

func (j *job) rb() (*conf.Object, *failure) {
	return j.script(language{
		operator: "rb", option: "ruby", program: "ruby", runner: rubyRunner, file: "runner.rb", failed: "Ruby command failed with code %d",
	})
}

// script hands the parameters of a task to a program in a file and reads its
// results from another.
func (j *job) script(l language) (*conf.Object, *failure) {
	params := j.config.Clone()
	params.MergeDefault(j.config.Object(l.operator))
	w, f := j.newWorkdir(l.operator)
	if f != nil {
		return nil, f
	}
	argv := []string{l.program}
	switch v := params.Get(l.option).(type) {
	case nil:
	case string:
		argv = []string{v}
	case []any:
		argv = texts(v)
	default:
		return nil, fail(configError("Invalid " + l.option + ": " + conf.Text(v)))
	}
	if l.operator == "rb" {
		argv = append(argv, "-I", w.dir)
		if params.Has("require") {
			argv = append(argv, "-r", conf.String(params.Get("require")))
		}
		argv = append(argv, "--")
	}
	command, f := j.text(params, "_command")
	if f != nil {
		return nil, f
	}
	env := map[string]string{}
	for _, step := range []func() *failure{
		func() *failure { return w.write("input.json", conf.Text(conf.Of("params", params))) },
		func() *failure { return w.write(l.file, l.runner) },
		func() *failure { return j.addEnv(env) },
	} {
		if f := step(); f != nil {
			return nil, f
		}
	}
	argv = append(argv, w.relative(l.file), command, w.relative("input.json"), w.relative("output.json"))
	code, f := j.command(argv, w.dir, env)
	if f != nil {
		return nil, f
	}
	return l.result(code, filepath.Join(w.temp, "output.json"))
}

func (l language) result(code int, path string) (*conf.Object, *failure) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && l.operator == "rb" {
		return nil, fail(unexpected("java.nio.file.NoSuchFileException: " + path))
	}
	if errors.Is(err, fs.ErrNotExist) && code == 0 {
		return nil, fail(unexpected("output.json does not exist. Something unexpected error happened. Please check logs."))
	}
	reason := fmt.Sprintf(l.failed, code)
	if err != nil {
		return nil, fail(unexpected(reason))
	}
	out, err := conf.ParseObject(data)
	switch {
	case err != nil:
		return nil, fail(unexpected("com.fasterxml.jackson.core.JsonParseException: " + err.Error()))
	case code == 0:
		return out, nil
	}
	reason += l.fromProgram
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
