package terminal

import (
	"os"
	"os/exec"
)

const homeVariable = "USERPROFILE"

// account: Windows sets all of it for services, too.
func account() []string { return nil }

// userShell is PowerShell, or what ComSpec names.
func userShell() (path string, args []string) {
	if path, err := exec.LookPath("powershell.exe"); err == nil {
		return path, []string{path, "-NoLogo"}
	}
	path = os.Getenv("ComSpec")
	if path == "" {
		path = `C:\Windows\System32\cmd.exe`
	}
	return path, []string{path}
}
