package launch

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"

	"github.com/outrider-run/outrider/runner/internal/proc"
	"github.com/outrider-run/outrider/sdk/protocol"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// Command is the program of a plugin.
type Command struct {
	Path string
	Args []string
}

// Options say what to start and how.
type Options struct {
	Command Command
	// Dir is the run's private folder (0700). It exists; the socket is made in it.
	Dir string
	// Live is handed on as descriptor 4, so that it stays open as long as the
	// plugin lives; may be nil.
	Live *os.File
	// Env is the plugin's environment but for what launch itself sets; see Environ.
	Env []string
	// StartTimeout bounds the time from the start to the connection; 0: 10 s.
	StartTimeout time.Duration
	Stop         StopBudget
	// Started is called when the process is on its way; nil for nothing. What the host
	// has to do meanwhile holds it up least from then on.
	Started func()
	// Log takes launch's own talk, at debug level; may be nil.
	Log hclog.Logger
	// Lines takes what the process prints on its descriptors 1 and 2; may be
	// nil. It is never called at the same time as Events.
	Lines func(*taskv1.LogLine)
}

// StopBudget is how long each step of a stop may take; see Execute and Close.
type StopBudget struct {
	// Cancel is how long a task may take to stop once asked; 0: 9 s.
	Cancel time.Duration
	// Kill is how long the process may take to exit once its task is over; 0: 300 ms.
	Kill time.Duration
	// Reap is how long killed processes may take to be gone; 0: 500 ms.
	Reap time.Duration
}

func (o Options) withDefaults() Options {
	or := func(d *time.Duration, byDefault time.Duration) {
		if *d == 0 {
			*d = byDefault
		}
	}
	or(&o.StartTimeout, 10*time.Second)
	or(&o.Stop.Cancel, 9*time.Second)
	or(&o.Stop.Kill, 300*time.Millisecond)
	or(&o.Stop.Reap, 500*time.Millisecond)
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Started == nil {
		o.Started = func() {}
	}
	if o.Lines == nil {
		o.Lines = func(*taskv1.LogLine) {}
	}
	return o
}

// Plugin is a plugin process that is up and connected.
type Plugin struct {
	o      Options
	client *plugin.Client
	task   taskv1.TaskClient

	stdout handshake
	stderr *stderr
	stdio  [2]*splitter // what a plugin without our SDK prints on os.Stdout and os.Stderr

	// say is held during every call of Lines and Events.
	say sync.Mutex

	mu       sync.Mutex
	process  *proc.Process // nil until it is started
	lifeline *proc.Lifeline
	aborted  bool
	pipes    []*proc.Pipe
	drained  sync.WaitGroup

	begun   atomic.Bool // Execute was called
	orderly atomic.Bool // no task runs: the process may exit by itself
	killed  atomic.Bool // by Kill
	refused atomic.Bool // go-plugin took it for no plugin, and killed it
	over    atomic.Bool // Close has returned: no line any more
	closed  sync.Once
}

// Start starts the plugin and connects to it. Whatever goes wrong, no process
// of it is left. The error is an *Error unless ctx ended.
func Start(ctx context.Context, o Options) (*Plugin, error) {
	o = o.withDefaults()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("start plugin %s: %w", o.Command.Path, context.Cause(ctx))
	}
	if err := checkSocketPath(o.Dir); err != nil {
		return nil, failed(o, CodeStart, err)
	}
	p := newPlugin(o)
	// A context of its own: what is started must not depend on when ctx ends.
	life, abort := context.WithCancelCause(context.WithoutCancel(ctx))
	defer abort(nil)
	p.client = plugin.NewClient(p.config(life))
	connected := make(chan error, 1)
	go func() { connected <- p.connect(life) }()

	late := time.NewTimer(o.StartTimeout)
	defer late.Stop()
	select {
	case err := <-connected:
		if err == nil {
			p.orderly.Store(true)
			return p, nil
		}
		return nil, p.failedStart(err)
	case <-late.C:
		abort(errLate)
		p.abort()
		return nil, p.late()
	case <-ctx.Done():
		abort(context.Cause(ctx))
		p.abort()
		p.Close()
		return nil, fmt.Errorf("start plugin %s: %w", o.Command.Path, context.Cause(ctx))
	}
}

func newPlugin(o Options) *Plugin {
	p := &Plugin{o: o}
	p.stdout.init(p.printed(sourceStdout))
	p.stderr = newStderr(p.line)
	for i, source := range []string{sourceStdout, sourceStderr} {
		p.stdio[i] = newSplitter(p.printed(source))
	}
	return p
}

// config is go-plugin's view. AutoMTLS stays off: it would cost four starts, and
// the socket stands in a folder of this user alone.
func (p *Plugin) config(life context.Context) *plugin.ClientConfig {
	return &plugin.ClientConfig{
		HandshakeConfig:  protocol.Handshake(),
		VersionedPlugins: protocol.Plugins(nil),
		RunnerFunc:       p.runner(life),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		SkipHostEnv:      true,
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: p.o.Dir},
		// Ours ends first and knows what to say.
		StartTimeout: p.o.StartTimeout + time.Minute,
		Logger:       hclog.NewNullLogger(),
		SyncStdout:   p.stdio[0],
		SyncStderr:   p.stdio[1],
		GRPCDialOptions: []grpc.DialOption{grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(protocol.MaxMessage),
			grpc.MaxCallSendMsgSize(protocol.MaxMessage),
		)},
	}
}

// connect starts the process and waits for a connection. go-plugin opens its
// own streams in Client, so the connection's state is known without another
// round trip; a refused one it takes for an old plugin and says nothing.
func (p *Plugin) connect(life context.Context) error {
	c, err := p.client.Client()
	if err != nil {
		return err
	}
	if g, ok := c.(*plugin.GRPCClient); ok {
		s := g.Conn.GetState()
		for s == connectivity.Connecting && g.Conn.WaitForStateChange(life, s) {
			s = g.Conn.GetState() // it lags behind the streams by a moment
		}
		if s != connectivity.Ready {
			return fmt.Errorf("its socket %s takes no connection (%s)", p.stdout.address(), s)
		}
	}
	raw, err := c.Dispense(protocol.Service)
	if err != nil {
		return fmt.Errorf("dispense %q: %w", protocol.Service, err)
	}
	task, ok := raw.(taskv1.TaskClient)
	if !ok {
		return fmt.Errorf("dispense %q: got a %T", protocol.Service, raw)
	}
	p.task = task
	return nil
}

// maxSocketPath is the longest path of a unix socket: sun_path less the closing
// NUL, 108 bytes on Linux (unix(7)) and 104 elsewhere.
const maxSocketPath = socketPathSize - 1

// checkSocketPath reports a folder in which the longest name that go-plugin may
// choose does not fit. The plugin would only say "invalid argument".
func checkSocketPath(dir string) error {
	longest := filepath.Join(dir, "plugin-dir4294967295", "plugin4294967295")
	if len(longest) <= maxSocketPath {
		return nil
	}
	return fmt.Errorf("the path of its socket would be up to %d bytes long and the system allows %d: the run's folder %s is %d bytes too deep; set OUTRIDER_STATE to a shorter path",
		len(longest), maxSocketPath, dir, len(longest)-maxSocketPath)
}
