package bench

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// usage is what the server's process has used, by its own metrics.
type usage struct {
	cpu    float64 // seconds
	memory float64 // resident bytes
}

func (b *bench) usage(ctx context.Context) (u usage, err error) {
	text, err := b.API.Metrics(ctx)
	if err != nil {
		return u, fmt.Errorf("read the server's metrics: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch name {
		case "process_cpu_seconds_total":
			u.cpu, err = strconv.ParseFloat(value, 64)
		case "process_resident_memory_bytes":
			u.memory, err = strconv.ParseFloat(value, 64)
		}
		if err != nil {
			return u, fmt.Errorf("read the server's metrics: %w", err)
		}
	}
	return u, nil
}

// describe begins a report: what is played, and on what.
func (b *bench) describe(ctx context.Context) Report {
	r := Report{
		Began: time.Now().UTC(), Method: method, Endpoints: b.Endpoints, Profiles: b.Profiles, PushRate: b.PushRate, PayloadBytes: b.Payload, DurationSeconds: b.Duration.Seconds(),
		Machine: Machine{OS: runtime.GOOS, Arch: runtime.GOARCH, Cores: runtime.NumCPU()},
	}
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		r.Machine.MemoryBytes = int64(info.Totalram) * int64(info.Unit)
	}
	if v, err := b.API.Version(ctx); err == nil {
		r.Server = v.Version + " " + v.OS + "/" + v.Arch
	}
	return r
}

// Latency is the spread of many times, in milliseconds.
type Latency struct {
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"`
	Max float64 `json:"max_ms"`
}

func summarise(all []time.Duration) Latency {
	if len(all) == 0 {
		return Latency{}
	}
	slices.Sort(all)
	at := func(share float64) float64 {
		return float64(all[min(len(all)-1, int(share*float64(len(all))))].Microseconds()) / 1000
	}
	return Latency{P50: at(0.5), P99: at(0.99), Max: at(1)}
}
