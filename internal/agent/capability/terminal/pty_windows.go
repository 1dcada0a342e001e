package terminal

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"unicode/utf16"
	"unsafe"

	"golang.org/x/sys/windows"

	"signalbox/internal/channel"
)

// conPTY is a program on a pseudo console of Windows, in a job of its own.
type conPTY struct {
	process windows.Handle
	job     windows.Handle // 0: Windows refused to make one; then only the program itself can be ended
	output  *os.File
	input   *os.File

	mu      sync.Mutex
	console windows.Handle // 0: closed
}

// supported: pseudo consoles came with Windows 10 1809.
func supported() error {
	if windows.NewLazySystemDLL("kernel32.dll").NewProc("CreatePseudoConsole").Find() != nil {
		return channel.NotSupported()
	}
	return nil
}

func start(p program, cols, rows int) (pseudo, error) {
	path, err := exec.LookPath(p.path)
	if err != nil {
		return nil, err
	}
	var inputEnd, input, output, outputEnd windows.Handle // the first two are a pipe, and so are the last
	if err := windows.CreatePipe(&inputEnd, &input, nil, 0); err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	defer windows.CloseHandle(inputEnd) // the console has its own
	if err := windows.CreatePipe(&output, &outputEnd, nil, 0); err != nil {
		windows.CloseHandle(input)
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	defer windows.CloseHandle(outputEnd)
	c := &conPTY{input: os.NewFile(uintptr(input), "console input"), output: os.NewFile(uintptr(output), "console output")}
	if err = windows.CreatePseudoConsole(coord(cols, rows), inputEnd, outputEnd, 0, &c.console); err == nil {
		err = c.run(path, p)
	}
	if err != nil {
		c.Finish()
		return nil, errors.Join(err, c.input.Close(), c.output.Close())
	}
	return c, nil
}

func coord(cols, rows int) windows.Coord { return windows.Coord{X: int16(cols), Y: int16(rows)} }

// run starts the program on the console. It begins to run only when it is in its job, so that nothing that it starts is outside.
func (c *conPTY) run(path string, p program) error {
	attributes, err := windows.NewProcThreadAttributeList(1)
	if err != nil {
		return err
	}
	defer attributes.Delete()
	console := *(*unsafe.Pointer)(unsafe.Pointer(&c.console)) // the handle itself, which is no address
	if err := attributes.Update(windows.PROC_THREAD_ATTRIBUTE_PSEUDOCONSOLE, console, unsafe.Sizeof(c.console)); err != nil {
		return fmt.Errorf("put a program on a pseudo console: %w", err)
	}
	startup := windows.StartupInfoEx{ProcThreadAttributeList: attributes.List()}
	startup.Cb = uint32(unsafe.Sizeof(startup))
	startup.Flags = windows.STARTF_USESTDHANDLES // with none: the console is all that the program has
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return err
	}
	line, err := windows.UTF16PtrFromString(windows.ComposeCommandLine(p.args))
	if err != nil {
		return err
	}
	var dir *uint16
	if p.dir != "" {
		if dir, err = windows.UTF16PtrFromString(p.dir); err != nil {
			return err
		}
	}
	var info windows.ProcessInformation
	flags := uint32(windows.EXTENDED_STARTUPINFO_PRESENT | windows.CREATE_UNICODE_ENVIRONMENT | windows.CREATE_SUSPENDED)
	if err := windows.CreateProcess(name, line, nil, nil, false, flags, block(p.env), dir, &startup.StartupInfo, &info); err != nil {
		return err
	}
	defer windows.CloseHandle(info.Thread)
	c.process, c.job = info.Process, jobOf(info.Process)
	if _, err := windows.ResumeThread(info.Thread); err != nil {
		c.Kill()
		return errors.Join(err, windows.CloseHandle(c.process))
	}
	return nil
}

// block is an environment as Windows takes it: each variable ends with a zero, and all with one more.
func block(env []string) *uint16 {
	var b []uint16
	for _, e := range env {
		b = append(append(b, utf16.Encode([]rune(e))...), 0)
	}
	b = append(b, 0, 0)
	return &b[0]
}

// jobOf puts a process into a job of its own.
func jobOf(process windows.Handle) windows.Handle {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return 0
	}
	if err := windows.AssignProcessToJobObject(job, process); err != nil {
		windows.CloseHandle(job)
		return 0
	}
	return job
}

// Read implements pseudo.
func (c *conPTY) Read(b []byte) (int, error) { return c.output.Read(b) }

// Write implements pseudo.
func (c *conPTY) Write(b []byte) (int, error) { return c.input.Write(b) }

// Interrupt implements pseudo. The console reads what is typed whether the program does or not, so nothing waits for long.
func (c *conPTY) Interrupt(bool) {}

// Resize implements pseudo.
func (c *conPTY) Resize(cols, rows int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.console == 0 {
		return syscall.EINVAL
	}
	return windows.ResizePseudoConsole(c.console, coord(cols, rows))
}

// Wait implements pseudo.
func (c *conPTY) Wait() int {
	if _, err := windows.WaitForSingleObject(c.process, windows.INFINITE); err != nil {
		return -1
	}
	var status uint32
	if err := windows.GetExitCodeProcess(c.process, &status); err != nil {
		return -1
	}
	return int(int32(status))
}

// Finish implements pseudo: a console that is closed writes what it holds, and then its pipe ends.
func (c *conPTY) Finish() {
	c.mu.Lock()
	console := c.console
	c.console = 0
	c.mu.Unlock()
	if console != 0 {
		windows.ClosePseudoConsole(console) // waits for who reads
	}
}

// HangUp implements pseudo: closing the console is what closing its window would be. It waits for who reads, at most until Close.
func (c *conPTY) HangUp() { go c.Finish() }

// Kill implements pseudo.
func (c *conPTY) Kill() {
	if c.job != 0 {
		_ = windows.TerminateJobObject(c.job, 1)
		return
	}
	_ = windows.TerminateProcess(c.process, 1)
}

// Close implements pseudo.
func (c *conPTY) Close() {
	_, _ = c.input.Close(), c.output.Close()
	windows.CloseHandle(c.process)
	if c.job != 0 {
		windows.CloseHandle(c.job)
	}
}
