// Package terminal gives a technician shells on terminals of the endpoint, which go on while nobody is attached and end with the session.
package terminal

import (
	"signalbox/internal/agent/capability"
	"signalbox/internal/channel"
)

// Terminal is the capability.
type Terminal struct {
	command []string
}

// New makes it. command is the program that a terminal runs, with its arguments; empty: the login shell of the user that the agent runs as, on Windows PowerShell or what
// ComSpec names.
func New(command []string) Terminal { return Terminal{command} }

// Name implements capability.Capability.
func (Terminal) Name() string { return channel.Terminal }

// Supported implements capability.Capability.
func (Terminal) Supported() error { return supported() }

// Open implements capability.Capability.
func (t Terminal) Open(s capability.Session) capability.Instance {
	return &instance{session: s, command: t.command}
}
