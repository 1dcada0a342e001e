package control

import "syscall"

// boundToUs has the kernel end a child when we end, however that happens, and keeps Ctrl-C in a terminal from it: we end it in order.
func boundToUs() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
