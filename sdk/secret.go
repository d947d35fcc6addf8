package sdk

import (
	"encoding/json"
	"fmt"
	"io"
)

// Secret is a parameter that must not be seen. Users write a reference,
// env:NAME or file:PATH; the component gets the value. It prints, logs and
// encodes as [secret].
type Secret struct {
	// A pointer, because fmt cannot call the methods of an unexported field: it
	// shows an address then.
	value *string
}

const hidden = "[secret]"

// NewSecret is for tests.
func NewSecret(value string) Secret { return Secret{&value} }

// Reveal returns the value.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// String hides the value.
func (Secret) String() string { return hidden }

// Format hides the value from every verb of fmt.
func (Secret) Format(f fmt.State, _ rune) { io.WriteString(f, hidden) }

// MarshalJSON hides the value.
func (Secret) MarshalJSON() ([]byte, error) { return json.Marshal(hidden) }

// UnmarshalJSON takes the value.
func (s *Secret) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &s.value) }
