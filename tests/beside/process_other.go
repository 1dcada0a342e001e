//go:build !linux

package beside

import "syscall"

// ownGroup lets a process be ended with all its children.
func ownGroup(a *syscall.SysProcAttr) { a.Setpgid = true }
