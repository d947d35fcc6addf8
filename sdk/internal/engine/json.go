package engine

import (
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Marshal writes v as Outrider has it: durations as text, keys of maps sorted,
// bad UTF-8 replaced, nil lists and maps empty.
func Marshal(v any) ([]byte, error) {
	return jsonv2.Marshal(v,
		jsonv2.WithMarshalers(jsonv2.MarshalToFunc(func(e *jsontext.Encoder, d time.Duration) error {
			return e.WriteToken(jsontext.String(d.String()))
		})),
		jsonv2.Deterministic(true),
		jsontext.AllowInvalidUTF8(true),
	)
}

// unmarshal reads what Marshal wrote.
func unmarshal(raw []byte, v any) error {
	return jsonv2.Unmarshal(raw, v,
		jsonv2.WithUnmarshalers(jsonv2.UnmarshalFromFunc(func(d *jsontext.Decoder, v *time.Duration) error {
			var text string
			if err := jsonv2.UnmarshalDecode(d, &text); err != nil {
				return err
			}
			parsed, err := time.ParseDuration(text)
			*v = parsed
			return err
		})),
	)
}
