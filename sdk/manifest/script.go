package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// ScriptSuffix ends the file name of every script manifest.
const ScriptSuffix = ".component.yml"

// Outcome is what a manifest makes of a program's exit code.
type Outcome string

// The outcomes that an exit code may stand for. Exit code 0 is success and any
// code that is not listed is OutcomeFail.
const (
	OutcomeFail      Outcome = "fail"      // failed; nothing is known of a retry
	OutcomeRetry     Outcome = "retry"     // failed; a retry may help
	OutcomePermanent Outcome = "permanent" // failed; a retry does not help
	OutcomeSkip      Outcome = "skip"      // there was nothing to do
)

// UnmarshalText refuses what is no outcome.
func (o *Outcome) UnmarshalText(text []byte) error {
	switch v := Outcome(text); v {
	case OutcomeFail, OutcomeRetry, OutcomePermanent, OutcomeSkip:
		*o = v
		return nil
	}
	return errors.New("want permanent, retry, skip or fail")
}

// Outputs is where a program's outputs are taken from.
type Outputs string

const (
	// OutputsNone means that the program has no outputs.
	OutputsNone Outputs = "none"
	// OutputsEvents means events on file descriptor 3, one JSON object a line:
	// {"outrider":1,"output":{…}}.
	OutputsEvents Outputs = "events"
)

// UnmarshalText refuses what is no way to take outputs.
func (o *Outputs) UnmarshalText(text []byte) error {
	switch v := Outputs(text); v {
	case OutputsNone, OutputsEvents:
		*o = v
		return nil
	}
	return errors.New("want events or none")
}

// Script is a *.component.yml: a component that is a program in any language,
// beside its manifest.
type Script struct {
	Name        string
	Doc         string
	Destructive bool
	// Params is a JSON Schema of type object; Output too, nil when the program
	// has no outputs. Both refuse unknown names unless the manifest says so.
	Params   json.RawMessage
	Output   json.RawMessage
	Examples []Example
	// Interpreter runs the program: a name and, if it matters, a version, such
	// as python>=3.11. Empty: the program runs by itself.
	Interpreter string
	// Command is the program and its arguments. With an interpreter the program
	// is a file; else it is one if its name has a slash, and is looked up on
	// PATH if not. A relative file stands beside the manifest.
	Command []string
	// ExitCodes says what exit codes from 1 to 255 stand for.
	ExitCodes map[int]Outcome
	// Outputs is OutputsEvents when there is an output schema and the manifest
	// does not say more.
	Outputs Outputs
}

// Component is the script as the catalogue and its callers see it.
func (s Script) Component() Component {
	return Component{Name: s.Name, Doc: s.Doc, Destructive: s.Destructive, Params: s.Params, Output: s.Output, Examples: s.Examples}
}

// Program is the program to run, for a manifest that stands in the folder dir.
// isFile tells a file, whose content is part of the component, from a name to be
// looked up on PATH.
func (s Script) Program(dir string) (path string, isFile bool) {
	if len(s.Command) == 0 {
		return "", false
	}
	path = s.Command[0]
	switch {
	case filepath.IsAbs(path):
		return filepath.Clean(path), true
	case s.Interpreter != "" || strings.Contains(path, "/"):
		return filepath.Join(dir, path), true
	}
	return path, false
}

// Outcome is what the exit code stands for; ok is false for success.
func (s Script) Outcome(code int) (o Outcome, ok bool) {
	if code == 0 {
		return "", false
	}
	if o, ok := s.ExitCodes[code]; ok {
		return o, true
	}
	return OutcomeFail, true
}

// LoadScript reads the manifest at path.
func LoadScript(path string) (Script, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Script{}, fmt.Errorf("read script manifest: %w", err)
	}
	if !info.Mode().IsRegular() { // opening a fifo would wait for ever
		return Script{}, fmt.Errorf("read script manifest: %s is no regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return Script{}, fmt.Errorf("read script manifest: %w", err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, MaxYAML+1)) // what is larger is refused by its size
	if err != nil {
		return Script{}, fmt.Errorf("read script manifest: %w", err)
	}
	s, err := ParseScript(data)
	if err != nil {
		return Script{}, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// ParseScript reads a manifest's text.
func ParseScript(data []byte) (Script, error) {
	var f scriptFile
	if err := DecodeYAML(data, &f); err != nil {
		return Script{}, err
	}
	if f.Params == nil {
		f.Params = schema(emptySchema)
	}
	if f.Outputs == "" {
		f.Outputs = OutputsNone
		if f.Output != nil {
			f.Outputs = OutputsEvents
		}
	}
	s := Script{
		Name: string(f.Name), Doc: f.Doc, Destructive: f.Destructive,
		Params: json.RawMessage(f.Params), Output: json.RawMessage(f.Output),
		Interpreter: string(f.Interpreter), Command: f.Command, Outputs: f.Outputs,
	}
	for _, e := range f.Examples {
		if e.Params == nil {
			e.Params = object("{}")
		}
		s.Examples = append(s.Examples, Example{Doc: e.Doc, Params: json.RawMessage(e.Params)})
	}
	if len(f.ExitCodes) > 0 {
		s.ExitCodes = make(map[int]Outcome, len(f.ExitCodes))
	}
	for code, o := range f.ExitCodes {
		s.ExitCodes[int(code)] = o
	}
	return s, s.check()
}

// check reports what no single field shows.
func (s Script) check() error {
	var errs []error
	if s.Name == "" {
		errs = append(errs, errors.New("name is missing"))
	}
	switch {
	case len(s.Command) == 0:
		errs = append(errs, errors.New("command is missing: a list of the program and its arguments"))
	case s.Command[0] == "":
		errs = append(errs, errors.New("command begins with an empty text, want the program"))
	case s.Interpreter != "" && strings.HasPrefix(s.Command[0], "-"):
		errs = append(errs, fmt.Errorf("command begins with %s: with an interpreter it must begin with the script's file", shorten(s.Command[0])))
	}
	for i, arg := range s.Command {
		if strings.ContainsRune(arg, 0) {
			errs = append(errs, fmt.Errorf("command[%d] has a NUL character, which no program can be given", i))
		}
	}
	for code, o := range s.ExitCodes {
		if o == "" {
			errs = append(errs, fmt.Errorf("exit_codes.%d is empty, want permanent, retry, skip or fail", code))
		}
	}
	if s.Output != nil && s.Outputs == OutputsNone {
		errs = append(errs, errors.New("output is a schema although outputs is none"))
	}
	return errors.Join(errs...)
}
