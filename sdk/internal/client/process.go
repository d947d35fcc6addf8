package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/outrider-run/outrider/sdk/protocol"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// Command is a plugin's executable, to be started as a host does.
type Command struct {
	Path string
	Args []string
	// Env is added to the few variables that a host hands on.
	Env []string
	// Dir is the run's private folder; its path must be short, as the socket
	// stands in it.
	Dir string
	// Stderr takes the process's descriptor 2.
	Stderr io.Writer
}

// Process is a started plugin. It reads the handshake itself instead of using
// go-plugin's client, so that a test sees all that stands on descriptor 1.
type Process struct {
	Task taskv1.TaskClient

	cmd      *exec.Cmd
	conn     *grpc.ClientConn
	lifeline *os.File
	printed  capture
	exited   chan struct{}
	exit     error
}

// startTimeout turns a plugin that never shakes hands into a failure.
const startTimeout = 20 * time.Second

// Start starts the plugin and connects to it.
func Start(ctx context.Context, c Command) (*Process, error) {
	p := &Process{exited: make(chan struct{})}
	p.cmd = exec.Command(c.Path, c.Args...)
	p.cmd.Env = append(environ(), c.Env...)
	p.cmd.Env = append(
		p.cmd.Env,
		protocol.CookieKey+"="+protocol.CookieValue,
		fmt.Sprintf("PLUGIN_PROTOCOL_VERSIONS=%d", protocol.Version),
		"PLUGIN_UNIX_SOCKET_DIR="+c.Dir,
		protocol.LifelineEnv+"=3",
		protocol.RunDirEnv+"="+c.Dir,
	)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.Stderr = c.Stderr
	// A grandchild that holds the descriptors must not hold us.
	p.cmd.WaitDelay = time.Second
	stdout, stdoutWrite, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe: %w", err)
	}
	lifeRead, lifeWrite, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe: %w", err)
	}
	p.lifeline = lifeWrite
	p.cmd.Stdout = stdoutWrite
	p.cmd.ExtraFiles = []*os.File{lifeRead}
	err = p.cmd.Start()
	stdoutWrite.Close()
	lifeRead.Close()
	if err != nil {
		stdout.Close()
		lifeWrite.Close()
		return nil, fmt.Errorf("starting the plugin: %w", err)
	}
	go func() {
		p.exit = p.cmd.Wait()
		close(p.exited)
	}()
	if err := p.connect(ctx, stdout); err != nil {
		p.Kill()
		return nil, err
	}
	return p, nil
}

func environ() []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

func (p *Process) connect(ctx context.Context, stdout *os.File) error {
	first := make(chan string, 1)
	go func() {
		defer stdout.Close()
		r := bufio.NewReader(stdout)
		line, _ := r.ReadString('\n')
		first <- line
		io.Copy(&p.printed, r)
	}()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	var line string
	select {
	case line = <-first:
	case <-ctx.Done():
		return fmt.Errorf("waiting for the handshake: %w", ctx.Err())
	}
	if line == "" {
		select {
		case <-p.exited:
			return fmt.Errorf("the plugin ended before the handshake: %w", p.exit)
		case <-ctx.Done():
			return errors.New("the plugin closed descriptor 1 before the handshake")
		}
	}
	part := strings.Split(strings.TrimSpace(line), "|")
	if len(part) < 5 || part[0] != "1" || part[1] != fmt.Sprint(protocol.Version) || part[2] != "unix" || part[4] != "grpc" {
		return fmt.Errorf("the first line on descriptor 1 is no handshake: %q", line)
	}
	conn, err := grpc.NewClient(
		"unix:"+part[3],
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(protocol.MaxMessage), grpc.MaxCallSendMsgSize(protocol.MaxMessage),
		),
	)
	if err != nil {
		return fmt.Errorf("connecting to the plugin: %w", err)
	}
	p.conn, p.Task = conn, taskv1.NewTaskClient(conn)
	return nil
}

// Execute runs one component; see the function of that name.
func (p *Process) Execute(ctx context.Context, start *taskv1.Start, ev Events) (*taskv1.Result, error) {
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	stream, err := p.Task.Execute(life)
	if err != nil {
		return nil, fmt.Errorf("opening the stream: %w", err)
	}
	r, err := Execute(ctx, stream, start, ev)
	if err != nil {
		// The reason of a broken stream is mostly the end of the process.
		select {
		case <-p.exited:
			return nil, fmt.Errorf("the plugin died without a result: %w", p.ended())
		case <-time.After(time.Second):
		}
	}
	return r, err
}

// Stop says goodbye as go-plugin does and returns how the process ended; what
// does not end within grace is killed, with its group.
func (p *Process) Stop(grace time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if p.conn != nil {
		// The answer may be cut off by the end of the process.
		_ = p.conn.Invoke(ctx, "/plugin.GRPCController/Shutdown", &emptypb.Empty{}, &emptypb.Empty{})
	}
	select {
	case <-p.exited:
	case <-ctx.Done():
		p.Kill()
		return errors.New("the plugin did not end after its shutdown")
	}
	p.close()
	return p.ended()
}

// Kill ends the process and its group at once.
func (p *Process) Kill() {
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.exited
	p.close()
}

func (p *Process) close() {
	if p.conn != nil {
		p.conn.Close()
	}
	p.lifeline.Close()
}

// Hangup is what the plugin sees of a host that dies.
func (p *Process) Hangup() { p.lifeline.Close() }

// Exited is closed when the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Pid is the process's id, and its group's.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Printed is what stood on descriptor 1 behind the handshake.
func (p *Process) Printed() string { return p.printed.String() }

// ended describes the end of a process that has ended; nil for status 0.
func (p *Process) ended() error {
	<-p.exited
	if errors.Is(p.exit, exec.ErrWaitDelay) {
		return nil
	}
	return p.exit
}

// PrivateDir makes a folder with a path that is short enough for a socket.
func PrivateDir() (string, error) {
	base := os.TempDir()
	if len(base) > 60 {
		base = "/tmp"
	}
	dir, err := os.MkdirTemp(base, "outrider-")
	if err != nil {
		return "", fmt.Errorf("making the run's folder: %w", err)
	}
	return filepath.Clean(dir), nil
}

// capture keeps the first 64 KiB that are written to it.
type capture struct {
	mu  sync.Mutex
	buf []byte
}

func (c *capture) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.buf = append(c.buf, b[:min(len(b), 64<<10-len(c.buf))]...)
	return len(b), nil
}

func (c *capture) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.buf)
}
