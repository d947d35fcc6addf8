package cli

import (
	"fmt"
	"time"
)

// progress decides which of a task's progress messages become lines: the first,
// the last, and one a second between them.
type progress struct {
	first, last time.Time
	begin       float64
	shown       float64
}

// line returns the text to show at now, "" for none. done and total are in the
// task's own unit; total 0 means unknown.
func (p *progress) line(now time.Time, done, total float64, note string) string {
	if p.first.IsZero() {
		p.first, p.begin = now, done
	} else if now.Sub(p.last) < time.Second && (total <= 0 || done < total || p.shown >= total) {
		return ""
	}
	p.last, p.shown = now, done
	s := "progress " + number(done)
	if total > 0 {
		s = fmt.Sprintf("progress %.0f%% (%s of %s)", 100*done/total, number(done), number(total))
		if eta, ok := p.eta(now, done, total); ok {
			s += ", about " + eta.String() + " left"
		}
	}
	if note != "" {
		s += ": " + note
	}
	return s
}

// eta extends the pace since the first message.
func (p *progress) eta(now time.Time, done, total float64) (time.Duration, bool) {
	elapsed, step := now.Sub(p.first), done-p.begin
	if elapsed <= 0 || step <= 0 || done >= total {
		return 0, false
	}
	left := time.Duration(float64(elapsed) * (total - done) / step)
	return max(left.Round(time.Second), time.Second), true
}

func number(f float64) string {
	if f == float64(int64(f)) {
		return fmt.Sprintf("%d", int64(f))
	}
	return fmt.Sprintf("%.1f", f)
}
