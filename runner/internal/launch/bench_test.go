package launch

import (
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"github.com/outrider-run/outrider/sdk/protocol"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// counter takes lines and keeps none.
type counter struct {
	Events
	lines, bytes int
	peak         uint64
}

func (c *counter) Log(l *taskv1.LogLine) {
	c.lines++
	c.bytes += len(l.GetMessage())
	if c.lines%100_000 == 0 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		c.peak = max(c.peak, m.HeapInuse)
	}
}

// BenchmarkLogs sends 200 MB of log lines through one task.
func BenchmarkLogs(b *testing.B) {
	for b.Loop() {
		p, err := Start(b.Context(), Options{Command: Command{Path: executable(b), Args: []string{"plugin", "many lines"}}, Dir: shortDir(b)})
		if err != nil {
			b.Fatal(err)
		}
		c := &counter{}
		began := time.Now()
		if _, err := p.Execute(b.Context(), &taskv1.Start{}, c); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(c.bytes)/1e6/time.Since(began).Seconds(), "MB/s")
		b.ReportMetric(float64(c.peak)/1e6, "MB-heap")
		p.Close()
	}
}

// BenchmarkStart compares start, one task and the end with go-plugin alone.
func BenchmarkStart(b *testing.B) {
	b.Run("launch", func(b *testing.B) {
		for b.Loop() {
			p, err := Start(b.Context(), Options{Command: Command{Path: executable(b), Args: []string{"plugin", "none"}}, Dir: shortDir(b)})
			if err != nil {
				b.Fatal(err)
			}
			if _, err := p.Execute(b.Context(), &taskv1.Start{}, &counter{}); err != nil {
				b.Fatal(err)
			}
			p.Close()
		}
	})
	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			c := plugin.NewClient(&plugin.ClientConfig{
				HandshakeConfig: protocol.Handshake(), VersionedPlugins: protocol.Plugins(nil),
				Cmd:              exec.Command(executable(b), "plugin", "none"),
				AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}, Logger: hclog.NewNullLogger(),
			})
			conn, err := c.Client()
			if err != nil {
				b.Fatal(err)
			}
			raw, err := conn.Dispense(protocol.Service)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := raw.(taskv1.TaskClient).Describe(b.Context(), &taskv1.DescribeRequest{}); err == nil {
				b.Fatal("it describes itself")
			}
			c.Kill()
		}
	})
}
