package processes

import (
	"context"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/process"

	"signalbox/internal/channel"
)

// maxCommand bounds the bytes of a command with its arguments.
const maxCommand = 1024

// seen is a process at one moment.
type seen struct {
	channel.Process
	used time.Duration // of processors since it was started
	at   time.Time
}

// look looks at all processes. One that ends meanwhile is left out.
func look(ctx context.Context) ([]seen, error) {
	running, err := process.ProcessesWithContext(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]seen, 0, len(running))
	for _, p := range running {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if s, ok := lookAt(ctx, p); ok {
			all = append(all, s)
		}
	}
	return all, nil
}

// lookAt looks at one process; false: it has ended.
func lookAt(ctx context.Context, p *process.Process) (seen, bool) {
	s := seen{Process: channel.Process{PID: int(p.Pid)}, at: time.Now()}
	began, err := p.CreateTimeWithContext(ctx)
	if err != nil {
		if running, _ := process.PidExistsWithContext(ctx, p.Pid); !running {
			return s, false
		}
	}
	s.Started = started(began)
	partial := func(err error) {
		if err != nil {
			s.Partial = true
		}
	}
	partial(err)
	s.Name, err = p.NameWithContext(ctx)
	partial(err)
	parent, err := p.PpidWithContext(ctx)
	partial(err)
	s.Parent = int(parent)
	s.User, err = p.UsernameWithContext(ctx)
	partial(err)
	command, err := p.CmdlineWithContext(ctx)
	partial(err)
	s.Command = cut(command)
	times, err := p.TimesWithContext(ctx)
	if partial(err); err == nil {
		s.used = time.Duration((times.User + times.System) * float64(time.Second))
	}
	memory, err := p.MemoryInfoWithContext(ctx)
	if partial(err); err == nil {
		s.Memory = int64(memory.RSS)
	}
	return s, true
}

// started is a time of gopsutil: milliseconds since 1970.
func started(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// cut makes a text valid and short.
func cut(s string) string {
	if len(s) > maxCommand {
		s = s[:maxCommand]
	}
	return strings.ToValidUTF8(s, "")
}
