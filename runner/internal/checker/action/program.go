package action

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Program is a Host by the outrider program: each run is a child in a process group of its
// own. It goes on when the checker is killed, and whoever asks for it again waits for it.
type Program struct {
	// Path of the program, and of the config that it is to read; "" leaves that to it.
	Path, Config string
	// Env is its whole environment.
	Env []string
}

const (
	// stepTime bounds a step.
	stepTime = 10 * time.Minute
	// stopTime is how long the program may take to end a step, and then to go.
	stopTime = 12 * time.Second
	// maxErr is how much of its stderr is looked at, from the end.
	maxErr = 64 << 10
)

// FindProgram finds the outrider program beside an executable, else on PATH.
func FindProgram(executable string) (string, error) {
	beside := filepath.Join(filepath.Dir(executable), "outrider")
	if st, err := os.Stat(beside); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
		return beside, nil
	}
	path, err := exec.LookPath("outrider")
	if err != nil {
		return "", fmt.Errorf("actions need the outrider program: it is neither %s nor on PATH", beside)
	}
	return path, nil
}

// Run runs a component by the program, as nobody's task: the engine that called the
// checker has no part in it. Ending ctx asks the program to end the run, and then kills
// it with its group.
func (p *Program) Run(ctx context.Context, onceKey string, labels map[string]string, component string, params []byte) (run string, output json.RawMessage, err error) {
	cmd := exec.CommandContext(ctx, p.Path, p.args(onceKey, labels, component)...)
	cmd.Env = p.environ()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = stopTime
	talk := &tail{most: maxErr}
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(params), &out, talk
	err = cmd.Run()
	if ctx.Err() != nil {
		if cmd.Process != nil {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what is left of its group
		}
		return "", nil, fmt.Errorf("%s was stopped: %w", component, context.Cause(ctx))
	}
	o, told := outcomeIn(talk.text)
	switch {
	case !told && err != nil:
		return "", nil, errors.New(lastWords(talk.text, err))
	case !told:
		return "", nil, fmt.Errorf("%s ended without its outcome; is %s the outrider program of this version?", component, p.Path)
	case o.State != "success" && o.State != "skipped":
		return o.Run, nil, errors.New(o.line())
	case err != nil:
		return o.Run, nil, err
	}
	return o.Run, json.RawMessage(bytes.TrimSpace(out.Bytes())), nil
}

func (p *Program) args(onceKey string, labels map[string]string, component string) []string {
	args := []string{"run", "--engine", "none", "--once-key", onceKey, "--timeout", stepTime.String(), "--log-format", "json", "--yes", "--params", "-"}
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		// An argument cannot hold a NUL.
		args = append(args, "--label", strings.ReplaceAll(name+"="+labels[name], "\x00", "\uFFFD"))
	}
	if p.Config != "" {
		args = append(args, "--config", p.Config)
	}
	return append(args, component)
}

// environ is without what would have it run again after a success.
func (p *Program) environ() []string {
	return slices.DeleteFunc(slices.Clone(p.Env), func(kv string) bool { return strings.HasPrefix(kv, "OUTRIDER_FORCE=") })
}

// outcome is the last line that the program writes to stderr.
type outcome struct {
	Run   string `json:"run"`
	State string `json:"state"`
	Code  string `json:"code"`
	Error string `json:"error"`
}

func (o outcome) line() string {
	text := o.State
	if o.Code != "" {
		text += " (" + o.Code + ")"
	}
	if o.Error != "" {
		text += ": " + o.Error
	}
	return text
}

func outcomeIn(text []byte) (o outcome, ok bool) {
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	err := json.Unmarshal(lines[len(lines)-1], &o)
	return o, err == nil && o.Run != "" && o.State != ""
}

// lastWords are what it said when it could not even begin.
func lastWords(text []byte, err error) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if said := strings.TrimSpace(lines[len(lines)-1]); said != "" {
		return said + " (" + err.Error() + ")"
	}
	return err.Error()
}

// tail keeps the end of what is written to it.
type tail struct {
	text []byte
	most int
}

func (t *tail) Write(b []byte) (int, error) {
	t.text = append(t.text, b...)
	if over := len(t.text) - t.most; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(b), nil
}
