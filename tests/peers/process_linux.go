package peers

import "syscall"

// ownGroup lets a process be ended with all its children, and end with us.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
