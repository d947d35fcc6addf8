package age

import (
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"30d": 30 * day, "1d12h": 36 * time.Hour, "0d": 0, "0s": 0, "90m": 90 * time.Minute, "1h30m": 90 * time.Minute, "36500d": 36500 * day,
	} {
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "d", "-1d", "1.5d", "30", "1h1d", "1d-1h", "-5m", "36501d", "999999999h", "1dd", "3 d"} {
		if got, err := Parse(text); err == nil {
			t.Errorf("%q is taken for %s", text, got)
		}
	}
}
