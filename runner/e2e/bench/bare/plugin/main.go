// Command plugin is the plugin half of the bare go-plugin pair that the
// benchmark compares against: nothing but what go-plugin itself does.
package main

import (
	"context"

	"github.com/hashicorp/go-plugin"

	"github.com/outrider-run/outrider/sdk/protocol"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

type server struct{ taskv1.UnimplementedTaskServer }

func (server) Describe(context.Context, *taskv1.DescribeRequest) (*taskv1.DescribeResponse, error) {
	return &taskv1.DescribeResponse{Manifest: []byte(`{"message":"Hello you"}`)}, nil
}

func main() {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  protocol.Handshake(),
		VersionedPlugins: protocol.Plugins(server{}),
		GRPCServer:       plugin.DefaultGRPCServer,
	})
}
