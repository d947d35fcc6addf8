// Command host is the host half of the bare go-plugin pair: start the plugin
// named by the first argument, make one call, print the answer, end it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"github.com/outrider-run/outrider/sdk/protocol"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

func main() {
	if err := call(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func call(path string) error {
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  protocol.Handshake(),
		VersionedPlugins: protocol.Plugins(nil),
		Cmd:              exec.Command(path),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Logger:           hclog.NewNullLogger(),
	})
	defer client.Kill()
	conn, err := client.Client()
	if err != nil {
		return err
	}
	raw, err := conn.Dispense(protocol.Service)
	if err != nil {
		return err
	}
	r, err := raw.(taskv1.TaskClient).Describe(context.Background(), &taskv1.DescribeRequest{})
	if err != nil {
		return err
	}
	fmt.Println(string(r.GetManifest()))
	return nil
}
