package packages

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

const (
	domain     = "xmpp.example.test"
	unit       = "signalbox.service"
	configFile = "/etc/signalbox/signalbox.yaml"
	goodYML    = "domain: " + domain + "\ndrain: {period: 2s}\nxmpp: {shutdown_timeout: 2s}\n"
)

// TestServerPackage takes the package through its life: installed without a configuration, completed, hung, killed, upgraded with pushes on the way, upgraded with a bad configuration, removed, purged.
func TestServerPackage(t *testing.T) {
	old, new := deb(t, "signalbox", older), deb(t, "signalbox", newer)
	m := newMachine(t)

	said := m.install(old)
	contains(t, said, "domain: ", "not started", "systemctl enable --now signalbox")
	notRunning(t, m)
	m.run("test", "-f", "/usr/share/doc/signalbox/OPERATIONS.md")

	m.write(configFile, goodYML)
	m.run("signalbox", "certs", "make-ca", domain, "--dir", "/etc/signalbox/certs")
	m.run("sh", "-c", "chgrp signalbox /etc/signalbox/certs/* && chmod g+r /etc/signalbox/certs/*")
	m.run("systemctl", "enable", "--now", unit) // as the package has said; returns when the server has said that it is ready
	s := newServer(t, m)
	s.isWell()
	s.isConfined()
	s.reloads()
	s.comesBackFromKill()
	s.comesBackFromHang()
	s.upgrades(new)
	s.upgradesAgentByPush()
	s.drainsForLongerThanTheUnitAllows()
	s.keepsRunningWithBadConfiguration(old)
	s.isRemoved()
	s.startsWhenAllIsThere(new)
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q is not in\n%s", p, text)
		}
	}
}

func notRunning(t *testing.T, m *machine) {
	t.Helper()
	if state := m.property(unit, "ActiveState"); state != "inactive" {
		t.Errorf("the server is %s, want inactive", state)
	}
	if enabled, _ := m.try("systemctl", "is-enabled", unit); strings.TrimSpace(enabled) != "disabled" {
		t.Errorf("the server is %q, want disabled", enabled)
	}
}

// server is the service with an endpoint and a push that waits for it.
type server struct {
	*machine
	t    *testing.T
	env  []string
	push string // id of a push that waits from the beginning
}

func newServer(t *testing.T, m *machine) *server {
	s := &server{machine: m, t: t}
	token := m.run("runuser", "-u", "signalbox", "--", "signalbox", "token", "create", "--name", "test", "--scope", "admin")
	s.env = []string{"env", "SIGNALBOX_API_URL=http://127.0.0.1:8080", "SIGNALBOX_API_TOKEN=" + token}
	s.cli("endpoint", "create", "pc-away")
	s.push = s.send("pc-away", "agent.ping")
	return s
}

// cli runs a command of the operator over the API.
func (s *server) cli(args ...string) string {
	s.t.Helper()
	return s.run(append(append(s.env, "signalbox"), args...)...)
}

// send posts a push that lives for an hour and returns its id.
func (s *server) send(endpoint, kind string) string {
	s.t.Helper()
	var p struct{ ID string }
	text := s.cli("push", "send", endpoint, kind, "--ack", "handled", "--ttl", "1h", "-o", "json")
	if err := json.Unmarshal([]byte(text), &p); err != nil || p.ID == "" {
		s.t.Fatalf("push send: %v: %s", err, text)
	}
	return p.ID
}

func (s *server) state(push string) string {
	s.t.Helper()
	var p struct{ State string }
	text := s.cli("push", "get", push, "-o", "json")
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		s.t.Fatalf("push get: %v: %s", err, text)
	}
	return p.State
}

// isWell: the service runs and says so, its TURN server serves, and what was accepted waits.
func (s *server) isWell() {
	s.t.Helper()
	if state := s.property(unit, "ActiveState"); state != "active" {
		s.t.Fatalf("the server is %s, want active", state)
	}
	s.await("the status", func() bool { return strings.HasPrefix(s.property(unit, "StatusText"), "ready; streams: ") })
	s.await("TURN", func() bool {
		out, err := s.try("sh", "-c", "ss -lun | grep -q :3478 && pgrep -u signalbox -f 'signalbox turn'")
		return err == nil && out != ""
	})
	if state := s.state(s.push); state != "accepted" {
		s.t.Errorf("the push that waits is %s, want accepted", state)
	}
}

// isConfined: the processes are the user's, have one capability, and cannot get others.
func (s *server) isConfined() {
	for _, pid := range strings.Fields(s.run("pgrep", "-u", "signalbox")) {
		status, err := os.ReadFile(s.path("/proc/" + pid + "/status"))
		must(s.t, err)
		contains(s.t, string(status), "CapEff:\t0000000000000400\n", "CapBnd:\t0000000000000400\n", "NoNewPrivs:\t1\n", "Seccomp:\t2\n")
	}
	if limit := s.number(unit, "LimitNOFILE"); limit < 200_000 {
		s.t.Errorf("%d open files, want as many as listen.max_connections", limit)
	}
	if out := s.run("sysctl", "-n", "net.ipv4.ip_local_port_range"); strings.Join(strings.Fields(out), " ") != "16384 49151" {
		s.t.Errorf("ports of clients are %s", out)
	}
}

// reloads: the process stays, and is ready again.
func (s *server) reloads() {
	pid := s.property(unit, "MainPID")
	s.run("systemctl", "reload", unit)
	s.await("the end of the reload", func() bool { return s.property(unit, "ActiveState") == "active" })
	if s.property(unit, "MainPID") != pid {
		s.t.Error("a reload started another process")
	}
	s.await("the log of the reload", func() bool { out, _ := s.try("journalctl", "-u", unit); return strings.Contains(out, `"reloaded"`) })
}

// awaitRestart waits until systemd has started the service once more than before.
func (s *server) awaitRestart(before int) {
	s.t.Helper()
	s.await("a restart", func() bool {
		return s.number(unit, "NRestarts") > before && s.property(unit, "ActiveState") == "active"
	})
}

func (s *server) comesBackFromKill() {
	before := s.number(unit, "NRestarts")
	s.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", unit)
	s.awaitRestart(before)
	s.isWell()
}

// comesBackFromHang: as long as the server lives it gives a sign of life each second, and nobody restarts it; when it hangs it is.
func (s *server) comesBackFromHang() {
	dropIn := "/etc/systemd/system/" + unit + ".d"
	s.run("mkdir", dropIn)
	s.write(dropIn+"/watchdog.conf", "[Service]\nWatchdogSec=3s\n")
	s.run("systemctl", "daemon-reload")
	s.run("systemctl", "restart", unit)
	before := s.number(unit, "NRestarts")
	last, signs := 0, 0
	s.await("signs of life", func() bool {
		if at := s.number(unit, "WatchdogTimestampMonotonic"); at != last {
			last = at
			signs++
		}
		return signs > 6 // for more than 5 s
	})
	if n := s.number(unit, "NRestarts"); n != before {
		s.t.Errorf("a server that lives was restarted %d times", n-before)
	}
	s.run("systemctl", "kill", "--kill-whom=main", "--signal=STOP", unit)
	s.awaitRestart(before)
	contains(s.t, s.run("journalctl", "--unit", unit), "Watchdog timeout")
	s.run("rm", "-r", dropIn)
	s.run("systemctl", "daemon-reload")
	s.run("systemctl", "restart", unit)
	s.isWell()
}

// upgrades: an endpoint is connected and gets pushes all the while; the old server drains, the new one takes over, and every push that was accepted is handled.
func (s *server) upgrades(file string) {
	s.enrol()
	pid := s.property(unit, "MainPID")
	stop, sent := make(chan struct{}), make(chan []string)
	go func() { // ends with stop; waited for by the read from sent
		var ids []string
		defer func() { sent <- ids }()
		for {
			select {
			case <-stop:
				return
			default:
			}
			cmd := s.command(append(append(s.env, "signalbox"), "push", "send", "pc-1", "agent.ping", "--ack", "handled", "--ttl", "1h", "-o", "json")...)
			text, err := cmd.Output()
			var p struct{ ID string }
			if err == nil && json.Unmarshal(text, &p) == nil { // else it was not accepted
				ids = append(ids, p.ID)
			}
		}
	}()
	said := s.install(file)
	close(stop)
	ids := <-sent
	if strings.Contains(said, "not ") {
		s.t.Errorf("the upgrade said\n%s", said)
	}
	if s.property(unit, "MainPID") == pid {
		s.t.Error("the old server still runs after the upgrade")
	}
	contains(s.t, s.run("signalbox", "version"), newer)
	contains(s.t, s.run("journalctl", "--unit", unit), `"draining"`)
	if len(ids) < 5 {
		s.t.Errorf("%d pushes were accepted during the upgrade, want 5 at least", len(ids))
	}
	s.isWell()
	for _, id := range ids {
		s.await("the result of a push", func() bool { return s.state(id) == "handled" })
	}
}

// enrol starts an endpoint on the same machine.
func (s *server) enrol() {
	token := s.cli("enrolment", "create", "--endpoint", "pc-1")
	s.run("sh", "-c", "echo 127.0.0.1 "+domain+" >>/etc/hosts")
	contains(s.t, s.install(deb(s.t, "signalbox-agent", older)), "not enrolled")
	s.run("signalbox-agent", "enroll", "--server", domain, "--token", token, "--ca-file", "/etc/signalbox/certs/ca.crt", "--state-dir", "/var/lib/signalbox-agent", "--proxy", "direct")
	s.run("systemctl", "enable", "--now", agentUnit)
	s.await("the endpoint to be online", s.isOnline)
}

func (s *server) isOnline() bool {
	return strings.HasPrefix(s.property(agentUnit, "StatusText"), "online through "+domain)
}

// upgradesAgentByPush: the agent runs the upgrade of its own package, which must not be cut by the restart of the agent that it asks for.
func (s *server) upgradesAgentByPush() {
	file := deb(s.t, "signalbox-agent", newer)
	text, err := os.ReadFile(file)
	must(s.t, err)
	must(s.t, os.WriteFile(s.path("/tmp/agent.deb"), text, 0o644))
	s.run("sh", "-c", `printf 'handlers: {agents.upgrade: {command: [dpkg, --install, /tmp/agent.deb], timeout: 2m}}\n' >>/etc/signalbox-agent/agent.yaml`)
	s.run("systemctl", "restart", agentUnit)
	pid := s.property(agentUnit, "MainPID")
	push := s.send("pc-1", "agents.upgrade")
	s.await("the upgrade", func() bool { return s.state(push) == "handled" })
	if status := s.run("dpkg-query", "--show", "--showformat=${db:Status-Status} ${Version}", "signalbox-agent"); status != "installed "+newer {
		s.t.Errorf("the agent's package is %s after its upgrade by a push", status)
	}
	s.await("the restart of the agent", func() bool { return s.property(agentUnit, "MainPID") != pid })
	s.await("the endpoint to be online", s.isOnline)
}

// loiter opens a stream and never logs in.
const loiter = `exec 3<>/dev/tcp/127.0.0.1/5222
echo "<stream:stream to='` + domain + `' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>" >&3
cat <&3`

// drainsForLongerThanTheUnitAllows: of two streams the second is told at half of drain.period, which is beyond TimeoutStopSec here; the server gets the time that it asks for.
func (s *server) drainsForLongerThanTheUnitAllows() {
	dropIn := "/etc/systemd/system/" + unit + ".d"
	s.run("mkdir", dropIn)
	s.write(dropIn+"/stop.conf", "[Service]\nTimeoutStopSec=2s\n")
	s.write(configFile, strings.Replace(goodYML, "period: 2s", "period: 16s", 1))
	s.run("systemctl", "daemon-reload")
	s.run("systemctl", "restart", unit)
	s.await("the endpoint", func() bool { return strings.Contains(s.cli("drain", "--status"), "1 stream") })
	guest := s.command("bash", "-c", loiter)
	must(s.t, guest.Start())
	s.await("the other stream", func() bool { return strings.Contains(s.cli("drain", "--status"), "2 streams") })
	s.run("systemctl", "stop", unit)
	_ = guest.Wait() // the server has closed its stream
	if result := s.property(unit, "Result"); result != "success" {
		s.t.Errorf("the stop came to %s, want success", result)
	}
	s.run("rm", "-r", dropIn)
	s.write(configFile, goodYML)
	s.run("systemctl", "daemon-reload")
	s.run("systemctl", "start", unit)
	s.isWell()
}

// keepsRunningWithBadConfiguration: what is installed with a configuration that it does not accept is not started, and what runs goes on.
func (s *server) keepsRunningWithBadConfiguration(file string) {
	pid := s.property(unit, "MainPID")
	s.write(configFile, goodYML+"listne: {}\n")
	contains(s.t, s.install(file), "listne", "not restarted", "systemctl restart signalbox")
	if s.property(unit, "MainPID") != pid {
		s.t.Error("the server was restarted with a bad configuration")
	}
	s.isWell()
	s.write(configFile, goodYML)
	s.run("systemctl", "restart", unit)
	contains(s.t, s.run("signalbox", "version"), older)
	s.isWell()
}

// isRemoved: a removal stops the server and keeps what it has; a purge deletes that, and not the operator's keys.
func (s *server) isRemoved() {
	s.run("systemctl", "stop", agentUnit)
	s.run("dpkg", "--remove", "signalbox")
	if _, err := s.try("pgrep", "-u", "signalbox"); err == nil {
		s.t.Error("something of the server still runs after its removal")
	}
	s.run("test", "-s", "/var/lib/signalbox/signalbox.db")
	s.run("test", "-f", configFile)
	contains(s.t, s.run("dpkg", "--purge", "signalbox"), "/etc/signalbox/certs is not empty and stays")
	for _, gone := range []string{"/var/lib/signalbox", configFile, "/etc/systemd/system/multi-user.target.wants/" + unit} {
		if _, err := os.Lstat(s.path(gone)); err == nil {
			s.t.Errorf("%s is still there after the purge", gone)
		}
	}
	s.run("test", "-s", "/etc/signalbox/certs/"+domain+".pem")
}

// startsWhenAllIsThere: a package that finds a good configuration and a good bundle starts the server; without the bundle it says so.
func (s *server) startsWhenAllIsThere(file string) {
	bundle := "/etc/signalbox/certs/" + domain + ".pem"
	s.write(configFile, goodYML)
	s.run("mv", bundle, "/tmp/bundle")
	contains(s.t, s.install(file), "certs/", "not started", "systemctl enable --now signalbox")
	notRunning(s.t, s.machine)
	s.run("mv", "/tmp/bundle", bundle)
	s.run("dpkg", "--purge", "signalbox")
	s.write(configFile, goodYML)
	if said := s.install(file); strings.Contains(said, "not ") {
		s.t.Errorf("the installation said\n%s", said)
	}
	if state := s.property(unit, "ActiveState"); state != "active" {
		s.t.Errorf("the server is %s, want active", state)
	}
}
