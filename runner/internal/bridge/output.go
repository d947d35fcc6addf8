package bridge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
)

// SubtasksField is the field of a component's outputs that becomes tasks of the
// attempt, below the one that called, and no parameter.
const SubtasksField = "subtasks"

// result is the output file of a task that went well.
type result struct {
	StoreParams map[string]json.RawMessage `json:"store_params"`
	Subtasks    json.RawMessage            `json:"subtask_config,omitempty"`
}

// Result is what Digdag is to make of a component's outputs: parameters for later
// tasks, and tasks. The field subtasks holds those as a .dig file does,
// {"+load": {"py>": …}, "_parallel": true}, or as a list, whose tasks are called
// +subtask0, +subtask1 and so on. Digdag runs them in the order in which they stand, and
// evaluates ${…} in them; elsewhere that is text and stays so.
func Result(outputs json.RawMessage) ([]byte, error) {
	r := result{StoreParams: map[string]json.RawMessage{}}
	if err := json.Unmarshal(outputs, &r.StoreParams); err != nil {
		return nil, fmt.Errorf("the outputs are no object: %w", err)
	}
	var err error
	if r.Subtasks, err = subtasks(r.StoreParams[SubtasksField]); err != nil {
		return nil, fmt.Errorf("output %s: %w", SubtasksField, err)
	}
	delete(r.StoreParams, SubtasksField)
	for name, value := range r.StoreParams {
		if r.StoreParams[name], err = quoted(value); err != nil {
			return nil, fmt.Errorf("output %s: %w", name, err)
		}
	}
	return json.Marshal(r)
}

// hidden is JavaScript that comes to ${ and no template.
const hidden = "${'$'}{"

// plain writes a value so that Digdag takes its texts for what they are. It evaluates
// all that a task inherits, so that in every later task ${…} is JavaScript, and where
// that fails the task does, whether it uses the value or not.
func plain(v any) any {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, "${", hidden)
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = plain(v[name])
		}
	}
	return v
}

// quoted is raw with plain texts; numbers stay as they are written.
func quoted(raw json.RawMessage) (json.RawMessage, error) {
	if !bytes.Contains(raw, []byte("${")) {
		return raw, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	err := e.Encode(plain(v))
	return bytes.TrimSpace(out.Bytes()), err
}

func subtasks(raw json.RawMessage) (json.RawMessage, error) {
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return nil, nil
	case raw[0] == '[':
		var err error
		if raw, err = numbered(raw); err != nil {
			return nil, err
		}
	case raw[0] != '{':
		return nil, errors.New("want tasks by name, {\"+load\": {\"py>\": …}}, or a list of them")
	}
	var tasks map[string]json.RawMessage
	if err := json.Unmarshal(raw, &tasks); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(tasks)) {
		switch task := tasks[name]; {
		case strings.HasPrefix(name, "_"): // a setting such as _parallel
		case !strings.HasPrefix(name, "+") || len(name) == 1:
			return nil, fmt.Errorf("%q is no name of a task; want one that begins with +, such as +load", name)
		case len(task) == 0 || task[0] != '{':
			return nil, fmt.Errorf("%s: want a task, such as {\"sh>\": \"./load.sh\"}", name)
		}
	}
	return raw, nil
}

// numbered names the tasks of a list as Digdag's own runners name theirs.
func numbered(raw json.RawMessage) (json.RawMessage, error) {
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, err
	}
	var all []string
	for i, task := range list {
		all = append(all, fmt.Sprintf("\"+subtask%d\":%s", i, task))
	}
	return json.RawMessage("{" + strings.Join(all, ",") + "}"), nil
}

// Failure is why a task failed, as Digdag puts it into its own error:
// MESSAGE (CLASS) and a line "from …" for each of Trace.
type Failure struct {
	Class   string   `json:"class"`
	Message string   `json:"message"`
	Trace   []string `json:"backtrace"`
}

// maxMessage bounds what a failure may say: it stands in Digdag's database, and in
// every listing of the attempt's tasks.
const maxMessage = 16 << 10

// Fail writes the output file of a failed task. rb> needs one: without it Digdag
// reports the missing file and not the failure.
func (c Call) Fail(f Failure) error {
	if len(f.Message) > maxMessage {
		f.Message = strings.ToValidUTF8(f.Message[:maxMessage], "") + " …"
	}
	if f.Trace == nil {
		f.Trace = []string{}
	}
	text, err := json.Marshal(map[string]Failure{"error": f})
	if err != nil { // texts always can
		return err
	}
	return c.Write(text)
}

// Write puts the output file there, whole or not at all.
func (c Call) Write(text []byte) error {
	if err := renameio.WriteFile(c.Output, text, 0o644); err != nil {
		return fmt.Errorf("write the output of %s>: %w", c.Language, err)
	}
	return nil
}
