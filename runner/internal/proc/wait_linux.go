package proc

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// childExited and childDumped are si_code values of sigaction(2).
const (
	childExited = 1
	childDumped = 3
)

// wait waits until the process has ended and leaves it on the process table.
func (p *Process) wait() Exit {
	var info unix.Siginfo
	for {
		err := unix.Waitid(unix.P_PID, p.p.Pid, &info, unix.WEXITED|unix.WNOWAIT, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return Exit{Code: -1} // somebody else reaped it: nothing to know
		}
		break
	}
	status := childStatus(&info)
	if info.Code == childExited {
		return Exit{Code: status}
	}
	return killed(syscall.Signal(status), info.Code == childDumped)
}

// childStatus reads si_status, which unix.Siginfo does not name. si_pid, si_uid
// and si_status follow the three leading ints, at an address that pointers could
// have.
func childStatus(info *unix.Siginfo) int {
	const word = unsafe.Sizeof(int32(0))
	data := (3*word + unsafe.Sizeof(uintptr(0)) - 1) &^ (unsafe.Sizeof(uintptr(0)) - 1)
	return int(*(*int32)(unsafe.Add(unsafe.Pointer(info), data+2*word)))
}
