//go:build unix

package agent

import (
	"os/exec"
	"syscall"
)

// tree is a program and everything that it started: its process group.
type tree struct{ group int }

// isolate puts the program that cmd will start into a process group of its own.
func isolate(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// treeOf returns the tree of a program that was started.
func treeOf(cmd *exec.Cmd) tree { return tree{cmd.Process.Pid} }

// kill ends every process of the tree; one that is gone already is no mistake.
func (t tree) kill() { _ = syscall.Kill(-t.group, syscall.SIGKILL) }

// release frees what the tree holds; the processes go on.
func (tree) release() {}
