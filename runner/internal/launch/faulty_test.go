package launch

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/outrider-run/outrider/sdk/protocol"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// pluginMain is a plugin without our SDK, so that it can do what the SDK keeps
// authors from: fault says what.
func pluginMain(fault string) {
	if before, ok := faultsBefore[fault]; ok {
		before()
	}
	config := &plugin.ServeConfig{
		HandshakeConfig:  protocol.Handshake(),
		VersionedPlugins: protocol.Plugins(&faulty{do: faultsWithin[fault], deaf: fault == "reads nothing"}),
		Logger:           hclog.NewNullLogger(),
		GRPCServer: func(o []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(o, grpc.MaxRecvMsgSize(protocol.MaxMessage))...)
		},
	}
	switch fault {
	case "other version":
		config.VersionedPlugins[7] = config.VersionedPlugins[protocol.Version]
		delete(config.VersionedPlugins, protocol.Version)
	case "no service":
		config.VersionedPlugins[protocol.Version] = plugin.PluginSet{protocol.Service: nothing{}}
	case "net/rpc":
		config.GRPCServer = nil
		config.VersionedPlugins[protocol.Version] = plugin.PluginSet{}
	}
	plugin.Serve(config)
	if fault == "slow exit" {
		stay()
	}
}

// stay stays until it is killed. A bare select would be a deadlock to a program
// that was built without cgo.
func stay() {
	for {
		time.Sleep(time.Hour)
	}
}

// faultsBefore happen before the handshake.
var faultsBefore = map[string]func(){
	"prints first":           func() { fmt.Print("welcome\nto | the | show | 1\n") },
	"prints first unended":   func() { fmt.Print("loading 1") },
	"prints 1 MB first":      func() { fmt.Print(strings.Repeat("x", 1<<20) + "\n") },
	"hostile stderr first":   func() { fmt.Fprintln(os.Stderr, `{"@message":5}`) },
	"silent":                 stay,
	"exits first":            func() { fmt.Fprintln(os.Stderr, "no licence"); os.Exit(3) },
	"closes stdout":          func() { os.Stdout.Close(); stay() },
	"nobody listens":         func() { greet("unix", "/nowhere/plugin1"); stay() },
	"never accepts":          func() { l, path := listen(); defer l.Close(); greet("unix", path); stay() },
	"listens on tcp":         func() { greet("tcp", "127.0.0.1:9"); stay() },
	"exits after handshake":  func() { l, path := listen(); greet("unix", path); l.Close(); os.Exit(4) },
	"grandchild, then exits": func() { grandchild(false); os.Exit(6) },
}

func greet(network, address string) {
	fmt.Printf("1|%d|%s|%s|grpc|\n", protocol.Version, network, address)
}

func listen() (net.Listener, string) {
	path := filepath.Join(os.Getenv("PLUGIN_UNIX_SOCKET_DIR"), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		panic(err)
	}
	return l, path
}

// grandchild holds descriptors 1 and 2 until it is killed, in a session of its
// own if away.
func grandchild(away bool) {
	c := exec.Command("sleep", "1000")
	c.Stdout, c.Stderr = raw(1), raw(2)
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: away}
	if err := c.Start(); err != nil {
		panic(err)
	}
}

// raw is a descriptor as the host gave it; go-plugin replaces os.Stdout.
func raw(fd int) *os.File { return os.NewFile(uintptr(fd), "raw") }

// nothing serves nothing.
type nothing struct {
	plugin.NetRPCUnsupportedPlugin
	plugin.GRPCPlugin
}

func (nothing) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error { return nil }

type faulty struct {
	taskv1.UnimplementedTaskServer
	do   func(*end) error
	deaf bool
}

// end is the plugin's end of a stream.
type end struct {
	taskv1.Task_ExecuteServer
	start *taskv1.Start
	seq   uint64
}

func (f *faulty) Execute(s taskv1.Task_ExecuteServer) error {
	if f.deaf {
		_ = (&end{Task_ExecuteServer: s}).log("ready")
		select {}
	}
	m, err := s.Recv()
	if err != nil {
		return err
	}
	e := &end{Task_ExecuteServer: s, start: m.GetStart()}
	if f.do != nil {
		if err := f.do(e); err != nil {
			return err
		}
	}
	return e.succeed("fine")
}

func (e *end) say(m *taskv1.TaskMsg) error {
	e.seq++
	m.Seq = e.seq
	return e.Send(m)
}

func (e *end) log(text string) error {
	return e.say(&taskv1.TaskMsg{Msg: &taskv1.TaskMsg_Log{Log: &taskv1.LogBatch{
		Lines: []*taskv1.LogLine{{Level: "info", Message: text, Source: "task"}},
	}}})
}

func (e *end) succeed(text string) error {
	return e.say(&taskv1.TaskMsg{Msg: &taskv1.TaskMsg_Result{Result: &taskv1.Result{
		Kind: taskv1.Result_SUCCESS, Output: fmt.Appendf(nil, "%q", text),
	}}})
}

// cancelled waits for the host's Cancel.
func (e *end) cancelled() *taskv1.Cancel {
	for {
		m, err := e.Recv()
		if err != nil {
			select {} // as stubborn as can be
		}
		if c := m.GetCancel(); c != nil {
			return c
		}
	}
}

// ask sends m and returns the host's answer.
func (e *end) ask(m *taskv1.TaskMsg) (*taskv1.Ack, error) {
	if err := e.say(m); err != nil {
		return nil, err
	}
	h, err := e.Recv()
	if err != nil {
		return nil, err
	}
	if h.GetAck().GetSeq() != e.seq {
		return nil, fmt.Errorf("got %v for message %d", h, e.seq)
	}
	return h.GetAck(), nil
}

// faultsWithin happen in Execute; nil afterwards means success.
var faultsWithin = map[string]func(*end) error{
	"400 KB on fd 1": func(*end) error {
		_, err := raw(1).Write(bytes.Repeat([]byte("y"), 400<<10))
		return err
	},
	"prints on os.Stdout": func(*end) error {
		fmt.Println("printed within")
		return nil
	},
	"1 MB on stderr": func(*end) error {
		_, err := raw(2).WriteString(strings.Repeat("é", 1<<19) + "\n")
		return err
	},
	"1 MB line": func(e *end) error { return e.log(strings.Repeat("z", 1<<20)) },
	"stderr": func(*end) error {
		_, err := raw(2).WriteString(`{"@message":5}` + "\n" + `{"@message":"m","@level":"warn","@timestamp":null}` + "\n" +
			`{"@level":"warn","@message":"disk is full","@timestamp":"2026-01-02T03:04:05.000006Z","free":0}` + "\n" +
			"bad \xff\xfe bytes\n" + "no end")
		return err
	},
	"bad UTF-8 in a message": func(e *end) error {
		line := protowire.AppendTag(nil, 3, protowire.BytesType)
		line = protowire.AppendBytes(line, []byte("bad \xff"))
		batch := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), line)
		m := &taskv1.TaskMsg{}
		m.ProtoReflect().SetUnknown(protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), batch))
		return e.say(m)
	},
	"panic": func(*end) error { panic("boom") },
	"talks, then exits 7": func(*end) error {
		var b bytes.Buffer
		for n := range 3000 {
			fmt.Fprintln(&b, "line", n)
		}
		_, _ = raw(2).Write(b.Bytes())
		os.Exit(7)
		return nil
	},
	"exit 7":   func(*end) error { os.Exit(7); return nil },
	"nil":      func(*end) error { return errors.New((*end)(nil).start.RunId) },
	"segfault": func(*end) error { return syscall.Exec("/bin/sh", []string{"sh", "-c", "kill -SEGV $$"}, nil) },
	"result, then exit 9": func(e *end) error {
		if err := e.succeed("in time"); err != nil {
			return err
		}
		<-e.Context().Done()
		os.Exit(9)
		return nil
	},
	"ignores cancel": func(e *end) error {
		_ = e.log("ready")
		e.cancelled()
		select {}
	},
	"obeys": func(e *end) error {
		_ = e.log("ready")
		c := e.cancelled()
		return e.succeed(fmt.Sprintf("%s within %d ms", c.GetReason(), c.GetGraceMs()))
	},
	"stops reading": func(e *end) error {
		_ = e.log("ready")
		select {}
	},
	"frozen": func(e *end) error {
		// What is only sent may still be in here; an answer says that it arrived.
		_ = e.say(&taskv1.TaskMsg{Msg: &taskv1.TaskMsg_Checkpoint{Checkpoint: &taskv1.Checkpoint{Value: []byte("1")}}})
		_, _ = e.Recv()
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		select {}
	},
	"frozen after the result": func(e *end) error {
		if err := e.succeed("fine"); err != nil {
			return err
		}
		<-e.Context().Done() // the host has it
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		return nil
	},
	"grandchild":      func(*end) error { grandchild(false); return nil },
	"grandchild away": func(*end) error { grandchild(true); return nil },
	"grandchild away keeps printing": func(*end) error {
		c := exec.Command("sh", "-c", "while :; do echo on and on; sleep 0.01; done")
		c.Stderr = raw(2)
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		return c.Start()
	},
	"grandchild, then exit 7": func(*end) error {
		grandchild(false)
		os.Exit(7)
		return nil
	},
	"grandchild away, then exit 7": func(*end) error {
		grandchild(true)
		os.Exit(7)
		return nil
	},
	"grandchild holds the stream": func(*end) error {
		// As after fork in Python or C: the connection is inherited.
		var fds []*os.File
		for fd := 3; fd < 64; fd++ {
			if _, err := syscall.Getsockname(fd); err == nil {
				fds = append(fds, raw(fd))
			}
		}
		c := exec.Command("sleep", "1000")
		c.ExtraFiles = fds
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := c.Start(); err != nil {
			return err
		}
		os.Exit(7)
		return nil
	},
	"result over the limit": func(e *end) error { return e.succeed(strings.Repeat("r", protocol.MaxMessage)) },
	"largest result":        func(e *end) error { return e.succeed(strings.Repeat("r", protocol.MaxOutput-2)) },
	"skips a number":        func(e *end) error { e.seq++; return e.log("late") },
	"ends without a result": func(e *end) error { e.SetTrailer(metadata.MD{}); return errNothing },
	"unknown message": func(e *end) error {
		m := &taskv1.TaskMsg{}
		m.ProtoReflect().SetUnknown(protowire.AppendBytes(protowire.AppendTag(nil, 99, protowire.BytesType), []byte("new")))
		return e.say(m)
	},
	"asks": func(e *end) error {
		_ = e.log("one")
		_ = e.say(&taskv1.TaskMsg{Msg: &taskv1.TaskMsg_Progress{Progress: &taskv1.Progress{Done: 1, Total: 4, Note: "rows"}}})
		_ = e.say(&taskv1.TaskMsg{Msg: &taskv1.TaskMsg_Alive{Alive: &taskv1.Alive{}}})
		var got []string
		for _, m := range []*taskv1.TaskMsg{
			{Msg: &taskv1.TaskMsg_Checkpoint{Checkpoint: &taskv1.Checkpoint{Value: []byte("7")}}},
			{Msg: &taskv1.TaskMsg_Artifact{Artifact: &taskv1.Artifact{Name: "a.csv"}}},
			{Msg: &taskv1.TaskMsg_Open{Open: &taskv1.Open{Task: "+b", Name: "b.csv"}}},
		} {
			ack, err := e.ask(m)
			if err != nil {
				return err
			}
			got = append(got, ack.GetError()+ack.GetPath())
		}
		return e.succeed(strings.Join(got, ";"))
	},
	"process": func(e *end) error {
		stdin, _ := os.Readlink("/proc/self/fd/0")
		var live syscall.Stat_t
		err := syscall.Fstat(4, &live)
		return e.succeed(fmt.Sprintf("stdin %s, leader %v, live %d %v, lifeline %s, dir %s, secret %q, extra %q", stdin,
			syscall.Getpgrp() == os.Getpid(), live.Size, err, os.Getenv(protocol.LifelineEnv), os.Getenv(protocol.RunDirEnv),
			os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("MY_EXTRA")))
	},
	"signals": func(e *end) error {
		ch := make(chan os.Signal, 1)
		signal.Notify(ch, syscall.SIGTERM)
		_ = e.log("ready")
		<-ch
		return nil
	},
	"many lines": func(e *end) error {
		line := &taskv1.LogLine{Level: "info", Message: strings.Repeat("l", 200), Source: "task"}
		batch := &taskv1.LogBatch{}
		for range 280 {
			batch.Lines = append(batch.Lines, line)
		}
		for range 1_000_000 / 280 {
			if err := e.say(&taskv1.TaskMsg{Msg: &taskv1.TaskMsg_Log{Log: batch}}); err != nil {
				return err
			}
		}
		return nil
	},
}

var errNothing = errors.New("nothing to tell")
