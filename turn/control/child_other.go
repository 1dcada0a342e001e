//go:build !linux

package control

import "syscall"

// boundToUs keeps Ctrl-C in a terminal from a child: we end it in order. If we are killed, its control connection ends, and the child with it.
func boundToUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
