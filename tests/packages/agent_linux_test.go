package packages

import (
	"os"
	"strings"
	"testing"
)

const agentUnit = "signalbox-agent.service"

// TestAgentPackage: not started before it is enrolled, nor with a bad configuration; started with a good one although its server cannot be reached, which is no fault of the agent's; restarted after a kill; a removal
// keeps its identity, a purge does not.
func TestAgentPackage(t *testing.T) {
	old, new := deb(t, "signalbox-agent", older), deb(t, "signalbox-agent", newer)
	m := newMachine(t)
	contains(t, m.install(old), "not started", "signalbox-agent enroll --server HOST")
	idle := func() {
		t.Helper()
		if state := m.property(agentUnit, "ActiveState"); state != "inactive" {
			t.Errorf("the agent is %s, want inactive", state)
		}
	}
	idle()

	secret, state := "/etc/signalbox-agent/secret", "/var/lib/signalbox-agent"
	good := "id: pc-1\ndomain: xmpp.example.test\naddresses: ['127.0.0.1:9']\nproxy: direct\nsecret_file: " + secret + "\nstate_dir: " + state + "\n"
	enrol := func(text string) {
		t.Helper()
		m.run("mkdir", "-p", "/etc/signalbox-agent")
		m.write(secret, "s3cret")
		m.run("chmod", "0600", secret)
		m.write("/etc/signalbox-agent/agent.yaml", text)
	}
	enrol(good + "concurrency: 1000\n")
	contains(t, m.install(old), "concurrency", "not started", "systemctl enable --now signalbox-agent")
	idle()
	m.run("dpkg", "--purge", "signalbox-agent")

	enrol(good)
	if said := m.install(old); strings.Contains(said, "not ") {
		t.Errorf("the installation said\n%s", said)
	}
	m.await("the status", func() bool { return m.property(agentUnit, "StatusText") == "offline: port_refused" })
	before := m.number(agentUnit, "NRestarts")
	m.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", agentUnit)
	m.await("a restart", func() bool {
		return m.number(agentUnit, "NRestarts") > before && m.property(agentUnit, "ActiveState") == "active"
	})

	pid := m.property(agentUnit, "MainPID")
	m.install(new)
	if m.property(agentUnit, "MainPID") == pid {
		t.Error("the old agent still runs after the upgrade")
	}
	m.run("dpkg", "--remove", "signalbox-agent")
	m.run("test", "-s", secret)
	m.run("dpkg", "--purge", "signalbox-agent")
	for _, gone := range []string{"/etc/signalbox-agent", state} {
		if _, err := os.Lstat(m.path(gone)); err == nil {
			t.Errorf("%s is still there after the purge", gone)
		}
	}
}
