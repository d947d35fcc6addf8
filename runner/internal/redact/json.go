package redact

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// JSON masks secrets in a JSON value and keeps it valid: in strings and keys,
// however they are escaped, and in numbers. A secret that spans several of them
// takes the value as a whole with it. What is not JSON becomes a JSON string.
func (r *Redactor) JSON(raw json.RawMessage) json.RawMessage {
	if r == nil || r.find == nil || len(raw) == 0 {
		return raw
	}
	if bytes.IndexByte(raw, '\\') < 0 && find(r.find, []byte(raw)) == nil {
		return raw
	}
	out, err := r.tokens(raw)
	if err != nil {
		text, _ := json.Marshal(r.String(string(raw)))
		return text
	}
	if find(r.find, out) == nil {
		return out
	}
	if out[0] == '{' {
		return json.RawMessage(`{"redacted":"` + Mask + `"}`)
	}
	return json.RawMessage(`"` + Mask + `"`)
}

// tokens copies raw token by token.
func (r *Redactor) tokens(raw []byte) ([]byte, error) {
	var out bytes.Buffer
	d := jsontext.NewDecoder(bytes.NewBuffer(raw))
	e := jsontext.NewEncoder(&out)
	names := uniqueNames{}
	for {
		t, err := d.ReadToken()
		if errors.Is(err, io.EOF) {
			return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
		}
		if err != nil {
			return nil, err
		}
		switch t.Kind() {
		case '"':
			masked := r.String(t.String())
			if kind, n := d.StackIndex(d.StackDepth()); kind == '{' && n%2 == 1 {
				masked = names.pick(d.StackDepth(), masked)
			}
			t = jsontext.String(masked)
		case '0':
			if text := t.String(); r.String(text) != text {
				t = jsontext.String(Mask)
			}
		case '{':
			names.begin(d.StackDepth())
		}
		if err := e.WriteToken(t); err != nil {
			return nil, err
		}
	}
}

// uniqueNames keeps keys of one object apart that are equal once they are masked.
type uniqueNames map[int]map[string]bool

func (u uniqueNames) begin(depth int) { u[depth] = map[string]bool{} }

func (u uniqueNames) pick(depth int, name string) string {
	pick := name
	for i := 2; u[depth][pick]; i++ {
		pick = name + strconv.Itoa(i)
	}
	u[depth][pick] = true
	return pick
}
