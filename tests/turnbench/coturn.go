package turnbench

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"

	"signalbox/tests/beside"
	"signalbox/tests/turnbench/wire"
)

const (
	coturnProgram = "turnserver"
	coturnPackage = "coturn"
	coturnSecret  = "bench-secret"
)

// Installed reports whether coturn is here.
func Installed() bool {
	_, err := exec.LookPath(coturnProgram)
	return err == nil
}

// startCoturn runs coturn with one relay thread, what it needs the least CPU with, and without logs, command line interface and DTLS.
func (w *world) startCoturn(ctx context.Context, dir string) (*running, error) {
	plain, err := beside.FreePort()
	if err != nil {
		return nil, err
	}
	secure, err := beside.FreePort()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, coturnProgram, "-n", "--listening-ip=127.0.0.1", "--relay-ip="+w.relay.String(),
		fmt.Sprint("--listening-port=", plain), fmt.Sprint("--tls-listening-port=", secure), fmt.Sprint("--min-port=", minPort), fmt.Sprint("--max-port=", maxPort),
		"--use-auth-secret", "--static-auth-secret="+coturnSecret, "--realm="+domain, "--userdb="+filepath.Join(dir, "turndb"), "--relay-threads=1",
		"--cert="+w.certFile, "--pkey="+w.keyFile, "--no-cli", "--no-dtls", "--log-file=/dev/null", "--no-stdout-log", "--pidfile="+filepath.Join(dir, "pid"))
	r := &running{
		addrs:       map[wire.Transport]string{wire.UDP: fmt.Sprint("127.0.0.1:", plain), wire.TLS: fmt.Sprint("127.0.0.1:", secure)},
		credentials: restCredentials,
	}
	if r.Process, err = beside.Start(cmd, dir); err != nil {
		return nil, err
	}
	if err := r.AwaitReady(ctx, func() bool { return beside.Answers(r.addrs[wire.UDP]) && beside.Answers(r.addrs[wire.TLS]) }); err != nil {
		r.Stop()
		return nil, err
	}
	return r, nil
}

// restCredentials are made as coturn's use-auth-secret wants them: the time at which they expire, a colon, a name; the password is a MAC of that.
func restCredentials(_ context.Context, sessions int) (all []wire.Credential, _ error) {
	expires := time.Now().Add(time.Hour).Unix()
	for n := range 2 * sessions {
		user := fmt.Sprintf("%d:user-%d", expires, n)
		mac := hmac.New(sha1.New, []byte(coturnSecret))
		mac.Write([]byte(user))
		all = append(all, wire.Credential{Username: user, Password: base64.StdEncoding.EncodeToString(mac.Sum(nil))})
	}
	return all, nil
}
