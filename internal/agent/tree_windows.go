package agent

import (
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// tree is a program and everything that it started: a job object. What the program starts in the moment before it is put into the job
// stays outside of it.
type tree struct {
	process *os.Process
	job     windows.Handle // 0: Windows refused to make one, then only the program itself can be killed
}

// isolate keeps console events meant for the agent from the program that cmd will start.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
}

// treeOf returns the tree of a program that was started.
func treeOf(cmd *exec.Cmd) tree {
	t := tree{process: cmd.Process}
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return t
	}
	if err := assign(job, uint32(cmd.Process.Pid)); err != nil {
		windows.CloseHandle(job)
		return t
	}
	t.job = job
	return t
}

func assign(job windows.Handle, pid uint32) error {
	process, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, pid)
	if err != nil {
		return err
	}
	defer windows.CloseHandle(process)
	return windows.AssignProcessToJobObject(job, process)
}

// kill ends every process of the tree; one that is gone already is no mistake.
func (t tree) kill() {
	if t.job != 0 {
		_ = windows.TerminateJobObject(t.job, 1)
		return
	}
	_ = t.process.Kill()
}

// release frees what the tree holds; the processes go on.
func (t tree) release() {
	if t.job != 0 {
		windows.CloseHandle(t.job)
	}
}
