//go:build !linux

package rig

import "syscall"

// boundToUs does nothing: only Linux ends a program together with the one that started it.
func boundToUs() *syscall.SysProcAttr { return nil }
