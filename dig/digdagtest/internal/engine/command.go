package engine

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// workdir is where a command starts, and its folder for files beside it.
type workdir struct{ dir, temp string }

func (j *job) newWorkdir(operator string) (workdir, *failure) {
	sub := ""
	if j.config.Get("_workdir") != nil {
		var f *failure
		if sub, f = j.text(j.config, "_workdir"); f != nil {
			return workdir{}, f
		}
	}
	dir := filepath.Join(j.workspace, sub)
	if !strings.HasPrefix(dir, j.workspace) {
		return workdir{}, fail(failure{message: fmt.Sprintf("Working directory must not be outside of project path (%s): %s", j.workspace, sub), kind: "illegal argument"})
	}
	temp := filepath.Join(j.workspace, ".digdag", "tmp")
	if err := os.MkdirAll(temp, 0o755); err != nil {
		return workdir{}, fail(unexpected(err.Error()))
	}
	temp, err := makeDir(temp, fmt.Sprintf("digdag-%s-%d-", operator, j.task))
	if err != nil {
		return workdir{}, fail(unexpected(err.Error()))
	}
	return workdir{dir, temp}, nil
}

// relative is the path of a file in the folder, as the command sees it.
func (w workdir) relative(name string) string {
	path, err := filepath.Rel(w.dir, filepath.Join(w.temp, name))
	if err != nil {
		return filepath.Join(w.temp, name)
	}
	return path
}

func (w workdir) write(name, text string) *failure {
	if err := os.WriteFile(filepath.Join(w.temp, name), []byte(text), 0o644); err != nil {
		return fail(unexpected(err.Error()))
	}
	return nil
}

// command runs a program the way Digdag's simple executor does and waits for
// the end of its output, then for its own. It gets three descriptors: a pipe
// that never says anything and stays open as long as this process lives, and
// one pipe for both outputs. It is in our process group, nothing kills it when
// we die, and no cancel ever reaches it.
func (j *job) command(argv []string, dir string, env map[string]string) (code int, f *failure) {
	if j.config.Has("docker") {
		if argv, f = j.inDocker(argv, dir, env); f != nil {
			return 0, f
		}
		env = nil
	}
	stdin, keepOpen, err := os.Pipe()
	if err != nil {
		return 0, fail(unexpected(err.Error()))
	}
	defer keepOpen.Close()
	output, stdout, err := os.Pipe()
	if err != nil {
		stdin.Close()
		return 0, fail(unexpected(err.Error()))
	}
	defer output.Close()
	start := func(argv []string) (*exec.Cmd, error) {
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir = dir
		cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, stdout
		cmd.Env = os.Environ()
		for k, v := range env {
			cmd.Env = append(cmd.Env, k+"="+v)
		}
		return cmd, cmd.Start()
	}
	cmd, err := start(argv)
	if errors.Is(err, syscall.ENOEXEC) { // a script without #!: Java tries the shell
		cmd, err = start(append([]string{"/bin/sh"}, argv...))
	}
	stdin.Close()
	stdout.Close()
	if err != nil {
		return 0, fail(cannotRun(argv[0], dir, err))
	}
	if _, err := io.Copy(io.MultiWriter(j.log, j.engine.cfg.Output), output); err != nil {
		return 0, fail(unexpected(err.Error()))
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, fail(unexpected(err.Error()))
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return cmd.ProcessState.ExitCode(), nil
}

// cannotRun says it as Java does.
func cannotRun(program, dir string, err error) failure {
	number, text := 2, "No such file or directory"
	var errno syscall.Errno
	if errors.As(err, &errno) {
		number, text = int(errno), errno.Error()
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	return unexpected(fmt.Sprintf("java.io.IOException: Cannot run program %q (in directory %q): error=%d, %s", program, dir, number, text))
}
