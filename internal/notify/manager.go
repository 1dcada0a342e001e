package notify

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"

	"signalbox/internal/telemetry"
)

// statusInterval is how often the line of status is told where the service manager wants no signs of life.
const statusInterval = 30 * time.Second

// Program is what is told of: the server, the TURN server that runs alone, and the endpoint's agent.
type Program interface {
	// Ready is closed when the program does its work.
	Ready() <-chan struct{}
	// Alive returns nil when the program has shown that it lives, or why it does not; it may take until ctx is done.
	Alive(ctx context.Context) error
	// Status is one line for people.
	Status(ctx context.Context) string
}

// Manager is the service manager that started this process, or nobody: then nothing is told. Its methods may be called concurrently, Run once.
type Manager struct {
	log      *zap.Logger
	send     func(state string) error // nil: there is nobody
	interval time.Duration            // between two signs of life; never 0

	mu    sync.Mutex
	ready bool // told that it is, and not that it stops
}

// FromEnvironment returns the service manager that NOTIFY_SOCKET names, as sd_notify(3) has it, with the interval that WATCHDOG_USEC asks for.
func FromEnvironment(log *zap.Logger) *Manager {
	m := &Manager{log: log.Named("notify"), interval: statusInterval, send: toSystemd}
	limit, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		m.log.Warn("the service manager's wish for signs of life is not understood; it gets none", telemetry.Cause(err))
	}
	if limit > 0 {
		m.interval = limit / 3 // so that one of them may be late
	}
	if there, err := daemon.SdNotify(false, "STATUS=starting"); !there {
		m.send = nil
		if err != nil {
			m.log.Warn("the service manager cannot be told anything", telemetry.Cause(err))
		}
	}
	return m
}

func toSystemd(state string) error {
	_, err := daemon.SdNotify(false, state)
	return err
}

// Run tells of the program until ctx is done, which is when it has ended; stopping is done before, when it has been told to stop. Where a sign of life is due and the program shows none, nothing is sent, and the
// service manager does what it is configured to do.
func (m *Manager) Run(ctx, stopping context.Context, p Program) {
	if m.send == nil {
		return
	}
	ready, stop := p.Ready(), stopping.Done()
	ticks := time.NewTicker(m.interval)
	defer ticks.Stop()
	for {
		m.beat(ctx, p, ready != nil || stop == nil)
		select {
		case <-ready:
			ready = nil
			m.becomeReady()
		case <-stop:
			ready, stop = nil, nil
			m.becomeStopping()
		case <-ticks.C:
		case <-ctx.Done():
			if stop != nil && stopping.Err() != nil { // it ended as soon as it was told to
				m.becomeStopping()
			}
			return
		}
	}
}

// beat tells the status and, if the program lives, that it does. While it starts or stops, which has an end of its own, the service manager is asked to wait for the next beat at least.
func (m *Manager) beat(ctx context.Context, p Program, wait bool) {
	ctx, cancel := context.WithTimeout(ctx, m.interval)
	defer cancel()
	state := "STATUS=" + strings.ReplaceAll(p.Status(ctx), "\n", " ") // a line is an assignment
	if err := p.Alive(ctx); err != nil {
		if ctx.Err() != context.Canceled {
			m.log.Error("no sign of life for the service manager, which will end this process if none comes", telemetry.Cause(err))
		}
		m.tell(state)
		return
	}
	state += "\nWATCHDOG=1"
	if wait {
		state += "\nEXTEND_TIMEOUT_USEC=" + strconv.FormatInt((3*m.interval).Microseconds(), 10)
	}
	m.tell(state)
}

// Reload tells that the program reads its configuration again while do runs.
func (m *Manager) Reload(do func()) {
	if m.isReady() {
		m.tell(daemon.SdNotifyReloading)
	}
	do()
	if m.isReady() {
		m.tell(daemon.SdNotifyReady)
	}
}

func (m *Manager) isReady() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ready
}

func (m *Manager) becomeReady() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ready = true
	m.tell(daemon.SdNotifyReady)
}

func (m *Manager) becomeStopping() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ready = false
	m.tell(daemon.SdNotifyStopping)
}

func (m *Manager) tell(state string) {
	if m.send == nil {
		return
	}
	if err := m.send(state); err != nil {
		m.log.Warn("the service manager was not told", telemetry.Detail(state), telemetry.Cause(err))
	}
}
