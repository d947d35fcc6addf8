package engine

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/conf"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/dig"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/state"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/template"
)

// job is one delivery of a task to this process: a copy of all that it needs,
// since the state may move on while it runs.
type job struct {
	engine        *Engine
	task, attempt int64
	name          string
	project       string
	projectID     int64
	workflow      string
	session       int64
	revision      int64
	canceled      bool
	given         *conf.Object // parameters from outside
	runtime       *conf.Object // variables that Digdag sets
	local         *conf.Object // the task's own configuration
	stateParams   *conf.Object
	about         notification // for a message yet to be set
	setupError    error

	log       *taskLog
	workspace string
	config    *conf.Object // all of it, evaluated, once run
}

func (e *Engine) newJob(st *state.State, a *state.Attempt, t *state.Task) *job {
	w := st.Workflows[a.WorkflowID]
	j := &job{
		engine: e, task: t.ID, attempt: a.ID, name: t.FullName, project: st.Projects[a.ProjectID].Name, projectID: a.ProjectID,
		workflow: w.Name, session: a.SessionID, revision: w.RevisionID, canceled: t.CancelRequested,
		given: params(st, a, t), local: t.Local.Clone(), stateParams: t.StateParams.Clone(),
		about: note(st, a, e.now(), ""),
	}
	j.about.TaskName = &j.name
	j.runtime, j.setupError = runtimeParams(st, a, t, j.given)
	for _, later := range []string{"_check", "_error"} {
		j.given.Delete(later)
		j.local.Delete(later)
	}
	return j
}

// run executes the task in a workspace of its own, which is gone afterwards.
func (j *job) run() outcome {
	var err error
	if j.log, err = newTaskLog(j.engine.cfg.LogDir, j.attempt, j.name, j.engine.agent, j.engine.now()); err != nil {
		return outcome{err: unexpected(err.Error()).object()}
	}
	defer j.log.Close()
	if err := j.makeWorkspace(); err != nil {
		return outcome{err: j.report(unexpected(err.Error()))}
	}
	defer os.RemoveAll(j.workspace)

	config, f := j.evaluate()
	if f != nil {
		return outcome{err: j.report(*f)}
	}
	j.config = config
	operator, command := operatorOf(config)
	if j.canceled {
		return outcome{err: failure{message: fmt.Sprintf("Got a cancel-requested: attempt_id=%d, task_id=%d", j.attempt, j.task)}.object()}
	}
	if first := j.stateParams.Len() == 0; first {
		j.announce(operator, command)
	}
	retries, err := retryOf(config, j.stateParams)
	if err != nil {
		return outcome{err: j.report(configError(err.Error()))}
	}
	result, f := j.operate(operator)
	switch {
	case f == nil:
		return outcome{result: result}
	case f.poll != nil:
		return outcome{poll: f.poll}
	case retries.again() && retriable(operator):
		j.log.line("ERROR", j, "Task failed, retrying\nio.digdag.spi.TaskExecutionException: java.lang.RuntimeException: %s\n", f.message)
		return outcome{err: f.object(), retry: &retries}
	}
	return outcome{err: j.report(*f)}
}

// retriable tells whether an operator looks at _retry itself; for the others it
// means nothing.
func retriable(operator string) bool {
	return slices.Contains([]string{"sh", "py", "rb", "call", "require", "http"}, operator)
}

// makeWorkspace unpacks the project anew, for this delivery alone.
func (j *job) makeWorkspace() error {
	dir := filepath.Join(j.engine.cfg.TempDir, "workspace")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make a workspace: %w", err)
	}
	name := fmt.Sprintf("%d_%s_%d_%d_", j.projectID, j.workflow, j.attempt, j.task)
	var err error
	if j.workspace, err = makeDir(dir, name); err != nil {
		return fmt.Errorf("make a workspace: %w", err)
	}
	archive, err := j.engine.store.Archive(j.revision)
	if err != nil {
		return fmt.Errorf("make a workspace: %w", err)
	}
	return dig.Extract(archive, j.workspace)
}

// makeDir makes a folder with a random number at the end of its name, and mode
// 0700, as Java does.
func makeDir(parent, prefix string) (string, error) {
	for {
		dir := filepath.Join(parent, prefix+strconv.FormatUint(rand.Uint64(), 10))
		err := os.Mkdir(dir, 0o700)
		if !os.IsExist(err) {
			return dir, err
		}
	}
}

// evaluate gives the whole configuration that the operator sees.
func (j *job) evaluate() (*conf.Object, *failure) {
	if j.setupError != nil {
		f := configError(j.setupError.Error())
		return nil, &f
	}
	all := j.given.Clone()
	all.Merge(j.runtime)
	outside := all.Clone()
	all.Merge(j.local)
	config, err := template.Eval(all, outside)
	if err != nil {
		f := configError(err.Error())
		return nil, &f
	}
	return config, nil
}

// operatorOf finds the operator and its command, and leaves both in config.
func operatorOf(config *conf.Object) (operator string, command any) {
	if config.Has("_type") {
		return conf.String(config.Get("_type")), config.Get("_command")
	}
	key := dig.Operators(config)[0]
	operator, command = key[:len(key)-1], config.Get(key)
	config.Set("_type", operator)
	if command != nil {
		config.Set("_command", command)
	}
	return operator, command
}

func (j *job) announce(operator string, command any) {
	if j.local.Has("_type") {
		j.log.line("INFO", j, "type: %s", operator)
		return
	}
	text := ""
	if command != nil {
		text = conf.String(command)
	}
	j.log.line("INFO", j, "%s>: %s", operator, text)
}

// report writes a failure to the task's log and gives it as the task's error.
func (j *job) report(f failure) *conf.Object {
	switch f.kind {
	case "config":
		j.log.line("ERROR", j, "Configuration error at task %s: %s (config)\n", j.name, f.message)
	case "":
		j.log.line("ERROR", j, "Task %s failed.\n%s\n", j.name, f.message)
	default:
		j.log.line("ERROR", j, "Task failed with unexpected error: %s\njava.lang.RuntimeException: %s\n\tat %s\n", f.message, f.message, stack)
	}
	return f.object()
}

// stack stands where a real Digdag has a Java stack.
const stack = "digdag-double (it has no Java stack)"

// failure is why a task failed: a runtime or config problem, or, without a
// kind, what fail> said. With poll set it did not fail yet.
type failure struct {
	message, kind string
	poll          *polling
}

func configError(message string) failure { return failure{message: message, kind: "config"} }
func unexpected(message string) failure  { return failure{message: message, kind: "runtime"} }

// object is the failure as the API shows it.
func (f failure) object() *conf.Object {
	if f.kind == "" {
		return conf.Of("message", f.message)
	}
	o := conf.Of("message", fmt.Sprintf("%s (%s)", f.message, f.kind))
	o.Set("stacktrace", stack)
	return o
}
