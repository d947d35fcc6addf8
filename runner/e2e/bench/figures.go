package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"github.com/outrider-run/outrider/sdk/protocol"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

const mega = 1e6

// startup compares a whole run with the bare go-plugin pair.
func (b *bench) startup() ([]figure, error) {
	run := func() *exec.Cmd { return b.outrider("run", "--log-level", "warn", "hello.greet", "--name", "you") }
	bare := func() *exec.Cmd {
		return exec.Command(filepath.Join(b.built, "bare-host"), filepath.Join(b.built, "bare-plugin"))
	}
	ours, theirs, err := pairs(b.pairs, run, bare)
	if err != nil {
		return nil, err
	}
	init, err := b.init()
	if err != nil {
		return nil, err
	}
	return []figure{
		{
			what: "outrider run hello.greet, recorded, of a bare go-plugin pair", target: 1.5, unit: "×", atMost: true,
			got: ratio(ours, theirs), note: fmt.Sprintf("%.1f ms against %.1f ms", median(ours), median(theirs)),
		},
		{what: "package init of the host", target: 4, unit: "ms", atMost: true, got: init, note: "median of 20"},
	}, nil
}

var initLine = regexp.MustCompile(`(?m)^init \S+ @\S+ ms, (\S+) ms clock`)

// init reads the runtime's own trace from a file: a pipe's reader would run on the
// other core while the packages are timed.
func (b *bench) init() (float64, error) {
	var all []float64
	for range 20 {
		trace, err := os.CreateTemp("", "inittrace")
		if err != nil {
			return 0, err
		}
		sum, err := b.traced(trace)
		if err := errors.Join(err, trace.Close(), os.Remove(trace.Name())); err != nil {
			return 0, err
		}
		all = append(all, sum)
	}
	return median(all), nil
}

func (b *bench) traced(to *os.File) (sum float64, err error) {
	cmd := b.outrider("version")
	cmd.Env = append(cmd.Env, "GODEBUG=inittrace=1")
	cmd.Stderr = to
	if err := cmd.Run(); err != nil {
		return 0, err
	}
	trace, err := os.ReadFile(to.Name())
	if err != nil {
		return 0, err
	}
	for _, m := range initLine.FindAllSubmatch(trace, -1) {
		ms, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			return 0, err
		}
		sum += ms
	}
	return sum, nil
}

// memory measures the peak of the host and of the hello plugin.
func (b *bench) memory() ([]figure, error) {
	host, err := b.hostPeak("hello.greet", "--name", "you")
	if err != nil {
		return nil, err
	}
	hello, err := pluginPeak(filepath.Join(b.bin, "outrider-plugin-hello"))
	if err != nil {
		return nil, err
	}
	return []figure{
		{what: "peak memory of the host", target: 45, unit: "MB", atMost: true, got: host},
		{what: "peak memory of the hello plugin", target: 22, unit: "MB", atMost: true, got: hello},
	}, nil
}

func (b *bench) hostPeak(args ...string) (float64, error) {
	cmd := b.outrider(append([]string{"run", "--log-level", "info"}, args...)...)
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	cmd.Stderr = w
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	_ = w.Close()
	tail, _ := drain(r)
	if err := cmd.Wait(); err != nil {
		return 0, fmt.Errorf("outrider run %v: %w: %s", args, err, tail)
	}
	return peak(cmd.ProcessState), nil
}

// drain reads r to its end and keeps the last of it.
func drain(r io.Reader) (tail []byte, n int64) {
	buf := make([]byte, 256<<10)
	for {
		k, err := r.Read(buf)
		n += int64(k)
		if k > 0 {
			tail = append(tail[:0], buf[max(0, k-400):k]...)
		}
		if err != nil {
			return tail, n
		}
	}
}

func peak(s *os.ProcessState) float64 {
	return float64(s.SysUsage().(*syscall.Rusage).Maxrss) * 1024 / mega
}

// pluginPeak runs hello.greet over the protocol without our host in between.
func pluginPeak(path string) (float64, error) {
	cmd := exec.Command(path)
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: protocol.Handshake(), VersionedPlugins: protocol.Plugins(nil), Cmd: cmd,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}, Logger: hclog.NewNullLogger(),
	})
	defer client.Kill()
	conn, err := client.Client()
	if err != nil {
		return 0, err
	}
	raw, err := conn.Dispense(protocol.Service)
	if err != nil {
		return 0, err
	}
	stream, err := raw.(taskv1.TaskClient).Execute(context.Background())
	if err != nil {
		return 0, err
	}
	if err := stream.Send(&taskv1.HostMsg{Msg: &taskv1.HostMsg_Start{Start: &taskv1.Start{
		RunId: "bench", Component: "hello.greet", Params: []byte(`{"name":"you"}`), Attempt: 1, TempDir: os.TempDir(),
	}}}); err != nil {
		return 0, err
	}
	for {
		m, err := stream.Recv()
		if err != nil {
			return 0, err
		}
		if r := m.GetResult(); r != nil {
			if r.GetKind() != taskv1.Result_SUCCESS {
				return 0, fmt.Errorf("hello.greet: %s", r.GetError())
			}
			break
		}
	}
	client.Kill()
	return peak(cmd.ProcessState), nil
}

// logs sends 200 MB of log lines through a run.
func (b *bench) logs() ([]figure, error) {
	const lines, width = 1_000_000, 200
	quiet, err := b.hostPeak("noisy.write", "--lines", "1", "--width", "200")
	if err != nil {
		return nil, err
	}
	began := time.Now()
	loud, err := b.hostPeak("noisy.write", "--lines", strconv.Itoa(lines), "--width", strconv.Itoa(width))
	if err != nil {
		return nil, err
	}
	took := time.Since(began).Seconds()
	return []figure{
		{what: "200 MB of 200-byte log lines through a run", target: 20, unit: "MB/s", got: lines * width / mega / took},
		{what: "the host's memory over a quiet run meanwhile", target: 20, unit: "MB", atMost: true, got: loud - quiet},
	}, nil
}

// catalogue lists 50 cached plugins.
func (b *bench) catalogue() ([]figure, error) {
	dir := filepath.Join(b.state, "fifty")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	for i := range 50 {
		m, err := json.Marshal(map[string]any{"protocols": []int{1}, "components": []map[string]any{{
			"name": fmt.Sprintf("bench%d.work", i), "doc": strings.Repeat("Does a little. ", 10),
			"params": map[string]any{"type": "object", "additionalProperties": false, "properties": map[string]any{
				"a": map[string]string{"type": "string", "description": "first"}, "b": map[string]string{"type": "integer"},
			}},
		}}})
		if err != nil {
			return nil, err
		}
		script := "#!/bin/sh\ncat <<'E'\n" + string(m) + "\nE\n"
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("outrider-plugin-bench%d", i)), []byte(script), 0o755); err != nil {
			return nil, err
		}
	}
	list := func() *exec.Cmd { return b.outrider("components", "--plugin-dir", dir) }
	if out, err := list().CombinedOutput(); err != nil || !bytes.Contains(out, []byte("bench49.work")) {
		return nil, fmt.Errorf("components: %w\n%s", err, out)
	}
	listing, version, err := pairs(b.pairs, list, func() *exec.Cmd { return b.outrider("version") })
	if err != nil {
		return nil, err
	}
	return []figure{{
		what: "components with 50 cached plugins, over version", target: 15, unit: "ms", atMost: true,
		got: median(listing) - median(version), note: fmt.Sprintf("%.1f ms against %.1f ms", median(listing), median(version)),
	}}, nil
}
