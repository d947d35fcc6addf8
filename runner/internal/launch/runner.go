package launch

import (
	"context"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin/runner"

	"github.com/outrider-run/outrider/runner/internal/proc"
	"github.com/outrider-run/outrider/sdk/protocol"
)

// adapter is the process as go-plugin wants to see it. All that the process
// prints is read by us: go-plugin sees one line of stdout, the handshake, and
// nothing of stderr, whose parser can be crashed by a plugin.
type adapter struct {
	p    *Plugin
	life context.Context
	env  []string
}

var _ runner.Runner = (*adapter)(nil)

// runner returns go-plugin's RunnerFunc. cmd only carries the environment.
func (p *Plugin) runner(life context.Context) func(hclog.Logger, *exec.Cmd, string) (runner.Runner, error) {
	return func(_ hclog.Logger, cmd *exec.Cmd, _ string) (runner.Runner, error) {
		return &adapter{p: p, life: life, env: cmd.Env}, nil
	}
}

// Start starts the process and the readers of what it prints.
func (a *adapter) Start(context.Context) error {
	p := a.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.aborted {
		return context.Cause(a.life)
	}
	out, childOut, err := proc.NewPipe()
	if err != nil {
		return err
	}
	defer func() { _ = childOut.Close() }()
	errs, childErr, err := proc.NewPipe()
	if err != nil {
		out.Close()
		return err
	}
	defer func() { _ = childErr.Close() }()
	process, err := a.start(childOut, childErr)
	if err != nil {
		out.Close()
		errs.Close()
		return err
	}
	go protocol.Warm()
	p.o.Started()
	p.process, p.pipes = process, []*proc.Pipe{out, errs}
	p.drained.Go(func() {
		out.Drain(process.Done(), p.stdout.write)
		p.stdout.end()
	})
	p.drained.Go(func() {
		errs.Drain(process.Done(), p.stderr.write)
		p.stderr.end()
	})
	p.o.Log.Debug("started plugin", "path", p.o.Command.Path, "pid", process.Pid())
	return nil
}

func (a *adapter) start(stdout, stderr *os.File) (*proc.Process, error) {
	line, err := proc.NewLifeline()
	if err != nil {
		return nil, err
	}
	extra := []*os.File{line.End()}
	if a.p.o.Live != nil {
		extra = append(extra, a.p.o.Live)
	}
	process, err := proc.Start(a.life, proc.Spec{
		Path: a.p.o.Command.Path, Args: a.p.o.Command.Args, Env: a.p.o.environ(a.env),
		Stdout: stdout, Stderr: stderr, Extra: extra,
	})
	if err != nil {
		line.Close()
		return nil, err
	}
	a.p.lifeline = line
	return process, nil
}

func (a *adapter) Stdout() io.ReadCloser { return a.p.stdout.reader() }
func (a *adapter) Stderr() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }
func (a *adapter) Name() string          { return a.p.o.Command.Path }

// ID is the process id, empty when there is none.
func (a *adapter) ID() string {
	process := a.p.running()
	if process == nil {
		return ""
	}
	return strconv.Itoa(process.Pid())
}

// Wait returns when the process has ended.
func (a *adapter) Wait(context.Context) error {
	<-a.p.running().Done()
	return nil
}

// Kill is what go-plugin does to a plugin that it refuses, and its last resort.
func (a *adapter) Kill(context.Context) error {
	a.p.refused.Store(true)
	a.p.running().KillGroup()
	return nil
}

// Diagnose leaves the words to Error.
func (a *adapter) Diagnose(context.Context) string { return "" }

func (a *adapter) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}

func (a *adapter) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}

// running is the process, nil before it is started.
func (p *Plugin) running() *proc.Process {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.process
}
