package params

import (
	"fmt"
	"strings"
)

// maxProblems bounds what is listed: a wrong type in an array of a million items
// says nothing more after the first thousand.
const maxProblems = 1000

// Problem is one thing that is wrong with the parameters.
type Problem struct {
	// Path is where, such as tags[2].name; empty for a whole source.
	Path string
	// Text says what was found and what was expected, without a secret.
	Text string
	// From is the source of the value, such as "--set"; empty if there is none.
	From string
}

func (p Problem) String() string {
	s := p.Text
	if p.Path != "" {
		s = p.Path + ": " + s
	}
	if p.From != "" {
		s += " (from " + p.From + ")"
	}
	return s
}

// Problems is the error that lists all that is wrong.
type Problems struct {
	List []Problem
}

func (p *Problems) Error() string {
	if len(p.List) == 1 {
		return "bad parameters: " + p.List[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "bad parameters: %d problems:", len(p.List))
	for _, one := range p.List {
		b.WriteString("\n  " + one.String())
	}
	if len(p.List) >= maxProblems {
		b.WriteString("\n  and perhaps more")
	}
	return b.String()
}

// err is nil while nothing is wrong.
func (p *Problems) err() error {
	if len(p.List) == 0 {
		return nil
	}
	return p
}

func (p *Problems) add(one Problem) {
	if len(p.List) < maxProblems {
		p.List = append(p.List, one)
	}
}

func (p *Problems) full() bool { return len(p.List) >= maxProblems }
