//go:build unix

package terminal

import (
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

const homeVariable = "HOME"

// account is what a login sets of the user that we run as.
func account() []string {
	u, err := user.Current()
	if err != nil {
		return nil // a user who is in no database has nothing
	}
	return []string{homeVariable + "=" + u.HomeDir, "USER=" + u.Username, "LOGNAME=" + u.Username}
}

// userShell is the login shell of the user that we run as: by the environment, the user database, or the first of the usual ones.
func userShell() (path string, args []string) {
	for _, path := range []string{os.Getenv("SHELL"), listedShell("/etc/passwd", os.Geteuid()), "/bin/zsh", "/bin/bash"} {
		if isShell(path) {
			return path, []string{"-" + filepath.Base(path)} // the sign of a login shell
		}
	}
	return "/bin/sh", []string{"-sh"}
}

// isShell reports whether a path is a program, and none of those that stand for no shell at all.
func isShell(path string) bool {
	if name := filepath.Base(path); !filepath.IsAbs(path) || name == "nologin" || name == "false" {
		return false
	}
	fi, err := os.Stat(path)
	return err == nil && fi.Mode().IsRegular() && fi.Mode()&0o111 != 0
}

// listedShell is the last field of a user's line in a user database.
func listedShell(database string, uid int) string {
	text, err := os.ReadFile(database)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Split(strings.TrimSpace(line), ":"); len(f) == 7 && f[2] == strconv.Itoa(uid) {
			return f[6]
		}
	}
	return ""
}
