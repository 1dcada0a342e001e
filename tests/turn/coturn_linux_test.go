package turn

import (
	"crypto/tls"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/certs"
	"signalbox/tests/beside"
)

// coturnTLS is the domain of coturn's certificate.
const coturnTLS = "turn.signalbox.test"

// startCoturn runs Debian's coturn with its default rules about peers.
func startCoturn(t *testing.T) *target {
	t.Helper()
	program, err := exec.LookPath("turnserver")
	if err != nil {
		t.Skip("LEFT OUT: the attacks on TURN against coturn, which show that they ask what they mean to: it is not installed (./tests/beside/install.sh coturn)")
	}
	dir := t.TempDir()
	_, bundle, err := certs.MakeCA(certs.CAOptions{Names: []string{coturnTLS}})
	must(t, err)
	pem := filepath.Join(dir, "turn.pem")
	must(t, os.WriteFile(pem, bundle, 0o600))
	plain, err := beside.FreePort()
	must(t, err)
	secured, err := beside.FreePort()
	must(t, err)
	const secret = "a secret of sixteen bytes"
	cmd := exec.Command(program, "-n", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", fmt.Sprint("--listening-port=", plain), fmt.Sprint("--tls-listening-port=", secured),
		"--cert="+pem, "--pkey="+pem, "--use-auth-secret", "--static-auth-secret="+secret, "--realm=signalbox", "--min-port=49152", "--max-port=65535",
		"-m", "1", "--no-cli", "--no-dtls", "--log-file=/dev/null", "--pidfile="+filepath.Join(dir, "pid"), "--userdb="+filepath.Join(dir, "db"))
	p, err := beside.Start(cmd, dir)
	must(t, err)
	t.Cleanup(p.Stop)
	at := func(port int) string { return fmt.Sprint("127.0.0.1:", port) }
	must(t, p.AwaitReady(t.Context(), func() bool { return beside.Answers(at(plain)) && beside.Answers(at(secured)) }))
	var users atomic.Int64
	return &target{
		addrs:   map[string]string{"udp": at(plain), "tcp": at(plain), "tls": at(secured)},
		tls:     &tls.Config{InsecureSkipVerify: true}, // its certificate is no part of this
		secret:  secret,
		process: func() int { return cmd.Process.Pid },
		open: func(*testing.T) pair {
			name := strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10) + ":user" + fmt.Sprint(users.Add(1))
			return pair{a: signedName(secret, name+"a"), b: signedName(secret, name+"b")}
		},
	}
}

// TestCoturnAnswers holds the probes against a server of others: where it is right, and where it is known to be wrong, they say so.
func TestCoturnAnswers(t *testing.T) {
	c := startCoturn(t)
	for _, r := range commonRows() {
		if r.coturn != "" {
			c.hold(t, r, r.coturn)
		}
	}
}
