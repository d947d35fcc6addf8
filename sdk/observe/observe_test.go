package observe

import "testing"

func TestEnded(t *testing.T) {
	for s, want := range map[State]bool{
		Queued: false, Running: false, Cancelling: false,
		Success: true, Failed: true, Cancelled: true, Skipped: true, "": false, "else": false,
	} {
		if got := s.Ended(); got != want {
			t.Errorf("%q ended: %v, want %v", s, got, want)
		}
	}
}
