package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/conf"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/dig"
)

// maxTasks is how many tasks one attempt may have.
const maxTasks = 1000

// subtasks is the result of an operator that only generates tasks.
func subtasks(config *conf.Object) *conf.Object { return conf.Of("subtask_config", config) }

// nested reads a parameter that must be an object.
func (j *job) nested(key string) (*conf.Object, *failure) {
	switch v := j.config.Get(key).(type) {
	case *conf.Object:
		return v, nil
	case nil:
		return nil, fail(configError("Parameter '" + key + "' is required but not set"))
	}
	return nil, fail(configError("Parameter '" + key + "' must be an object"))
}

// loop runs its _do so many times, with ${i}.
func (j *job) loop() (*conf.Object, *failure) {
	do, f := j.nested("_do")
	if f != nil {
		return nil, f
	}
	value := j.config.Get("_command")
	if j.config.Has("count") {
		value = j.config.Get("count")
	}
	count, err := conf.Int(value)
	if err != nil {
		return nil, fail(configError("Expected integer (int) type for key '_command' but got " + conf.Text(value)))
	}
	if count > maxTasks {
		return nil, fail(configError(fmt.Sprintf("Too many loop subtasks. Limit: %d", maxTasks)))
	}
	generated := conf.New()
	for i := range count {
		generated.Set(fmt.Sprintf("+loop-%d", i), with(do, conf.Of("i", json.Number(strconv.Itoa(i)))))
	}
	return j.maybeParallel(generated)
}

// with is the configuration of a task with further exports.
func with(do, exports *conf.Object) *conf.Object {
	task := do.Clone()
	all := task.Object("_export").Clone()
	for _, k := range exports.Keys() {
		all.Set(k, exports.Get(k))
	}
	task.Set("_export", all)
	return task
}

// maybeParallel hands the _parallel of a loop to what it generated.
func (j *job) maybeParallel(generated *conf.Object) (*conf.Object, *failure) {
	switch v := j.config.Get("_parallel").(type) {
	case *conf.Object:
		generated.Set("_parallel", v)
	default:
		parallel, err := conf.Bool(v)
		if err != nil {
			return nil, fail(configError("Invalid _parallel format: " + conf.Text(v)))
		}
		if parallel {
			generated.Set("_parallel", v)
		}
	}
	return subtasks(generated), nil
}

// variable is one key of a for_each> with one of its values.
type variable struct {
	name  string
	value any
	tag   string // in the name of the task
}

// forEach runs its _do for every combination of the values of its keys. Keys
// and lists may be JSON texts, since templates make texts.
func (j *job) forEach() (*conf.Object, *failure) {
	do, f := j.nested("_do")
	if f != nil {
		return nil, f
	}
	command, ok := parsed(j.config.Get("_command")).(*conf.Object)
	if !ok {
		return nil, fail(configError("Parameter '_command' must be an object"))
	}
	combinations := [][]variable{nil}
	for k, key := range command.Keys() {
		values, ok := parsed(command.Get(key)).([]any)
		if !ok {
			return nil, fail(configError(fmt.Sprintf("Expected array type for key '%s' but got %s", key, conf.Text(command.Get(key)))))
		}
		if len(combinations)*len(values) > maxTasks {
			return nil, fail(configError(fmt.Sprintf("Too many for_each subtasks. Limit: %d", maxTasks)))
		}
		var longer [][]variable
		for _, c := range combinations {
			for n, v := range values {
				tag := fmt.Sprintf("%d=%s=%d=%s", k, nameTag(key), n, nameTag(conf.String(v)))
				longer = append(longer, append(c[:len(c):len(c)], variable{key, v, tag}))
			}
		}
		combinations = longer
	}
	generated := conf.New()
	for _, c := range combinations {
		exports, tags := conf.New(), []string{}
		for _, v := range c {
			exports.Set(v.name, v.value)
			tags = append(tags, v.tag)
		}
		generated.Set("+for-"+strings.Join(tags, "&"), with(do, exports))
	}
	return j.maybeParallel(generated)
}

// parsed reads a text as JSON and leaves everything else.
func parsed(v any) any {
	if text, ok := v.(string); ok {
		if read, err := conf.Parse([]byte(text)); err == nil {
			return read
		}
	}
	return v
}

// nameTag is the start of a text, escaped as Java does for addresses.
func nameTag(text string) string {
	if units := utf16.Encode([]rune(text)); len(units) > 8 {
		text = string(utf16.Decode(units[:8]))
	}
	return strings.NewReplacer("+", "%20", "~", "%7E", "%2A", "*").Replace(url.QueryEscape(text))
}

// branch generates _do or _else_do.
func (j *job) branch() (*conf.Object, *failure) {
	condition, err := conf.Bool(j.config.Get("_command"))
	if err != nil || j.config.Get("_command") == nil {
		return nil, fail(configError("Expected boolean type for key '_command' but got " + conf.Text(j.config.Get("_command"))))
	}
	do, otherwise := j.config.Object("_do"), j.config.Object("_else_do")
	switch {
	case do.Len() == 0 && otherwise.Len() == 0:
		return nil, fail(configError("Both _do and _else_do are not specified."))
	case condition:
		return subtasks(do), nil
	}
	return subtasks(otherwise), nil
}

// call generates the tasks of another workflow of the project. One in a folder
// works there.
func (j *job) call() (*conf.Object, *failure) {
	name, f := j.text(j.config, "_command")
	if f != nil {
		return nil, f
	}
	if !strings.HasSuffix(name, ".dig") {
		name += ".dig"
	}
	file := filepath.Join(j.workspace, conf.String(orEmpty(j.config.Get("_workdir"))), name)
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fail(configError("File not found: " + file))
	}
	if err != nil {
		return nil, fail(configError("Failed to read file: " + name + ": " + err.Error()))
	}
	relative, err := filepath.Rel(j.workspace, file)
	if err != nil {
		return nil, fail(unexpected(err.Error()))
	}
	d, err := dig.Load(strings.TrimSuffix(filepath.ToSlash(relative), ".dig"), text)
	if err != nil {
		return nil, fail(configError(err.Error()))
	}
	if folder := path.Dir(d.Name); folder != "." {
		d.Config.Set("_export", d.Config.Object("_export"))
		if export := d.Config.Object("_export"); !export.Has("_workdir") {
			export.Set("_workdir", folder)
		}
	}
	return subtasks(d.Config), nil
}

func orEmpty(v any) any {
	if v == nil {
		return ""
	}
	return v
}
