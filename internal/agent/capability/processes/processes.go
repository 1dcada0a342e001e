// Package processes shows a technician what runs on the endpoint, and ends what is asked for.
package processes

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/shirou/gopsutil/v4/process"

	"signalbox/internal/agent/capability"
	"signalbox/internal/channel"
	"signalbox/internal/telemetry"
)

// Processes is the capability.
type Processes struct{}

// keepBootTime has the time of the machine's start read once: that of a process's start is counted from it, and must not differ between a list and a kill.
var keepBootTime = sync.OnceFunc(func() { process.EnableBootTimeCache(true) })

// New makes it.
func New() Processes {
	keepBootTime()
	return Processes{}
}

// Name implements capability.Capability.
func (Processes) Name() string { return channel.Processes }

// Supported implements capability.Capability.
func (Processes) Supported() error { return nil }

// Open implements capability.Capability.
func (Processes) Open(s capability.Session) capability.Instance {
	return &instance{session: s, usage: usage{}}
}

// instance is the capability in one session.
type instance struct {
	session capability.Session
	usage   usage
}

// Serve implements capability.Instance.
func (i *instance) Serve(ctx context.Context, c channel.Conn) error {
	return capability.Requests(ctx, c, channel.DecodeProcessesRequest, func(r channel.ProcessesRequest, send func(any) error) error {
		refuse := func(err error) error {
			return send(channel.ProcessesAnswer{ID: r.ID, Error: capability.Refusal(err)})
		}
		switch {
		case r.List != nil && !i.session.May(channel.MaySee):
			return refuse(i.session.Refuse(channel.MaySee))
		case r.List != nil:
			all, err := i.list(ctx)
			if err != nil {
				return refuse(err)
			}
			return channel.Pieces(all, func(piece []channel.Process, more bool) error {
				return send(channel.ProcessesAnswer{ID: r.ID, Processes: piece, More: more})
			})
		case !i.session.May(channel.MayKill):
			return refuse(i.session.Refuse(channel.MayKill))
		}
		if err := kill(ctx, *r.Kill); err != nil {
			return refuse(err)
		}
		i.session.Log.Info("process ended", telemetry.Process(r.Kill.PID), telemetry.Detail(r.Kill.Signal))
		return send(channel.ProcessesAnswer{ID: r.ID, Killed: true})
	})
}

// Close implements capability.Instance: nothing runs between requests.
func (i *instance) Close() {}

// list looks at all processes, by number.
func (i *instance) list(ctx context.Context) ([]channel.Process, error) {
	all, err := look(ctx)
	if err != nil {
		return nil, err
	}
	i.usage.count(all)
	listed := make([]channel.Process, len(all))
	for n, p := range all {
		listed[n] = p.Process
	}
	slices.SortFunc(listed, func(a, b channel.Process) int { return cmp.Compare(a.PID, b.PID) })
	return listed, nil
}
