package launch

import (
	"context"
	"fmt"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/outrider-run/outrider/sdk/protocol"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// pluginMain is a plugin without our SDK, so that it can break what the SDK
// keeps: fault says how.
func pluginMain(fault string) {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  protocol.Handshake(),
		VersionedPlugins: protocol.Plugins(&faulty{fault: fault}),
		Logger:           hclog.NewNullLogger(),
		GRPCServer:       func(o []grpc.ServerOption) *grpc.Server { return grpc.NewServer(o...) },
	})
}

type faulty struct {
	taskv1.UnimplementedTaskServer
	fault string
}

func (f *faulty) Execute(s taskv1.Task_ExecuteServer) error {
	m, err := s.Recv()
	if err != nil {
		return err
	}
	_ = context.Background
	return s.Send(&taskv1.TaskMsg{Seq: 1, Msg: &taskv1.TaskMsg_Result{Result: &taskv1.Result{Kind: taskv1.Result_SUCCESS, Output: []byte(fmt.Sprintf(`{"is":%q}`, m.GetStart().GetComponent()))}}})
}
