package agent

import (
	"context"
	"encoding/json"
	"os"
	"runtime"
	"time"
)

// Push types that the agent handles itself. No configuration can replace them.
const (
	TypePing = "agent.ping" // answers {"pong": the payload}
	TypeInfo = "agent.info" // answers what and where this agent is
	// builtinPrefix is kept for them.
	builtinPrefix = "agent."
)

// info is the answer to TypeInfo.
type info struct {
	Hostname      string     `json:"hostname"`
	OS            string     `json:"os"`
	Arch          string     `json:"arch"`
	Version       string     `json:"version"`
	UptimeSeconds int64      `json:"uptime_seconds"` // of the agent
	Boot          *time.Time `json:"boot,omitempty"` // of the machine
}

// builtins returns the handlers of the agent's own push types; started is when the agent began.
func builtins(version string, started time.Time) map[string]handler {
	return map[string]handler{
		TypePing: {run: pong, repeatable: true},
		TypeInfo: {repeatable: true, run: func(context.Context, Push) (Result, bool) {
			i := info{OS: runtime.GOOS, Arch: runtime.GOARCH, Version: version, UptimeSeconds: int64(time.Since(started).Seconds())}
			i.Hostname, _ = os.Hostname() // a machine without a name has an empty one
			if boot, err := bootTime(time.Now()); err == nil {
				boot = boot.UTC().Truncate(time.Second)
				i.Boot = &boot
			}
			return Result{OK: true, JSON: encodeJSON(i)}, true
		}},
	}
}

func pong(_ context.Context, p Push) (Result, bool) {
	answer := struct {
		Pong any `json:"pong"`
	}{}
	switch {
	case p.Binary:
		answer.Pong = p.Payload // as base64
	case p.Payload != nil:
		answer.Pong = json.RawMessage(p.Payload)
	}
	j := encodeJSON(answer)
	if !travels(j) {
		return failed(failure{Reason: ReasonPayloadTooLarge}), true
	}
	return Result{OK: true, JSON: j}, true
}
