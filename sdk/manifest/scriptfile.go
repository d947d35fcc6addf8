package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// scriptFile is a manifest as it is written. Its types refuse bad values while
// they are decoded, so that the error knows the line.
type scriptFile struct {
	Name        componentName        `json:"name"`
	Doc         string               `json:"doc"`
	Destructive bool                 `json:"destructive"`
	Params      schema               `json:"params"`
	Output      schema               `json:"output"`
	Outputs     Outputs              `json:"outputs"`
	Examples    []scriptExample      `json:"examples"`
	Interpreter interpreter          `json:"interpreter"`
	Command     []string             `json:"command"`
	ExitCodes   map[exitCode]Outcome `json:"exit_codes"`
}

type scriptExample struct {
	Doc    string `json:"doc"`
	Params object `json:"params"`
}

type componentName string

func (n *componentName) UnmarshalText(text []byte) error {
	*n = componentName(text)
	return CheckName(string(text))
}

// interpreter is a name and a version constraint; what the constraint means is
// known to the script plugin alone.
type interpreter string

func (i *interpreter) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	if s == "" || strings.ContainsAny(s[:1], "<>=!~^*@") || strings.ContainsAny(s, "/\\\n") {
		return errors.New("want the name of an interpreter, such as python or python>=3.11; a path belongs into command")
	}
	*i = interpreter(s)
	return nil
}

type exitCode int

func (c *exitCode) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 1 || n > 255 {
		return errors.New("want an exit code from 1 to 255 (0 is success)")
	}
	*c = exitCode(n)
	return nil
}

// object is any JSON object.
type object json.RawMessage

func (o *object) UnmarshalJSON(raw []byte) error {
	if len(raw) == 0 || raw[0] != '{' {
		return errors.New("want a mapping")
	}
	*o = bytes.Clone(raw)
	return nil
}

const emptySchema = `{"type":"object","additionalProperties":false}`

// schema is a JSON Schema of an object; type and additionalProperties are added
// where they are missing.
type schema json.RawMessage

func (s *schema) UnmarshalJSON(raw []byte) error {
	var o object
	if err := o.UnmarshalJSON(raw); err != nil {
		return fmt.Errorf("%w: a JSON Schema", err)
	}
	var is map[string]json.RawMessage
	if err := json.Unmarshal(o, &is); err != nil {
		return err
	}
	head, tail := "", ""
	switch t, ok := is["type"]; {
	case !ok:
		head = `"type":"object"`
	case string(t) != `"object"`:
		return fmt.Errorf("type is %s, want object", t)
	}
	_, additional := is["additionalProperties"]
	_, unevaluated := is["unevaluatedProperties"] // says the same, of more
	if !additional && !unevaluated {
		tail = `"additionalProperties":false`
	}
	parts := make([]string, 0, 3)
	for _, p := range []string{head, strings.TrimSpace(string(o[1 : len(o)-1])), tail} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	*s = schema("{" + strings.Join(parts, ",") + "}")
	return nil
}
