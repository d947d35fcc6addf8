package main

const (
	// mostLines is how much of the last lines the output holds, in bytes of JSON, and
	// mostListed how much of the files: the protocol takes no output above 16 MiB.
	mostLines  = 4 << 20
	mostListed = 4 << 20
)

// lastLines keeps the last lines, at most so many, and of them mostLines.
type lastLines struct {
	most  int
	lines []logLine
	costs []int // of the lines, and size of all
	size  int
	full  bool // there would be more but for mostLines
}

func (l *lastLines) add(line logLine) {
	if l.most == 0 {
		return
	}
	c := cost(line)
	l.lines, l.costs, l.size = append(l.lines, line), append(l.costs, c), l.size+c
	for len(l.lines) > l.most || l.size > mostLines {
		l.full = l.full || len(l.lines) <= l.most
		l.size -= l.costs[0]
		l.lines, l.costs = l.lines[1:], l.costs[1:]
	}
}

func (l *lastLines) list() []logLine { return append([]logLine{}, l.lines...) }
