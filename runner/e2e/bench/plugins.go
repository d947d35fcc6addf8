package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"github.com/outrider-run/outrider/sdk/protocol"
)

// plugins measures the shipped plugins beside hello: how large they are, how fast they
// are up, and what a request to a local server adds to a run.
func (b *bench) plugins() ([]figure, error) {
	var all []figure
	for _, name := range []string{"digdag", "file", "net", "notify"} {
		path := filepath.Join(b.bin, "outrider-plugin-"+name)
		file, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		theirs, hello, err := b.starts(path, filepath.Join(b.bin, "outrider-plugin-hello"))
		if err != nil {
			return nil, err
		}
		all = append(
			all,
			figure{what: "size of the plugin " + name, target: 25, unit: "MB", atMost: true, got: float64(file.Size()) / mega},
			figure{
				what: "start of the plugin " + name + ", of hello's", target: 1.3, unit: "×", atMost: true,
				got: ratio(theirs, hello), note: fmt.Sprintf("%.1f ms against %.1f ms", median(theirs), median(hello)),
			},
		)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) }))
	defer server.Close()
	request, hello, err := pairs(
		b.pairs,
		func() *exec.Cmd { return b.outrider("run", "--log-level", "warn", "http.request", "--url", server.URL) },
		func() *exec.Cmd { return b.outrider("run", "--log-level", "warn", "hello.greet", "--name", "you") },
	)
	if err != nil {
		return nil, err
	}
	return append(all, figure{
		what: "http.request to a local server, over hello.greet", target: 5, unit: "ms", atMost: true,
		got: median(request) - median(hello), note: fmt.Sprintf("%.1f ms against %.1f ms", median(request), median(hello)),
	}), nil
}

// starts times two plugins in turn, from the start of the process to a connection.
func (b *bench) starts(one, other string) (ones, others []float64, err error) {
	for i := range b.pairs + 2 {
		x, err := started(one)
		if err != nil {
			return nil, nil, err
		}
		y, err := started(other)
		if err != nil {
			return nil, nil, err
		}
		if i >= 2 { // the first two warm caches
			ones, others = append(ones, x), append(others, y)
		}
	}
	return ones, others, nil
}

func started(path string) (float64, error) {
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: protocol.Handshake(), VersionedPlugins: protocol.Plugins(nil), Cmd: exec.Command(path),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}, Logger: hclog.NewNullLogger(),
	})
	defer client.Kill()
	return clocked(func() error {
		_, err := client.Client()
		if err != nil {
			err = fmt.Errorf("start %s: %w", path, err)
		}
		return err
	})
}
