package remote

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"signalbox/internal/channel"
	"signalbox/internal/signalling"
)

// Config is what an endpoint allows of remote sessions, whatever its server grants. The zero value allows nothing.
type Config struct {
	Enabled     bool     `key:"enabled" doc:"Whether technicians may open remote sessions. What a session may do is granted by the server; the keys below allow less, never more."`
	Kinds       []string `key:"kinds" doc:"What sessions may do: terminal, files, processes, desktop. Empty: all that this system has."`
	FilesRoot   string   `key:"files_root" doc:"Directory outside of which sessions see no files. Empty: they see what the agent sees."`
	Consent     string   `key:"consent" doc:"What the user is asked at least: none, ask_allow (no answer allows) or ask_deny (no answer denies). Empty: what the server says."`
	MaxSessions int      `key:"max_sessions" doc:"How many sessions may run at the same time, 1 to 16."`
	Loopback    bool     `key:"loopback" doc:"Whether technicians on this very machine are reached directly; for trying things out."`
}

// DefaultConfig allows what the server grants.
func DefaultConfig() Config { return Config{Enabled: true, MaxSessions: 4} }

// kinds are the channels that can be granted.
var kinds = []string{channel.Terminal, channel.Files, channel.Processes, channel.Desktop}

// Validate returns all mistakes joined, each beginning with its key.
func (c Config) Validate() error {
	var errs []error
	for i, k := range c.Kinds {
		if !slices.Contains(kinds, k) {
			errs = append(errs, fmt.Errorf("kinds[%d]: %q is none of %s", i, k, strings.Join(kinds, ", ")))
		}
	}
	if c.FilesRoot != "" && !filepath.IsAbs(c.FilesRoot) {
		errs = append(errs, fmt.Errorf("files_root: %q is no absolute path", c.FilesRoot))
	}
	if c.Consent != "" && strictness(c.Consent) < 0 {
		errs = append(errs, fmt.Errorf("consent: %q is none of %s", c.Consent, strings.Join(modes, ", ")))
	}
	if c.MaxSessions < 1 || c.MaxSessions > 16 {
		errs = append(errs, errors.New("max_sessions: must be between 1 and 16"))
	}
	return errors.Join(errs...)
}

// modes are those of consent, the strictest last.
var modes = []string{signalling.ModeNone, signalling.ModeAskAllow, signalling.ModeAskDeny}

func strictness(mode string) int { return slices.Index(modes, mode) }

// stricter returns the stricter of the server's mode and that of the endpoint. A mode that is not known is as strict as can be.
func stricter(granted, own string) string {
	if strictness(granted) < 0 {
		return signalling.ModeAskDeny
	}
	return modes[max(strictness(granted), strictness(own))]
}

// allows reports whether the endpoint's own configuration has a kind.
func (c Config) allows(kind string) bool {
	return len(c.Kinds) == 0 || slices.Contains(c.Kinds, kind)
}
