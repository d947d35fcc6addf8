//go:build !linux

package proc

import "syscall"

// wait waits until the process has ended. Without WNOWAIT it also takes it off
// the process table: a later signal to the group could then, in theory, reach
// a new group of the same id.
func (p *Process) wait() Exit {
	st, err := p.p.Wait()
	if err != nil {
		return Exit{Code: -1}
	}
	if ws, ok := st.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return killed(ws.Signal(), ws.CoreDump())
	}
	return Exit{Code: st.ExitCode()}
}
