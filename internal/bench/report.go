package bench

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"
)

const method = "Endpoints are played by one process: TLS 1.3, SCRAM-SHA-256, XEP-0198, one connection each. The server's CPU time and resident memory are those of its own metrics; " +
	"what load and server cost each other on one machine is in the times. Percentiles are of all operations of a phase."

// Report is what was measured. Parts that did not run are nil.
type Report struct {
	Began           time.Time `json:"began"`
	Method          string    `json:"method"`
	Machine         Machine   `json:"machine"` // that the load ran on
	Server          string    `json:"server"`
	Endpoints       int       `json:"endpoints"`
	Profiles        Profiles  `json:"profiles"`
	PushRate        float64   `json:"push_rate"`
	PayloadBytes    int       `json:"payload_bytes"`
	DurationSeconds float64   `json:"duration_seconds"`

	Logins *Logins `json:"logins,omitempty"`
	Idle   *Idle   `json:"idle,omitempty"`
	Pushes *Pushes `json:"pushes,omitempty"`
	Truth  *Truth  `json:"truth,omitempty"`
	Burst  *Burst  `json:"burst,omitempty"`
	Storm  *Storm  `json:"storm,omitempty"`

	before usage // the logins
}

// Machine is the one that the load ran on.
type Machine struct {
	OS          string `json:"os"`
	Arch        string `json:"arch"`
	Cores       int    `json:"cores"`
	MemoryBytes int64  `json:"memory_bytes"`
}

// Logins is the phase in which all endpoints log in, a bounded number at the same time.
type Logins struct {
	Count               int     `json:"count"`
	Failed              int     `json:"failed"`
	Why                 string  `json:"why,omitempty"` // one of the failures
	Seconds             float64 `json:"seconds"`
	PerSecond           float64 `json:"per_second"`
	Latency             Latency `json:"latency"`
	ServerCPUMillisEach float64 `json:"server_cpu_ms_each"`
}

// Idle is what the sessions take when nothing happens.
type Idle struct {
	Sessions          int   `json:"sessions"`
	ServerMemoryBytes int64 `json:"server_memory_bytes"`
	BytesPerSession   int64 `json:"bytes_per_session"` // above what the server took before
}

// Pushes is the phase with pushes.
type Pushes struct {
	Accepted            int             `json:"accepted"`
	PerSecond           float64         `json:"per_second"`
	Seconds             float64         `json:"seconds"`
	Late                int             `json:"late"`              // not posted: the server had 256 requests unanswered
	Refused             map[string]int  `json:"refused,omitempty"` // by code of the problem
	Arrived             int             `json:"arrived"`
	NotArrived          map[Profile]int `json:"not_arrived,omitempty"` // by profile: those that went silent get theirs when they come back
	Accept              Latency         `json:"accept"`                // from the request to its answer, when the push is on stable storage
	Arrive              Latency         `json:"arrive"`                // from the request to the endpoint
	ServerCPUMillisEach float64         `json:"server_cpu_ms_each"`    // with all that the endpoints do meanwhile
	FlakyFailures       int             `json:"flaky_failures"`        // connections that a flaky endpoint did not get
}

// Truth is whether what the server says of pushes is what the endpoints saw.
type Truth struct {
	Checked int      `json:"checked"`
	Wrong   int      `json:"wrong"`
	Details []string `json:"details,omitempty"` // of the first few
}

func (t *Truth) wrong(detail string) {
	const most = 10
	if t.Wrong++; len(t.Details) < most {
		t.Details = append(t.Details, detail)
	}
}

// Burst is the highest rate of durable pushes.
type Burst struct {
	Callers   int     `json:"callers"`
	Accepted  int     `json:"accepted"`
	Failed    int     `json:"failed"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"per_second"`
}

// Storm is how long it takes until all endpoints are back after all connections were cut at once, without any pause of theirs.
type Storm struct {
	Endpoints         int     `json:"endpoints"`
	Back              int     `json:"back"`
	Failed            int     `json:"failed"`
	Resumed           int     `json:"resumed"` // sessions
	Seconds           float64 `json:"seconds"`
	Latency           Latency `json:"latency"`
	ServerCPUSeconds  float64 `json:"server_cpu_seconds"`
	ServerMemoryBytes int64   `json:"server_memory_bytes"`
}

// Write prints the report for people.
func (r Report) Write(w io.Writer) error {
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(tab, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	line("load on", "%s/%s, %d cores, %s", r.Machine.OS, r.Machine.Arch, r.Machine.Cores, size(r.Machine.MemoryBytes))
	line("server", "%s", r.Server)
	line("endpoints", "%d: %s", r.Endpoints, shares(r.Profiles))
	if l := r.Logins; l != nil {
		line("logins", "%d, %d failed, %.0f per second; %s; %.2f ms of the server's CPU each", l.Count, l.Failed, l.PerSecond, l.Latency, l.ServerCPUMillisEach)
		if l.Why != "" {
			line("", "a failure: %s", l.Why)
		}
	}
	if i := r.Idle; i != nil {
		line("idle", "%d sessions, %s of memory, %s per session", i.Sessions, size(i.ServerMemoryBytes), size(i.BytesPerSession))
	}
	if p := r.Pushes; p != nil {
		line("pushes", "%d of %d bytes in %.1f s, %.1f per second, %d late; %.2f ms of the server's CPU each", p.Accepted, r.PayloadBytes, p.Seconds, p.PerSecond, p.Late, p.ServerCPUMillisEach)
		line("  accepted", "%s", p.Accept)
		line("  arrived", "%d; %s", p.Arrived, p.Arrive)
		for _, profile := range profiles {
			if n := p.NotArrived[profile]; n > 0 {
				line("  not arrived", "%d at %s endpoints", n, profile)
			}
		}
		for _, code := range slices.Sorted(maps.Keys(p.Refused)) {
			line("  refused", "%d by %s", p.Refused[code], code)
		}
	}
	if t := r.Truth; t != nil {
		line("truth", "%d pushes checked, %d not what their endpoints saw", t.Checked, t.Wrong)
		for _, d := range t.Details {
			line("", "%s", d)
		}
	}
	if b := r.Burst; b != nil {
		line("highest rate", "%.0f durable pushes per second from %d callers, %d failed", b.PerSecond, b.Callers, b.Failed)
	}
	if s := r.Storm; s != nil {
		line("storm", "%d of %d back after %.1f s, %d of them resumed, %d failed; %s; %.1f s of the server's CPU, %s of memory",
			s.Back, s.Endpoints, s.Seconds, s.Resumed, s.Failed, s.Latency, s.ServerCPUSeconds, size(s.ServerMemoryBytes))
	}
	if err := tab.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s\n", r.Method)
	return err
}

// String says the spread for people.
func (l Latency) String() string {
	return fmt.Sprintf("p50 %.1f ms, p99 %.1f ms, most %.1f ms", l.P50, l.P99, l.Max)
}

func shares(p Profiles) (text string) {
	for _, name := range profiles {
		if p[name] > 0 {
			if text != "" {
				text += ", "
			}
			text += fmt.Sprintf("%d %% %s", p[name], name)
		}
	}
	return text
}

func size(bytes int64) string {
	switch {
	case bytes >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30))
	case bytes >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
	}
	return fmt.Sprintf("%.1f KiB", float64(bytes)/(1<<10))
}
