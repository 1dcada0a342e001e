package beside

import "syscall"

// ownGroup lets a process be ended with all its children, and end with us.
func ownGroup(a *syscall.SysProcAttr) { a.Setpgid, a.Pdeathsig = true, syscall.SIGKILL }
