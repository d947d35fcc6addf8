package dig

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/conf"
)

// Task is one task of a compiled workflow. Parent and Upstreams are places in
// the list that Compile returned; the first task is the root, with Parent -1.
type Task struct {
	FullName  string
	Parent    int
	Upstreams []int
	Group     bool
	Config    *conf.Object
}

// Compile makes the list of tasks of a workflow, or of what a task generates.
// name starts with + for what the author wrote, with ^ for what Digdag adds.
func Compile(parentFullName, name string, config *conf.Object) ([]Task, error) {
	var c compiler
	if _, err := c.collect(-1, parentFullName, name, config); err != nil {
		return nil, err
	}
	return c.tasks, nil
}

type compiler struct{ tasks []Task }

func (c *compiler) add(parent int, fullName string, group bool, config *conf.Object) int {
	c.tasks = append(c.tasks, Task{FullName: fullName, Parent: parent, Group: group, Config: config})
	return len(c.tasks) - 1
}

func (c *compiler) collect(parent int, parentFullName, name string, original *conf.Object) (int, error) {
	fullName := parentFullName + name
	config, children := conf.New(), []string{}
	for _, k := range original.Keys() {
		if strings.HasPrefix(k, "+") {
			children = append(children, k)
		} else {
			config.Set(k, original.Get(k))
		}
	}
	config = config.Clone()

	disabled, err := conf.Bool(config.Get("_disable"))
	if err != nil {
		return 0, fmt.Errorf("%s: _disable: %w", fullName, err)
	}
	if disabled {
		return c.add(parent, fullName, true, conf.Of("_disable", true)), nil
	}
	if err := refuse(fullName, config); err != nil {
		return 0, err
	}
	operators := Operators(config)
	if config.Has("_type") || len(operators) > 0 {
		switch {
		case len(children) > 0:
			return 0, say("A task can't have subtasks: %s", conf.Text(config))
		case len(operators) > 1:
			return 0, say("A task can't have more than one operator: %s", conf.Text(config))
		}
		return c.add(parent, fullName, false, config), checkError(fullName, config)
	}

	for _, k := range config.Keys() {
		if !slices.Contains(groupKeys(), k) {
			return 0, say("Validating workflow failed\n%s contains invalid keys: '%s' %s", fullName, k, conf.Text(config))
		}
	}
	group := c.add(parent, fullName, true, config)
	var subtasks []int
	for _, child := range children {
		if err := checkName(child); err != nil {
			return 0, fmt.Errorf("task name %s", err)
		}
		sub, ok := original.Get(child).(*conf.Object)
		if !ok && original.Get(child) != nil {
			return 0, fmt.Errorf("%s%s must be an object, not %s", fullName, child, conf.Text(original.Get(child)))
		}
		i, err := c.collect(group, fullName, child, sub)
		if err != nil {
			return 0, err
		}
		subtasks = append(subtasks, i)
	}
	if err := c.order(config, subtasks, children); err != nil {
		return 0, err
	}
	return group, checkError(fullName, config)
}

// groupKeys are the directives that may stand in a group.
func groupKeys() []string {
	return []string{
		"timezone", "schedule", "sla", "_parallel", "_background", "_after", "_error", "_check", "_retry", "_export", "_secrets",
	}
}

// order says which child waits for which.
func (c *compiler) order(group *conf.Object, subtasks []int, names []string) error {
	parallel, limit, err := parallelism(group)
	if err != nil {
		return err
	}
	if !parallel {
		return c.sequence(subtasks)
	}
	known := map[string]int{}
	var before, chunk []int
	for i, t := range subtasks {
		if limit > 0 && i%limit == 0 {
			before, chunk = chunk, nil
		}
		config := c.tasks[t].Config
		if background, err := conf.Bool(config.Get("_background")); err != nil || background {
			return say(`Setting "_background: true" option is invalid (unnecessary) if its parent task has "_parallel: true" option`)
		}
		after, _ := config.Get("_after").([]any)
		for _, up := range after {
			j, ok := known[conf.String(up)]
			if !ok {
				return say("Dependency task '%s' does not exist", conf.String(up))
			}
			c.tasks[t].Upstreams = append(c.tasks[t].Upstreams, j)
		}
		config.Delete("_after")
		c.tasks[t].Upstreams = append(c.tasks[t].Upstreams, before...)
		known[names[i]] = t
		chunk = append(chunk, t)
	}
	return nil
}

func (c *compiler) sequence(subtasks []int) error {
	var before []int
	for _, t := range subtasks {
		config := c.tasks[t].Config
		if config.Has("_after") {
			return say(`Setting "_after" option is invalid if its parent task doesn't have "_parallel: true" option`)
		}
		background, err := conf.Bool(config.Get("_background"))
		if err != nil {
			return fmt.Errorf("_background: %w", err)
		}
		if background {
			before = append(before, t)
		} else {
			c.tasks[t].Upstreams = before
			before = []int{t}
		}
		config.Delete("_background")
	}
	return nil
}

func parallelism(group *conf.Object) (parallel bool, limit int, err error) {
	switch v := group.Get("_parallel").(type) {
	case *conf.Object:
		limit, err = conf.Int(v.Get("limit"))
		parallel = true
	default:
		parallel, err = conf.Bool(v)
	}
	if err != nil {
		err = fmt.Errorf("_parallel: %w", err)
	}
	return parallel, limit, err
}

// checkError compiles an _error ahead of time: once it is needed, it is too
// late to complain about it.
func checkError(fullName string, config *conf.Object) error {
	if e := config.Object("_error"); e.Len() > 0 {
		_, err := Compile(fullName, "^error", e)
		return err
	}
	return nil
}

var badNameChar = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile("[^a-zA-Z_0-9\\-=\\[\\]{}%&@`,.^]")
})

// checkName checks a name that starts with +.
func checkName(name string) error {
	if c := badNameChar().FindString(name[1:]); c != "" {
		return fmt.Errorf("must not contain character '%s': \"%s\"", c, name)
	}
	if len(name) > 255 {
		return fmt.Errorf("must not be longer than 255 characters %q", name)
	}
	return nil
}
