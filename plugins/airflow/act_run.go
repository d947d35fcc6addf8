package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/outrider-run/outrider/plugins/airflow/client"
	"github.com/outrider-run/outrider/plugins/airflow/internal/address"
	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/observe"
)

// runTold is a run as all engines' runs are told. Its conf may hold secrets, and is
// left out.
func runTold(c *client.Client, r client.DAGRun) observe.Run {
	return runOf(r, c.Link(r.DAG, r.ID, "", -1))
}

// runAddress is how the verbs name a run.
func runAddress(r client.DAGRun) string { return runID(r.DAG, r.ID) }

// target is a checkpoint's part: the run that an address named at the first try. By the
// time of a retry the latest may be another.
type target struct {
	Address string `json:"address,omitempty"`
	DAG     string `json:"dag,omitempty"`
	RunID   string `json:"run_id,omitempty"`
}

// find finds the run of an address, on a retry that of the first try; known says that
// it is.
func (t *target) find(ctx context.Context, c *client.Client, text string, a address.Address) (r client.DAGRun, known bool, err error) {
	if t.Address == text && t.RunID != "" {
		r, err = c.Run(ctx, t.DAG, t.RunID)
		return r, true, err
	}
	if r, err = address.FindRun(ctx, c, a, time.Now()); err == nil {
		*t = target{text, r.DAG, r.ID}
	}
	return r, false, err
}

// ownID is the id of what a run starts, the same over all its retries. Two calls of one
// Digdag task have the same key, and differ in what they ask for; a date is taken as it
// is written, since today is another day by the time of a retry.
func ownID(run *sdk.Run, p triggerParams) (string, error) {
	asked, err := json.Marshal([]any{cmp.Or(run.Key(), run.ID()), p.Address, p.LogicalDate, p.Conf})
	sum := sha256.Sum256(asked)
	return "outrider-" + hex.EncodeToString(sum[:8]), err
}

// whyFailed are the task instances that failed by themselves, in one line.
func whyFailed(tasks []client.TaskInstance) string {
	var list []string
	for _, t := range slices.SortedFunc(slices.Values(tasks), func(a, b client.TaskInstance) int {
		return cmp.Or(a.End.Compare(b.End), strings.Compare(a.Task, b.Task), cmp.Compare(a.MapIndex, b.MapIndex))
	}) {
		if t.State != "failed" {
			continue
		}
		if len(list) == 3 {
			list = append(list, "…")
			break
		}
		text := address.TaskName(t.Task, t.MapIndex) + " failed"
		if t.Try > 0 {
			text += fmt.Sprintf(" in try %d", t.Try)
		}
		list = append(list, text)
	}
	return strings.Join(list, "; ")
}

// ended is nil for a run that succeeded, and else the failure of it. What the task that
// failed first said stands at the end.
func ended(ctx context.Context, c *client.Client, r client.DAGRun) error {
	if r.State == "success" {
		return nil
	}
	text := fmt.Sprintf("run %s ended as %s", runAddress(r), r.State)
	if tasks, err := c.Tasks(ctx, r.DAG, r.ID); err == nil { // it failed, whether or not the reason can be had
		if why := whyFailed(tasks); why != "" {
			text += ": " + why
		} else if len(tasks) > 0 {
			text += ", though no task of it failed, as one that was killed or ran into its timeout does"
		}
		text += lastWords(ctx, c, tasks)
	}
	return sdk.Code("run_failed", errors.New(text))
}

// lastWords are the end of the log of the task that failed first.
func lastWords(ctx context.Context, c *client.Client, tasks []client.TaskInstance) string {
	t, ok := tailed(tasks)
	if !ok || t.State != "failed" || t.Try < 1 {
		return ""
	}
	lines, err := c.Log(ctx, t, t.Try)
	if err != nil {
		return ""
	}
	for _, l := range slices.Backward(body(lines)) {
		if l.Level == "error" || l.Level == "critical" {
			return ": " + oneLine(l.Text, 300)
		}
	}
	return ""
}

// oneLine cuts a text to its first bytes and to one line.
func oneLine(text string, most int) string {
	return clip(strings.Join(strings.Fields(text), " "), most)
}

// holds reports whether a run's conf has all that was given, as it is; Airflow adds a
// DAG's params to it.
func holds(conf json.RawMessage, wanted map[string]json.RawMessage) bool {
	var has map[string]json.RawMessage
	if len(wanted) == 0 {
		return true
	}
	if json.Unmarshal(conf, &has) != nil {
		return false
	}
	for name, want := range wanted {
		if got, ok := has[name]; !ok || !sameJSON(got, want) {
			return false
		}
	}
	return true
}

func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	for raw, to := range map[*json.RawMessage]*any{&a: &x, &b: &y} {
		d := json.NewDecoder(bytes.NewReader(*raw))
		d.UseNumber()
		if d.Decode(to) != nil {
			return false
		}
	}
	return reflect.DeepEqual(x, y)
}
