package launch

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/hashicorp/go-plugin"

	"github.com/outrider-run/outrider/sdk/protocol"
)

// handshake reads a plugin's stdout: the handshake line, wherever it comes, is
// for go-plugin, all else is log.
type handshake struct {
	lines  *splitter
	toHost *io.PipeReader
	found  *io.PipeWriter
	log    func(line []byte)

	mu   sync.Mutex
	said greeting
}

// greeting is what the handshake line says.
type greeting struct {
	seen    bool
	version int
	network string
	address string
	rpc     string
}

func (h *handshake) init(log func([]byte)) {
	h.log = log
	h.toHost, h.found = io.Pipe()
	h.lines = newSplitter(h.line)
}

func (h *handshake) reader() io.ReadCloser { return h.toHost }

func (h *handshake) write(b []byte) { _, _ = h.lines.Write(b) }

// end is called at the end of stdout.
func (h *handshake) end() {
	h.lines.flush()
	_ = h.found.Close()
}

func (h *handshake) line(b []byte) {
	if h.greeting().seen {
		h.log(b)
		return
	}
	g, at := parseGreeting(b)
	if !g.seen {
		h.log(b)
		return
	}
	if at > 0 {
		h.log(b[:at]) // printed without a newline before it
	}
	h.mu.Lock()
	h.said = g
	h.mu.Unlock()
	_, _ = h.found.Write(append(bytes.Clone(b[at:]), '\n'))
	_ = h.found.Close()
}

func (h *handshake) greeting() greeting {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.said
}

func (h *handshake) address() string { return h.greeting().address }

// parseGreeting finds CORE|VERSION|NETWORK|ADDRESS|PROTOCOL at the end of a
// line, and where in it. The core is go-plugin's own protocol, 1 for ten years.
func parseGreeting(b []byte) (greeting, int) {
	for _, network := range []string{"unix", "tcp"} {
		mid := bytes.Index(b, []byte("|"+network+"|"))
		if mid < 0 {
			continue
		}
		at := bytes.LastIndexByte(b[:mid], '|') - 1
		if at < 0 || b[at] != '1' {
			continue
		}
		version, err := strconv.Atoi(string(b[at+2 : mid]))
		if err != nil {
			continue
		}
		rest := strings.Split(strings.TrimSpace(string(b[mid+len(network)+2:])), "|")
		g := greeting{seen: true, version: version, network: network, address: rest[0]}
		if len(rest) > 1 {
			g.rpc = rest[1]
		}
		return g, at
	}
	return greeting{}, 0
}

// check reports a greeting that cannot be answered.
func (g greeting) check() *Error {
	versions := protocol.Plugins(nil)
	if _, ok := versions[g.version]; !ok {
		advice := "rebuild it with a newer outrider module"
		if g.version > protocol.Version {
			advice = "update outrider, or take an older build of the plugin"
		}
		return &Error{Code: CodeProtocol, Err: fmt.Errorf(
			"it speaks version %d of the protocol and this host %s: %s", g.version, supported(), advice)}
	}
	if g.rpc != string(plugin.ProtocolGRPC) {
		return &Error{Code: CodeProtocol, Err: fmt.Errorf("it speaks %q, and Outrider takes gRPC only", g.rpc)}
	}
	if g.network != "unix" {
		return &Error{Code: CodeStart, Err: fmt.Errorf(
			"it listens on %s %s, and Outrider takes unix sockets only: listen in the folder that PLUGIN_UNIX_SOCKET_DIR names", g.network, g.address)}
	}
	return nil
}

func supported() string {
	var vs []int
	for v := range protocol.Plugins(nil) {
		vs = append(vs, v)
	}
	slices.Sort(vs)
	var s []string
	for _, v := range vs {
		s = append(s, strconv.Itoa(v))
	}
	return strings.Join(s, " and ")
}
