package digdagtest

import "testing"

func TestOutputsAreOnePipeInOrder(t *testing.T) {
	r := onShared(t).Run(`
+a:
  sh>: echo one; echo two >&2; echo three; printf 'no newline'
`)
	if !r.Success || r.Status != "success" {
		t.Fatalf("attempt is %s: %v", r.Status, r.States())
	}
	if got, want := r.Output("+w+a"), "one\ntwo\nthree\nno newline"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
