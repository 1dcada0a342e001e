//go:build !linux

package main

import "syscall"

// boundToUs keeps Ctrl-C in a terminal from a program: we end it in order. Only Linux can also end it when we are killed.
func boundToUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
