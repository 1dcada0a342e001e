// Package capability is what a technician can do at an endpoint: each capability serves the channels of one name, and checks by itself what the session may.
package capability

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"go.uber.org/zap"

	"signalbox/internal/channel"
	"signalbox/internal/signalling"
	"signalbox/internal/telemetry"
)

// Capability serves the channels of one name. Its methods may be called concurrently.
type Capability interface {
	// Name is that of its channels: channel.Terminal and the like.
	Name() string
	// Supported is nil, or why there is no such thing on this system, as an *channel.Error with CodeNotSupported.
	Supported() error
	// Open is called once for each session, when its first channel of the name is opened.
	Open(s Session) Instance
}

// Instance is a capability in one session.
type Instance interface {
	// Serve serves one channel until it ends, closes it, and returns nil if the other side or the protocol ended it. Several may be served at a time. What runs in the session
	// goes on, so that another channel can take it up again.
	Serve(ctx context.Context, c channel.Conn) error
	// Close ends all that runs in the session, and waits for it.
	Close()
}

// Session is what a capability knows of a session.
type Session struct {
	ID          string
	Kinds       []string // channels that it may open, channel.System aside
	Permissions []string // channel.MayType and the like; none: all of its kinds
	Log         *zap.Logger
	Blocked     func(why string) // takes what Tell is told, without blocking; nil: nobody wants to know
}

// Tell has the server hear that something was refused to the technician, by signalling.BlockedPath and the like. What it has heard already it is not told again.
func (s Session) Tell(why string) {
	if s.Blocked != nil {
		s.Blocked(why)
	}
}

// May reports whether the session has a permission.
func (s Session) May(permission string) bool {
	kind, _, _ := strings.Cut(permission, ".")
	return s.Has(kind) && (len(s.Permissions) == 0 || slices.Contains(s.Permissions, permission))
}

// Has reports whether the session is of a kind.
func (s Session) Has(kind string) bool {
	return kind == channel.System || slices.Contains(s.Kinds, kind)
}

// Refuse logs and tells what a session has no permission for, and returns the refusal.
func (s Session) Refuse(permission string) *channel.Error {
	s.Tell(signalling.BlockedPermission)
	s.Log.Info("refused", telemetry.Reason(channel.CodeNotPermitted), telemetry.Detail(permission))
	return channel.Refuse(channel.CodeNotPermitted, "this session lacks the permission %s", permission)
}

// Refusal is what the other side is told of an error.
func Refusal(err error) *channel.Error {
	var refusal *channel.Error
	code := channel.CodeFailed
	switch {
	case errors.As(err, &refusal):
		return refusal
	case errors.Is(err, fs.ErrNotExist):
		code = channel.CodeNotFound
	case errors.Is(err, fs.ErrExist):
		code = channel.CodeExists
	case errors.Is(err, fs.ErrPermission):
		code = channel.CodeNotPermitted
	case errors.Is(err, syscall.ENOSPC):
		code = channel.CodeTooLarge
	case errors.Is(err, errors.ErrUnsupported):
		return channel.NotSupported()
	}
	return channel.Refuse(code, "%s", err)
}
