package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// MaxOutput is how large the outputs of a run may be, in bytes of JSON: what
// one message to the host holds, less room for its other fields.
const MaxOutput = 16<<20 - 64<<10

// ErrTooLarge says that the outputs are over MaxOutput.
var ErrTooLarge = errors.New("output is too large")

// Outputs gathers the output events of a run: they are merged by top-level
// name, and the last value of a name stays. The zero value is ready.
type Outputs struct {
	values map[string]json.RawMessage
	size   int
	over   bool
}

// Merge takes one output event. Once the outputs are over the limit nothing
// more is kept.
func (o *Outputs) Merge(event map[string]json.RawMessage) {
	for name, value := range event {
		if o.over {
			return
		}
		if old, ok := o.values[name]; ok {
			o.size -= cost(name, old)
		}
		o.size += cost(name, value)
		if o.size > MaxOutput {
			o.Overflow()
			return
		}
		if o.values == nil {
			o.values = map[string]json.RawMessage{}
		}
		o.values[name] = value
	}
}

// Overflow says that an output was too large to be read at all.
func (o *Outputs) Overflow() { o.over, o.values = true, nil }

// cost is what a member takes in the JSON object: quotes, colon and comma.
func cost(name string, value json.RawMessage) int { return len(name) + len(value) + 4 }

// JSON returns the outputs as one object, {} when there are none, or
// ErrTooLarge.
func (o *Outputs) JSON() (json.RawMessage, error) {
	if o.over {
		return nil, ErrTooLarge
	}
	if o.values == nil {
		return json.RawMessage("{}"), nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // it would make <, > and & six bytes each
	if err := enc.Encode(o.values); err != nil {
		return nil, fmt.Errorf("encoding the outputs: %w", err)
	}
	out := bytes.TrimRight(b.Bytes(), "\n")
	if len(out) > MaxOutput { // names may have grown by escapes
		return nil, ErrTooLarge
	}
	return out, nil
}
