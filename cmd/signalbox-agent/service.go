package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"

	"github.com/kardianos/service"
	"github.com/spf13/cobra"

	"signalbox/internal/agent"
)

// serviceName is what the service manager knows the agent by.
const serviceName = "signalbox-agent"

// systemdUnit is ours: the agent runs commands, terminals and files of technicians, so it is not confined beyond what it never needs.
const systemdUnit = `[Unit]
Description={{Description}}
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart={{Path | cmdEscape}}{{range Arguments}} {{. | cmd}}{{end}}
WatchdogSec=2min
NotifyAccess=main
Restart=always
RestartSec=5
RestartPreventExitStatus=78
RuntimeDirectory=signalbox-agent
LimitNOFILE=8192
KillMode=mixed
TimeoutStopSec=60
ProtectClock=true
ProtectKernelLogs=true
RestrictRealtime=true
SystemCallArchitectures=native

[Install]
WantedBy=multi-user.target
`

// program is the agent as a service manager runs it.
type program struct {
	run    func(context.Context) error
	cancel context.CancelFunc
	ended  chan error
}

// Start implements service.Interface.
func (p *program) Start(service.Service) error {
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel, p.ended = cancel, make(chan error, 1)
	go func() { p.ended <- p.run(ctx) }() // Stop waits for it
	return nil
}

// Stop implements service.Interface.
func (p *program) Stop(service.Service) error {
	p.cancel()
	return <-p.ended
}

// newService describes the agent with a configuration file to the service manager of this system.
func newService(file string, run func(context.Context) error) (service.Service, error) {
	if runtime.GOOS == "linux" && service.Platform() != "linux-systemd" {
		return nil, errors.New("this system does not run systemd: have whatever starts programs here run \"signalbox-agent run --config FILE\"")
	}
	return service.New(&program{run: run}, &service.Config{
		Name: serviceName, DisplayName: "Signalbox agent", Description: "Signalbox agent: keeps this computer reachable for its management server",
		Arguments: []string{"run", "--config", file},
		Option:    service.KeyValue{"SystemdScript": systemdUnit, "OnFailure": "restart", "OnFailureDelayDuration": "5s", "KeepAlive": true, "RunAtLoad": true},
	})
}

func installCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "install", Short: "Have the system run the agent, now and whenever it starts",
		Long:    "Registers the agent with the system's service manager (systemd, the Windows service manager, launchd) and starts it.\nThe configuration is checked first: an agent that could not run is not installed.",
		Example: "  signalbox-agent install --config /etc/signalbox-agent.yaml", Args: cobra.NoArgs,
	}
	s := newSettings(c)
	c.RunE = func(*cobra.Command, []string) error {
		file, err := filepath.Abs(s.file)
		if err != nil || s.file == "" {
			return &exitError{exitConfig, errors.New("install needs --config: a service has no other settings")}
		}
		cfg, err := agent.Load(file, nil)
		if err == nil {
			err = cfg.Validate()
		}
		if err != nil {
			return &exitError{exitConfig, err}
		}
		return install(file)
	}
	return c
}

func uninstallCommand() *cobra.Command {
	return &cobra.Command{
		Use: "uninstall", Short: "Stop the agent and have the system forget it", Long: "Stops the service and removes it from the service manager. Configuration and state stay.",
		Example: "  signalbox-agent uninstall", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return uninstall() },
	}
}

// installed returns the service, and whether the service manager knows it.
func installed(file string) (s service.Service, known bool, err error) {
	s, err = newService(file, func(context.Context) error { return nil })
	if err != nil {
		return nil, false, &exitError{exitFailed, err}
	}
	_, err = s.Status()
	return s, !errors.Is(err, service.ErrNotInstalled), nil // one that failed is installed, too
}

func install(file string) error {
	s, known, err := installed(file)
	switch {
	case err != nil:
		return err
	case known:
		return &exitError{exitFailed, errors.New("the service is installed already: run \"signalbox-agent uninstall\" first")}
	}
	return manage(s, "install", "start")
}

func uninstall() error {
	s, known, err := installed("")
	switch {
	case err != nil:
		return err
	case !known:
		return &exitError{exitFailed, errors.New("the service is not installed")}
	}
	_ = s.Stop() // to stop what does not run is no mistake
	return manage(s, "uninstall")
}

// manage has the service manager do one thing after the other.
func manage(s service.Service, actions ...string) error {
	for _, a := range actions {
		if err := service.Control(s, a); err != nil {
			return &exitError{exitFailed, fmt.Errorf("%s the service: %w", a, err)}
		}
	}
	return nil
}

// serveAs runs the agent under the Windows service manager if that started this program, and otherwise as any program.
func serveAs(ctx context.Context, file string, run func(context.Context) error) error {
	if runtime.GOOS != "windows" || service.Interactive() {
		return run(ctx)
	}
	s, err := newService(file, run)
	if err != nil {
		return err
	}
	return s.Run()
}
