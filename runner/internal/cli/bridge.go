package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/cli/term"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/bridge"
	"github.com/outrider-run/outrider/runner/internal/catalog"
	"github.com/outrider-run/outrider/runner/internal/engine"
	"github.com/outrider-run/outrider/runner/internal/params"
	"github.com/outrider-run/outrider/runner/internal/run"
)

// bridgeHelp is common to py and rb.
const bridgeHelp = "Parameters stand under with:, and are checked by the component's schema; a text that a template\n" +
	"such as ${n} has made may stand for a number, a switch or a list. The outputs become parameters\n" +
	"of later tasks, and the error becomes the task's own. An output field subtasks becomes tasks that\n" +
	"run below this one: {\"+load\": {\"sh>\": \"./load.sh\"}, \"_parallel\": true}, or a list of such tasks.\n\n"

// codeBadOutput is the code of outputs that Digdag could not take.
const codeBadOutput = "bad_output"

// bridge runs the component that Digdag's py> or rb> names. Whatever goes wrong
// stands in the output file too, of which Digdag makes the task's error.
func (a *app) bridge(c *cli.Context, l bridge.Language) error {
	call, err := bridge.Parse(l, a.args)
	if err != nil {
		return term.Usage("%w", err)
	}
	return a.failed(call, a.component(c, call))
}

func (a *app) component(c *cli.Context, call bridge.Call) error {
	name, err := call.Component()
	if err != nil {
		return term.Usage("%w", err)
	}
	in, err := call.ReadInput()
	if err != nil {
		return host(err)
	}
	r, err := parseRun(c, caller{engine.Digdag, in.Getenv(os.Getenv)})
	if err != nil {
		return err
	}
	r.name, r.args = name, nil
	r.given, r.givenBy, r.templated = in.With(), "with", true
	r.judge = judge
	err = a.doRun(c.Context, r, a.answer(call))
	var miss *catalog.NotFound
	var bad *params.Problems
	switch {
	case errors.As(err, &miss):
		if file := call.Module(isFile); file != "" {
			return term.Usage("%w; but here stands %s: if %s> is to call that, set %s: on this task only, e.g. %s: %s",
				err, file, call.Language, call.Language.Setting(), call.Language.Setting(), usual(call.Language))
		}
	case errors.As(err, &bad) && r.given == nil:
		return term.Usage("%w; parameters stand under with:", err)
	}
	return err
}

// usual is the interpreter that a machine has.
func usual(l bridge.Language) string {
	if l == bridge.Ruby {
		return "ruby"
	}
	return "python3"
}

func isFile(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular()
}

// judge makes a failure of a success whose outputs Digdag could not take.
func judge(o run.Outcome) run.Outcome {
	if o.State != run.Success {
		return o
	}
	if _, err := bridge.Result(o.Output); err != nil {
		return run.Outcome{State: run.Failed, Broken: true, Code: codeBadOutput, Message: err.Error(), Attempts: o.Attempts}
	}
	return o
}

// answer writes the outcome to the output file, and says it.
func (a *app) answer(call bridge.Call) func(string, runRequest, run.Outcome, *talk, time.Duration) error {
	return func(id string, r runRequest, o run.Outcome, t *talk, took time.Duration) error {
		if o.State == run.Success || o.State == run.Skipped {
			if o.Output == nil {
				o.Output = json.RawMessage("{}")
			}
			text, err := bridge.Result(o.Output)
			if err == nil {
				err = call.Write(text)
			}
			if err != nil {
				o = undelivered(o, err.Error())
			}
		}
		t.outcome(id, o, took)
		code := o.Exit(r.skip)
		if code == 0 {
			return nil
		}
		if err := call.Fail(failure(id, o, t.redact.String)); err != nil {
			a.say("%v", err)
		}
		return &term.Exit{Code: code}
	}
}

// failure is an outcome as Digdag shows errors.
func failure(id string, o run.Outcome, redact func(string) string) bridge.Failure {
	f := bridge.Failure{Class: cmp.Or(o.Code, string(o.State)), Message: redact(o.Message)}
	if o.Code == "" && o.Permanent {
		f.Class = "permanent"
	}
	if stack := strings.TrimSpace(redact(o.Stack)); stack != "" {
		f.Trace = strings.Split(stack, "\n")
	}
	f.Trace = append(f.Trace, "run "+id+", see: outrider runs show "+id)
	return f
}

// failed puts an error of the host's own into the output file too.
func (a *app) failed(call bridge.Call, err error) error {
	var e *term.Exit
	if !errors.As(err, &e) || e.Err == nil {
		return err
	}
	class := "host"
	switch e.Code {
	case term.Misused:
		class = "usage"
	case exitPlugin:
		class = "plugin"
	}
	if werr := call.Fail(bridge.Failure{Class: class, Message: e.Err.Error()}); werr != nil {
		a.say("%v", werr)
	}
	return err
}

// bridgeUsage answers a bad flag as Digdag shows errors.
func (a *app) bridgeUsage(l bridge.Language) cli.OnUsageErrorFunc {
	return func(c *cli.Context, err error, sub bool) error {
		err = term.OnUsage(c, err, sub)
		if call, bad := bridge.Parse(l, a.args); bad == nil {
			return a.failed(call, err)
		}
		return err
	}
}
