// Package interp finds the interpreter that a script component asks for: it
// knows where interpreters stand on a machine and how to ask one for its
// version. It runs no script and knows nothing of manifests or runs.
package interp

import (
	"errors"
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// Requirement is what a manifest asks for, such as "python>=3.11,<4" or "bash".
type Requirement struct {
	name     string
	text     string
	versions *semver.Constraints // nil: any
}

// Parse reads a requirement: the interpreter's name, then, if the version
// matters, a constraint as github.com/Masterminds/semver has it (>=3.11,
// ~3.11, ^20, 18.x || >=20). A version alone (python 3.11) means that version
// and its patches.
func Parse(s string) (Requirement, error) {
	text := strings.TrimSpace(s)
	end := strings.IndexFunc(text, func(r rune) bool { return strings.ContainsRune(" \t<>=!~^*@", r) })
	if end < 0 {
		end = len(text)
	}
	name, constraint := text[:end], strings.TrimSpace(strings.TrimPrefix(text[end:], "@"))
	if name == "" {
		return Requirement{}, fmt.Errorf("interpreter %q has no name (want for example python>=3.11)", s)
	}
	if strings.ContainsAny(name, `/\`) {
		return Requirement{}, fmt.Errorf("interpreter %q is a path; give its name (want for example python>=3.11), or put the path into the command", s)
	}
	r := Requirement{name: name, text: text}
	if constraint == "" {
		return r, nil
	}
	var err error
	if r.versions, err = semver.NewConstraint(constraint); err != nil {
		return Requirement{}, fmt.Errorf("interpreter %q: version constraint %q is not understood (want for example >=3.11,<4): %w", s, constraint, err)
	}
	return r, nil
}

// String returns the requirement as it was written.
func (r Requirement) String() string { return r.text }

// Family returns the name without version digits: python for python3.
func (r Requirement) Family() string {
	switch f := strings.TrimRight(r.name, "0123456789."); f {
	case "":
		return r.name
	case "nodejs":
		return "node"
	default:
		return f
	}
}

// accepts reports why v does not do. Pre-releases do where their release would
// (a Python 3.14.0rc1 for >=3.14), since somebody put them there on purpose.
func (r Requirement) accepts(v *semver.Version) error {
	if r.versions == nil {
		return nil
	}
	release, err := v.SetPrerelease("")
	if err != nil {
		return fmt.Errorf("dropping the pre-release of %s: %w", v, err)
	}
	if ok, errs := r.versions.Validate(&release); !ok {
		return errors.Join(errs...)
	}
	return nil
}
