package terminal

import (
	"os"
	"path/filepath"
	"strings"
)

// program is what a terminal runs.
type program struct {
	path string   // of its file
	args []string // with its name first
	name string   // for people
	dir  string   // where it begins
	env  []string
}

// find makes the program of a command, or of the user's shell if that is empty.
func find(command []string) program {
	p := program{env: environment(os.Environ(), account())}
	if home, ok := lookup(p.env, homeVariable); ok {
		if fi, err := os.Stat(home); err == nil && fi.IsDir() {
			p.dir = home
		}
	}
	if len(command) > 0 {
		p.path, p.args = command[0], command
	} else {
		p.path, p.args = userShell()
	}
	p.name = strings.TrimSuffix(filepath.Base(p.path), ".exe")
	return p
}

// environment is the agent's own without what it was configured with, secrets among it, and with the kind of terminal that the console is. What a service manager has not set
// comes from account.
func environment(own, account []string) []string {
	env := make([]string, 0, len(own)+len(account)+2)
	for _, e := range own {
		name, _, _ := strings.Cut(e, "=")
		if !strings.HasPrefix(name, "SIGNALBOX_") && name != "TERM" && name != "COLORTERM" {
			env = append(env, e)
		}
	}
	for _, e := range account {
		name, _, _ := strings.Cut(e, "=")
		if _, ok := lookup(env, name); !ok {
			env = append(env, e)
		}
	}
	return append(env, "TERM=xterm-256color", "COLORTERM=truecolor")
}

// lookup finds a variable.
func lookup(env []string, name string) (value string, ok bool) {
	for _, e := range env {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value, true
		}
	}
	return "", false
}
