// Package protocol is the contract between host and plugin: the handshake, the
// protocol versions and the gRPC adapter, for both sides. What the messages
// mean stands in taskv1/task.proto. Neither the life of a run nor anything of
// an author's API lives here.
package protocol

import (
	"context"
	"errors"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

const (
	// Version is the newest protocol version that this module speaks.
	Version = 1
	// CookieKey and CookieValue tell a plugin that a host started it. They
	// guard against a start by hand, nothing else.
	CookieKey   = "OUTRIDER_PLUGIN"
	CookieValue = "b0d6f0a1-outrider-task"
	// MaxMessage is the largest message either side takes, in bytes; gRPC's
	// own default for a server is 4 MiB.
	MaxMessage = 16 << 20
	// MaxParams and MaxOutput leave room in a message for its other fields.
	MaxParams = MaxMessage - 64<<10
	MaxOutput = MaxMessage - 64<<10
	// Service is the name under which the one gRPC service is dispensed.
	Service = "task"
	// LifelineEnv names the variable that holds the descriptor number of the
	// lifeline: a pipe whose write end only the host holds, so that its end of
	// file means that the host is gone.
	LifelineEnv = "OUTRIDER_LIFELINE_FD"
	// RunDirEnv names the variable that holds the run's private folder, which
	// the plugin removes when the host is gone.
	RunDirEnv = "OUTRIDER_RUN_DIR"
)

// Handshake is go-plugin's start-up handshake of every Outrider plugin.
func Handshake() plugin.HandshakeConfig {
	return plugin.HandshakeConfig{
		ProtocolVersion:  Version,
		MagicCookieKey:   CookieKey,
		MagicCookieValue: CookieValue,
	}
}

// Plugins returns the plugin sets by protocol version, fit for both
// plugin.ServeConfig and plugin.ClientConfig. server is nil on the host's side.
func Plugins(server taskv1.TaskServer) map[int]plugin.PluginSet {
	return map[int]plugin.PluginSet{Version: {Service: &adapter{server: server}}}
}

// adapter is the go-plugin face of the Task service.
type adapter struct {
	plugin.NetRPCUnsupportedPlugin
	server taskv1.TaskServer
}

func (a *adapter) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	if a.server == nil {
		return errors.New("protocol: no task server to register")
	}
	taskv1.RegisterTaskServer(s, a.server)
	return nil
}

func (a *adapter) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return taskv1.NewTaskClient(conn), nil
}
