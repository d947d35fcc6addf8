package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/outrider-run/outrider/sdk/internal/process"
	"github.com/outrider-run/outrider/sdk/manifest"
	"github.com/outrider-run/outrider/sdk/protocol"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// lastWait bounds the wait for a task after the host hung up. The host kills
// long before; this is for one that does not.
const lastWait = 10 * time.Second

// Server serves the components of one plugin.
type Server struct {
	taskv1.UnimplementedTaskServer

	stamp      manifest.Manifest
	components []*Component

	mu      sync.Mutex
	begun   bool
	working sync.WaitGroup
}

// NewServer takes the plugin's own stamps and its components.
func NewServer(stamp manifest.Manifest, components []*Component) *Server {
	return &Server{stamp: stamp, components: components}
}

// Check reports everything that is wrong with the components' definitions.
func (s *Server) Check() error {
	errs := []error{s.CheckNames()}
	for _, c := range s.components {
		if err := c.Check(); err != nil {
			errs = append(errs, fmt.Errorf("component %q: %w", c.Name, err))
		}
	}
	return errors.Join(errs...)
}

// CheckNames is the part of Check that costs nothing. Under a host a plugin
// checks the rest only of the component that it is to run: the host has had it
// described before, and a start must not take longer for what is not used.
func (s *Server) CheckNames() error {
	var errs []error
	if len(s.components) == 0 {
		errs = append(errs, errors.New("there is no component to serve"))
	}
	seen := make(map[string]bool, len(s.components))
	for _, c := range s.components {
		if err := manifest.CheckName(c.Name); err != nil {
			errs = append(errs, err)
		}
		if seen[c.Name] {
			errs = append(errs, fmt.Errorf("component %q is defined twice", c.Name))
		}
		seen[c.Name] = true
	}
	return errors.Join(errs...)
}

// Manifest describes the plugin.
func (s *Server) Manifest() (manifest.Manifest, error) {
	m := s.stamp
	m.Protocols = []int{protocol.Version}
	m.Components = make([]manifest.Component, 0, len(s.components))
	for _, c := range s.components {
		mc, err := c.Describe()
		if err != nil {
			return m, fmt.Errorf("describing component %q: %w", c.Name, err)
		}
		m.Components = append(m.Components, mc)
	}
	return m, m.Validate()
}

// Describe answers with the manifest.
func (s *Server) Describe(context.Context, *taskv1.DescribeRequest) (*taskv1.DescribeResponse, error) {
	m, err := s.Manifest()
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encoding the manifest: %w", err)
	}
	return &taskv1.DescribeResponse{Manifest: raw}, nil
}

// Local runs one component over stream in a process that is no plugin.
func (s *Server) Local(stream Stream) error { return s.execute(stream, nowhere{}) }

func (s *Server) find(name string) *Component {
	for _, c := range s.components {
		if c.Name == name {
			return c
		}
	}
	return nil
}

func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.begun {
		return false
	}
	s.begun = true
	s.working.Add(1)
	return true
}

// Serve is a plugin's main: it returns when the host is done with this process
// and the component has returned.
func (s *Server) Serve() error {
	process.LeaveSignals()
	os.Stdout = process.Stdout()
	listening := false
	go protocol.Warm()
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  protocol.Handshake(),
		VersionedPlugins: protocol.Plugins(s),
		Logger:           hclog.New(&hclog.LoggerOptions{Level: hclog.Error, Output: os.Stderr}),
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			listening = true
			process.Disown()
			return grpc.NewServer(append(opts,
				grpc.MaxRecvMsgSize(protocol.MaxMessage),
				grpc.MaxSendMsgSize(protocol.MaxMessage),
			)...)
		},
	})
	if !listening {
		return errors.New("the plugin could not open its socket")
	}
	s.wait()
	return nil
}

// wait gives the component the time to clean up that go-plugin does not: it
// returns as soon as the host says goodbye.
func (s *Server) wait() {
	done := make(chan struct{})
	go func() {
		s.working.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(lastWait):
	}
}
