// Package system tells a technician what the endpoint is, and answers pings.
package system

import (
	"context"

	"signalbox/internal/agent/capability"
	"signalbox/internal/channel"
)

// System is the capability.
type System struct {
	version string
}

// New makes it; version is that of the agent.
func New(version string) System { return System{version} }

// Name implements capability.Capability.
func (System) Name() string { return channel.System }

// Supported implements capability.Capability.
func (System) Supported() error { return nil }

// Open implements capability.Capability. Every session may have it, whatever its permissions.
func (s System) Open(capability.Session) capability.Instance { return instance(s) }

type instance System

// Serve implements capability.Instance.
func (i instance) Serve(ctx context.Context, c channel.Conn) error {
	return capability.Requests(ctx, c, channel.DecodeSystemRequest, func(r channel.SystemRequest, send func(any) error) error {
		if r.Ping != nil {
			return send(channel.SystemAnswer{ID: r.ID, Pong: &channel.Nothing{}})
		}
		info := look(ctx, i.version)
		return send(channel.SystemAnswer{ID: r.ID, System: &info})
	})
}

// Close implements capability.Instance: nothing runs between requests.
func (instance) Close() {}
