package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const agentProgram = "signalbox-agent"

// findAgent returns the agent's program: the one that was named, the one beside this program, or one built from source, as with "go run", which leaves
// nothing beside.
func (q *quickstart) findAgent(ctx context.Context) (string, error) {
	if q.agentPath != "" {
		return filepath.Abs(q.agentPath)
	}
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	beside := filepath.Join(filepath.Dir(self), agentProgram)
	if info, err := os.Stat(beside); err == nil && info.Mode().IsRegular() {
		return beside, nil
	}
	built := q.dir.path("bin", agentProgram)
	// "go run" does not look at the version control either, which may refuse to be looked at.
	out, err := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", built, "signalbox/cmd/"+agentProgram).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("no %s: it is not at %s, and cannot be built here (%w: %s); name it with --agent", agentProgram, beside, err, strings.TrimSpace(string(out)))
	}
	q.line("agent", "built from source as %s", built)
	return built, nil
}
