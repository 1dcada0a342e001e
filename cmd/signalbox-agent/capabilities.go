package main

import (
	"fmt"

	"signalbox/internal/agent"
	"signalbox/internal/agent/capability"
	"signalbox/internal/agent/capability/files"
	"signalbox/internal/agent/capability/processes"
	"signalbox/internal/agent/capability/system"
	"signalbox/internal/agent/capability/terminal"
)

// capabilities returns what technicians can do at this endpoint.
func capabilities(cfg agent.Config) ([]capability.Capability, error) {
	shown, err := files.New(cfg.Remote.FilesRoot)
	if err != nil {
		return nil, fmt.Errorf("remote.files_root: %w", err)
	}
	return []capability.Capability{terminal.New(nil), shown, processes.New(), system.New(version())}, nil
}
