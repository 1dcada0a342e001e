// Package telemetry sets up logs and metrics: the logger, the constructors of log fields, the metric registry.
package telemetry

import (
	"net/netip"
	"time"

	"go.uber.org/zap"
)

// The names of log fields stand here and nowhere else.

// Endpoint is the bare JID of an endpoint.
func Endpoint(jid string) zap.Field { return zap.String("endpoint", jid) }

// Resource is the resource of a session.
func Resource(r string) zap.Field { return zap.String("resource", r) }

// Push is the id of a push.
func Push(id string) zap.Field { return zap.String("push", id) }

// Campaign is the id of a campaign.
func Campaign(id string) zap.Field { return zap.String("campaign", id) }

// TURNSession is the id of a TURN session.
func TURNSession(id string) zap.Field { return zap.String("turn_session", id) }

// RemoteSession is the id of a remote session.
func RemoteSession(id string) zap.Field { return zap.String("session", id) }

// PushType is the type of a push.
func PushType(t string) zap.Field { return zap.String("push_type", t) }

// Remote is the address of a peer.
func Remote(a netip.AddrPort) zap.Field { return zap.Stringer("remote", a) }

// Listener is the name and address of a listener.
func Listener(name, addr string) zap.Field { return zap.String("listener", name+"="+addr) }

// Reason is a named reason.
func Reason(name string) zap.Field { return zap.String("reason", name) }

// Detail is a sentence for people.
func Detail(text string) zap.Field { return zap.String("detail", text) }

// File is a path.
func File(path string) zap.Field { return zap.String("file", path) }

// Count is a number of things.
func Count(n int) zap.Field { return zap.Int("count", n) }

// Dropped is a number of things that found no room.
func Dropped(n int) zap.Field { return zap.Int("dropped", n) }

// Epoch is the number of a session among those of its endpoint.
func Epoch(n uint64) zap.Field { return zap.Uint64("epoch", n) }

// Process is the id of a process of this machine.
func Process(pid int) zap.Field { return zap.Int("pid", pid) }

// Took is a duration.
func Took(d time.Duration) zap.Field { return zap.Duration("took", d) }

// Token is the id of an API token, never its secret.
func Token(id string) zap.Field { return zap.String("token", id) }

// Method is the method of an HTTP request.
func Method(m string) zap.Field { return zap.String("method", m) }

// Path is the path of an HTTP request.
func Path(p string) zap.Field { return zap.String("path", p) }

// Status is an HTTP status or exit code.
func Status(code int) zap.Field { return zap.Int("status", code) }

// Version is a version of this program.
func Version(v string) zap.Field { return zap.String("version", v) }

// Component is the domain of a component.
func Component(name string) zap.Field { return zap.String("component", name) }

// Key is a configuration key.
func Key(k string) zap.Field { return zap.String("key", k) }

// Cause is the error that a line is about.
func Cause(err error) zap.Field { return zap.Error(err) }

// Command is what an administrator had the server do.
func Command(name string) zap.Field { return zap.String("command", name) }

// Target is the JID that a command is about.
func Target(jid string) zap.Field { return zap.String("target", jid) }

// Webhook is the id of a receiver of events.
func Webhook(id string) zap.Field { return zap.String("webhook", id) }

// Event is the id of an event.
func Event(id string) zap.Field { return zap.String("event", id) }
