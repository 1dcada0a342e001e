package packages

import (
	"os"
	"strings"
	"testing"
)

// TestTurnUnit runs the TURN server alone, as on a host of its own: an upgrade restarts it, and starts no other server there.
func TestTurnUnit(t *testing.T) {
	const turn = "signalbox-turn.service"
	old, new := deb(t, "signalbox", older), deb(t, "signalbox", newer)
	m := newMachine(t)
	m.install(old)
	m.write(configFile, "domain: "+domain+"\nturn: {public_ip: [192.0.2.10], rest_secret_file: /etc/signalbox/turn.secret}\n")
	m.write("/etc/signalbox/turn.secret", strings.Repeat("s3cret", 6)+"\n")
	m.run("sh", "-c", "chown signalbox /etc/signalbox/turn.secret && chmod 0600 /etc/signalbox/turn.secret")
	m.run("systemctl", "enable", "--now", turn)
	serves := func() bool {
		_, err := m.try("sh", "-c", "ss -lun | grep -q :3478 && ss -ltn | grep -q :3478")
		return err == nil
	}
	m.await("TURN", serves)
	pid := m.property(turn, "MainPID")
	status, err := os.ReadFile(m.path("/proc/" + pid + "/status"))
	must(t, err)
	contains(t, string(status), "CapEff:\t0000000000000400\n", "NoNewPrivs:\t1\n", "Seccomp:\t2\n")

	m.install(new)
	m.await("TURN after the upgrade", serves)
	if m.property(turn, "MainPID") == pid {
		t.Error("the old TURN server still runs after the upgrade")
	}
	notRunning(t, m)
}
