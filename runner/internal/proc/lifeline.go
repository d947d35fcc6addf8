package proc

import (
	"fmt"
	"os"
)

// Lifeline is a pipe that nobody writes to. Children inherit its read end; only
// the host holds the other, so that its end of file tells them that the host is
// gone, however it went.
type Lifeline struct{ r, w *os.File }

// NewLifeline makes a lifeline.
func NewLifeline() (*Lifeline, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a lifeline: %w", err)
	}
	return &Lifeline{r: r, w: w}, nil
}

// End is the read end, for Spec.Extra.
func (l *Lifeline) End() *os.File { return l.r }

// Close tells everyone who holds the read end that the host is gone.
func (l *Lifeline) Close() {
	_ = l.w.Close()
	_ = l.r.Close()
}

// Kill tells a guard to kill everything at once. Only a guard may hold the read
// end then: for a plugin the byte has no meaning.
func (l *Lifeline) Kill() { _, _ = l.w.Write([]byte{1}) }

// Go lets a guard that holds its command start it.
func (l *Lifeline) Go() { _, _ = l.w.Write([]byte{2}) }
