package rig

import "syscall"

// boundToUs has the kernel end a program when we end, and keeps Ctrl-C in a terminal from it.
func boundToUs() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
