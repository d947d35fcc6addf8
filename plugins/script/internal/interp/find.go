package interp

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// Finder looks for interpreters on this machine.
type Finder struct {
	// Dir is the script's folder: a virtual environment may stand there, and
	// `X --version` runs there.
	Dir string
	// Env is the environment to look in (PATH, HOME, PYENV_ROOT, …) and to ask
	// interpreters in.
	Env []string
	// Timeout bounds one `X --version`; 0 means 5 s.
	Timeout time.Duration
}

// Candidate is an interpreter that was looked at.
type Candidate struct {
	Path    string
	Version string // empty: not asked, or Problem says why there is none
	Problem string // why it will not do
}

// NotFoundError says that nothing on the machine meets the requirement.
type NotFoundError struct {
	Want   string
	Found  []Candidate
	Looked []string
}

// Error lists everything that was found, with versions, and where it looked.
func (e *NotFoundError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "no interpreter %s on this machine; found: ", e.Want)
	if len(e.Found) == 0 {
		b.WriteString("none")
	}
	for i, c := range e.Found {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(c.Path)
		if c.Version != "" {
			b.WriteString(" " + c.Version)
		} else {
			b.WriteString(" (" + c.Problem + ")")
		}
	}
	b.WriteString("; looked in: " + strings.Join(e.Looked, ", "))
	return b.String()
}

// Find returns the first interpreter that meets r, or a *NotFoundError. Nothing
// is asked for its version that need not be: without a constraint the first
// one does, but for a shim, which may stand for a program that is not there.
func (f Finder) Find(ctx context.Context, r Requirement) (Candidate, error) {
	miss := &NotFoundError{Want: r.String()}
	seen := map[string]bool{}
	for _, p := range places(r, f.Dir, f.getenv) {
		miss.Looked = append(miss.Looked, p.name)
		for _, path := range p.candidates {
			if seen[path] {
				continue
			}
			seen[path] = true
			c, ok := f.try(ctx, r, path)
			if ctx.Err() != nil {
				return Candidate{}, fmt.Errorf("looking for interpreter %s: %w", r, context.Cause(ctx))
			}
			if ok {
				return c, nil
			}
			miss.Found = append(miss.Found, c)
		}
	}
	return Candidate{}, miss
}

// try looks at one program.
func (f Finder) try(ctx context.Context, r Requirement, path string) (Candidate, bool) {
	c := Candidate{Path: path}
	if r.versions == nil && !isShims(filepath.Dir(path)) {
		return c, true
	}
	v, err := f.probe(ctx, path)
	if err != nil {
		c.Problem = err.Error()
		return c, false
	}
	c.Version = v.String()
	if err := r.accepts(v); err != nil {
		c.Problem = err.Error()
		return c, false
	}
	return c, true
}

// getenv looks into Env; as in exec.Cmd the last one of a name counts.
func (f Finder) getenv(name string) string {
	for i := len(f.Env) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(f.Env[i], name+"="); ok {
			return v
		}
	}
	return ""
}
