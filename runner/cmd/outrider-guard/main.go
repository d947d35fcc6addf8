// Command outrider-guard runs a command so that nothing of it outlives the host:
//
//	outrider-guard [--foreground] [--held] [--lifeline FD] [--live FD] [--dir DIR] -- CMD ARGS…
//
// CMD runs in a process group of its own and gets the signals that the guard
// gets. After one that asks to stop, the guard also asks what CMD leaves behind
// and waits for that. When the lifeline's FD, the read end of the host's, ends,
// CMD's group is asked to stop (SIGTERM), and after two seconds every descendant
// is killed and DIR removed; a byte on it kills every descendant at once. With --held
// CMD starts with the first byte on the lifeline, or never, if that is not a 2: so the
// guard is up by the time that its host knows whether CMD may run. The live FD is kept
// open and not handed on. The guard exits as CMD does, with 128+n for a
// signal, and with 125, 126 or 127 when it could not start it. With --foreground
// CMD stays in the guard's group, for a terminal, which sends its own signals to
// all of the group. It must start fast: no fmt, no flag.
package main

import (
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// grace is how long CMD may clean up after the host is gone, and how long the
// killed may take to be gone.
const grace = 2 * time.Second

func main() {
	g, argv := parse(os.Args[1:])
	// Signals are taken before CMD is started, so that none is lost. Those that
	// were ignored, as nohup has it, stay so for CMD.
	signals := make(chan os.Signal, 16)
	for _, s := range g.forwarded() {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	adopt()
	if g.held {
		g.awaitStart()
		stopIfAsked(signals)
	}
	g.start(argv)
	go func() {
		for s := range signals {
			if g.foreground && fromTerminal(s) {
				continue
			}
			if asksToStop(s) {
				g.asked.Store(int32(s.(syscall.Signal)))
			}
			g.signal(s.(syscall.Signal))
		}
	}()
	if g.lifeline >= 0 {
		go g.watch()
	}
	g.reap()
}

// forwarded are the signals that CMD gets when the guard does. In the foreground
// a stop must stop the guard too, or the shell would wait for it for ever.
func (g *guard) forwarded() []os.Signal {
	all := []os.Signal{
		syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2,
		syscall.SIGALRM, syscall.SIGCONT, syscall.SIGWINCH,
	}
	if !g.foreground {
		all = append(all, syscall.SIGTSTP)
	}
	return all
}

// fromTerminal tells the signals that a terminal sends to a whole group, CMD in it.
func fromTerminal(s os.Signal) bool {
	return s == syscall.SIGINT || s == syscall.SIGQUIT || s == syscall.SIGCONT || s == syscall.SIGWINCH
}

func asksToStop(s os.Signal) bool {
	return s == syscall.SIGTERM || s == syscall.SIGINT || s == syscall.SIGHUP || s == syscall.SIGQUIT
}

type guard struct {
	foreground bool
	held       bool
	lifeline   int // -1: none
	dir        string
	pid        int
	code       atomic.Int32 // CMD's, once it has ended
	ended      atomic.Bool
	asked      atomic.Int32  // the signal that asked to stop; 0: none
	gone       chan struct{} // closed when the host is gone
	empty      chan struct{} // closed when no child is left after that
}

func parse(args []string) (*guard, []string) {
	g := &guard{lifeline: -1, gone: make(chan struct{}), empty: make(chan struct{})}
	g.code.Store(128 + int32(syscall.SIGKILL))
	for len(args) > 1 {
		switch args[0] {
		case "--":
			return g, args[1:]
		case "--foreground":
			g.foreground = true
			args = args[1:]
			continue
		case "--held":
			g.held = true
			args = args[1:]
			continue
		case "--lifeline":
			g.lifeline = keep(args)
		case "--live":
			keep(args)
		case "--dir":
			g.dir = filepath.Clean(args[1])
			if !filepath.IsAbs(g.dir) || g.dir == "/" {
				die(125, "--dir "+args[1]+": want an absolute path of a folder to remove")
			}
		default:
			die(125, "unknown flag "+args[0])
		}
		args = args[2:]
	}
	die(125, "usage: outrider-guard [--foreground] [--held] [--lifeline FD] [--live FD] [--dir DIR] -- CMD ARGS…")
	return nil, nil
}

// keep keeps a flag's descriptor from CMD.
func keep(args []string) int {
	fd, err := strconv.Atoi(args[1])
	if err != nil || fd < 3 {
		die(125, args[0]+" "+args[1]+": want a descriptor from 3")
	}
	syscall.CloseOnExec(fd)
	return fd
}

func die(code int, text string) {
	os.Stderr.WriteString("outrider-guard: " + text + "\n")
	os.Exit(code)
}

// start starts CMD, as execvp(3) would: looked up in PATH, and by the shell if
// it is a script without #! line.
func (g *guard) start(argv []string) {
	path, err := lookup(argv[0])
	if err == nil {
		attr := &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}, Sys: child(!g.foreground)}
		g.pid, err = syscall.ForkExec(path, argv, attr)
		if err == syscall.ENOEXEC {
			g.pid, err = syscall.ForkExec("/bin/sh", append([]string{"sh", path}, argv[1:]...), attr)
		}
	}
	switch err {
	case nil:
	case syscall.ENOENT:
		die(127, argv[0]+": not found")
	default:
		die(126, argv[0]+": "+err.Error())
	}
}

func lookup(name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	found := error(syscall.ENOENT)
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		path := filepath.Join(dir, name)
		if !strings.Contains(path, "/") {
			path = "./" + path
		}
		st, err := os.Stat(path)
		if err != nil || st.IsDir() {
			continue
		}
		if st.Mode()&0o111 != 0 {
			return path, nil
		}
		found = syscall.EACCES
	}
	return "", found
}

// signal sends s to CMD and its group. Once CMD has ended its number may become
// a stranger's, unless somebody of the group is left.
func (g *guard) signal(s syscall.Signal) {
	left := func(pid int) bool {
		group, err := syscall.Getpgid(pid)
		return err == nil && group == g.pid
	}
	switch {
	case g.ended.Load() && (g.foreground || !slices.ContainsFunc(children(), left)):
	case g.foreground:
		_ = syscall.Kill(g.pid, s)
	default:
		_ = syscall.Kill(-g.pid, s)
	}
}

// reap waits for children, adopted ones too. It exits as CMD does, at once,
// unless CMD was asked to stop or the host is gone: then it goes on until no child
// is left.
func (g *guard) reap() {
	for {
		var ws syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &ws, 0, nil)
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil: // ECHILD
			g.exitUnlessGone()
			close(g.empty)
			select {} // watch ends the process
		case pid != g.pid:
			continue
		}
		code := ws.ExitStatus()
		if ws.Signaled() {
			code = 128 + int(ws.Signal())
		}
		g.code.Store(int32(code))
		g.ended.Store(true)
		if g.asked.Load() == 0 {
			g.exitUnlessGone()
		}
		g.askTheRest()
	}
}

func (g *guard) exitUnlessGone() {
	select {
	case <-g.gone:
	default:
		g.exit()
	}
}

func (g *guard) exit() { os.Exit(int(g.code.Load())) }

// askTheRest asks those whom the signal to CMD did not reach or did not mean: what
// a shell starts in the background ignores SIGINT.
func (g *guard) askTheRest() {
	own := syscall.Getpgrp()
	asked := g.asked.Load() == 0 || g.asked.Load() == int32(syscall.SIGTERM)
	for _, pid := range children() {
		switch group, err := syscall.Getpgid(pid); {
		case err != nil:
		case group == own:
			_ = syscall.Kill(pid, syscall.SIGTERM)
		case group != g.pid || !asked:
			_ = syscall.Kill(-group, syscall.SIGTERM)
		}
	}
}

// goOn is the byte on the lifeline that starts a CMD that is held.
const goOn = 2

// awaitStart returns when CMD is to start. A host that does not want it any more
// keeps its DIR.
func (g *guard) awaitStart() {
	switch b, ok := g.read(); {
	case !ok:
		g.removeDir()
		g.exit()
	case b != goOn:
		g.exit()
	}
}

// stopIfAsked ends a guard that was asked to stop before there was a CMD: a terminal
// does not ask again.
func stopIfAsked(signals <-chan os.Signal) {
	for {
		select {
		case s := <-signals:
			if asksToStop(s) {
				os.Exit(128 + int(s.(syscall.Signal)))
			}
		default:
			return
		}
	}
}

// watch waits for the end of the host, then for that of everything else.
func (g *guard) watch() {
	_, atOnce := g.read()
	close(g.gone)
	if !atOnce {
		g.signal(syscall.SIGTERM)
		g.signal(syscall.SIGCONT) // what is stopped would not hear it
	}
	if atOnce || !g.emptyWithin(grace) {
		for end := time.Now().Add(grace); time.Now().Before(end); {
			g.signal(syscall.SIGKILL)
			// The children of a killed one become ours: again until none is left.
			for _, pid := range children() {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
			if g.emptyWithin(5 * time.Millisecond) {
				break
			}
		}
	}
	g.removeDir()
	g.exit()
}

func (g *guard) removeDir() {
	if g.dir != "" {
		_ = os.RemoveAll(g.dir)
	}
}

// read reads a byte from the lifeline; ok is false when the host is gone.
func (g *guard) read() (b byte, ok bool) {
	var one [1]byte
	for {
		n, err := syscall.Read(g.lifeline, one[:])
		if err == nil {
			return one[0], n > 0
		}
		if err != syscall.EINTR {
			die(125, "read the lifeline: "+err.Error())
		}
	}
}

func (g *guard) emptyWithin(d time.Duration) bool {
	select {
	case <-g.empty:
		return true
	case <-time.After(d):
		return false
	}
}
