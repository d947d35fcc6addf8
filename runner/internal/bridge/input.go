package bridge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
)

// Input is all that Digdag knows of the task: its parameters and those it inherits,
// templates filled in.
type Input struct {
	params map[string]json.RawMessage
}

// ReadInput reads the call's input file, {"params":{…}}.
func (c Call) ReadInput() (Input, error) {
	text, err := os.ReadFile(c.Input)
	if err != nil {
		return Input{}, fmt.Errorf("read the input of %s>: %w", c.Language, err)
	}
	var file struct{ Params map[string]json.RawMessage }
	if err := json.Unmarshal(text, &file); err != nil {
		return Input{}, fmt.Errorf("read the input of %s>: %s: %w", c.Language, c.Input, err)
	}
	return Input{file.Params}, nil
}

// With are the parameters for the component: the object under with:, nil without
// one. What is no object is refused by who knows the component's schema.
func (in Input) With() json.RawMessage {
	with := in.params["with"]
	if string(with) == "null" {
		return nil
	}
	// Below with: Digdag fills an output in as it was stored.
	return bytes.ReplaceAll(with, []byte(hidden), []byte("${"))
}

// Text is a parameter as sh> would have it in its environment: a text as it is,
// all else as JSON; "" where there is none.
func (in Input) Text(name string) string {
	raw := in.params[name]
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

// Getenv is the environment that sh> would have: the task's parameters over those
// of getenv. py> and rb> get none of them.
func (in Input) Getenv(getenv func(string) string) func(string) string {
	return func(name string) string {
		if _, there := in.params[name]; there {
			return in.Text(name)
		}
		return getenv(name)
	}
}
