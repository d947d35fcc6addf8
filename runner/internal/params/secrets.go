package params

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxSecret is the largest file that a secret is read from.
const maxSecret = 64 << 10

// Lookup is where references lead.
type Lookup struct {
	// Env finds an environment variable, as os.LookupEnv does.
	Env func(name string) (string, bool)
	// Open opens a file; nil is os.Open.
	Open func(path string) (io.ReadCloser, error)
}

// WithSecrets returns the parameters with every reference replaced by its value,
// for the plugin's eyes only, and the values, literals included, for redaction.
// One line ending at the end of a file is not part of the secret. All references
// that lead nowhere are reported at once, as *Problems.
func (r Resolved) WithSecrets(ctx context.Context, from Lookup) (json.RawMessage, []string, error) {
	if len(r.secrets) == 0 {
		return r.JSON, nil, nil
	}
	tree := clone(r.tree).(map[string]any)
	var values []string
	var problems Problems
	for _, p := range r.secrets {
		value, _ := get(tree, p).(string)
		if value == mask {
			problems.add(Problem{Path: p.String(), Text: mask + " stands for a text that was not recorded; give a reference to it, such as env:NAME"})
			continue
		}
		if isReference(value) {
			reference := value
			var err error
			if value, err = from.resolve(ctx, reference); err != nil {
				problems.add(Problem{Path: p.String(), Text: fmt.Sprintf("%s: %v", reference, err)})
				continue
			}
			replace(tree, p, value)
		}
		if value != "" && !slices.Contains(values, value) {
			values = append(values, value)
		}
	}
	if err := problems.err(); err != nil {
		return nil, nil, err
	}
	text, err := encode(tree)
	if err != nil {
		return nil, nil, err
	}
	return text, values, nil
}

// mask stands in a record for a secret that was given as text.
const mask = "***"

func isReference(s string) bool {
	return strings.HasPrefix(s, "env:") || strings.HasPrefix(s, "file:")
}

// Value is text, or what it refers to when it is a reference.
func (l Lookup) Value(ctx context.Context, text string) (string, error) {
	if !isReference(text) {
		return text, nil
	}
	value, err := l.resolve(ctx, text)
	if err != nil {
		return "", fmt.Errorf("%s: %w", text, err)
	}
	return value, nil
}

// resolve never puts what it read into an error.
func (l Lookup) resolve(ctx context.Context, reference string) (string, error) {
	value := ""
	if name, ok := strings.CutPrefix(reference, "env:"); ok {
		var there bool
		if value, there = l.Env(name); !there {
			return "", errors.New("this variable is not set")
		}
	} else {
		text, err := l.file(ctx, strings.TrimPrefix(reference, "file:"))
		if err != nil {
			return "", err
		}
		value = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	}
	switch {
	case value == "":
		return "", errors.New("this secret is empty")
	case !utf8.ValidString(value):
		return "", errors.New("this secret is not valid UTF-8")
	case strings.IndexByte(value, 0) >= 0:
		return "", errors.New("this secret holds a NUL character")
	}
	return value, nil
}

func (l Lookup) file(ctx context.Context, path string) (string, error) {
	open := l.Open
	if open == nil {
		open = func(path string) (io.ReadCloser, error) { return os.Open(path) }
	}
	// Even opening may block, for a pipe that nobody writes to.
	text, err := await(ctx, func() ([]byte, error) {
		f, err := open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return readMost(f, maxSecret)
	})
	var bad *os.PathError
	if errors.As(err, &bad) { // the path stands in the reference already
		err = bad.Err
	}
	return string(text), err
}
