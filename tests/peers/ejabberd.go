package peers

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"signalbox/tests/beside"
)

// ejabberdConfig: direct TLS, accounts in mnesia as SCRAM-SHA-256 keys, no shapers, no roster, no logs.
const ejabberdConfig = `hosts: ["%[1]s"]
loglevel: none
certfiles: ["%[2]s", "%[3]s"]
auth_method: [mnesia]
auth_password_format: scram
auth_scram_hash: sha256
disable_sasl_mechanisms: ["plain", "x-oauth2"]
listen:
  - port: %[4]d
    ip: "127.0.0.1"
    module: ejabberd_c2s
    tls: true
    backlog: 4096
    shaper: none
    max_stanza_size: 262144
modules:
  mod_ping: {}
  mod_stream_mgmt: {resume_timeout: 300, resend_on_timeout: false}
`

// ejabberdAccounts is run inside the server once it has started: it writes the accounts into the table and says so.
const ejabberdAccounts = `{ok, Us} = file:consult("%[1]s"),
[mnesia:dirty_write(passwd, {passwd, {U, <<"%[2]s">>}, {scram, <<"%[3]s">>, <<"%[4]s">>, <<"%[5]s">>, sha256, %[6]d}}) || U <- Us],
io:format("accounts are ready~n").`

// startEjabberd runs the Erlang machine as ejabberdctl does (+K true, +P 250000, -s ejabberd), without distribution, so that nothing is left running.
func startEjabberd(ctx context.Context, w *world, dir string) (*running, error) {
	port, err := beside.FreePort()
	if err != nil {
		return nil, err
	}
	config, users := filepath.Join(dir, "ejabberd.yml"), filepath.Join(dir, "users")
	if err := os.WriteFile(config, fmt.Appendf(nil, ejabberdConfig, domain, w.keyFile, w.certFile, port), 0o600); err != nil {
		return nil, err
	}
	var names strings.Builder
	for n := range w.accounts {
		fmt.Fprintf(&names, "<<\"%s\">>.\n", account(n))
	}
	if err := os.WriteFile(users, []byte(names.String()), 0o600); err != nil {
		return nil, err
	}
	b64 := base64.StdEncoding.EncodeToString
	load := fmt.Sprintf(ejabberdAccounts, users, domain, b64(w.keys.StoredKey), b64(w.keys.ServerKey), b64(w.keys.Salt), w.keys.Iterations)
	cmd := exec.CommandContext(ctx, "erl", "+K", "true", "+P", "250000", "-noinput", "-mnesia", "dir", `"`+filepath.Join(dir, "mnesia")+`"`,
		"-s", "ejabberd", "-eval", load)
	libraries, err := ejabberdLibraries()
	if err != nil {
		return nil, err
	}
	cmd.Env = append(os.Environ(), "ERL_LIBS="+libraries, "EJABBERD_CONFIG_PATH="+config, "EJABBERD_LOG_PATH="+filepath.Join(dir, "ejabberd.log"),
		"EJABBERD_PID_PATH="+filepath.Join(dir, "pid"), "ERL_CRASH_DUMP_BYTES=0", "HOME="+dir)
	r := &running{addr: fmt.Sprintf("127.0.0.1:%d", port)}
	if r.Process, err = beside.Start(cmd, dir); err != nil {
		return nil, err
	}
	if err := r.AwaitReady(ctx, func() bool { return r.Wrote("accounts are ready") && beside.Answers(r.addr) }); err != nil {
		r.Stop()
		return nil, err
	}
	return r, nil
}

// ejabberdLibraries is the directory into which Debian puts ejabberd and what it needs; it has the machine's architecture in its name.
func ejabberdLibraries() (string, error) {
	found, err := filepath.Glob("/usr/lib/*/ejabberd-*/ebin/ejabberd.beam")
	if err != nil || len(found) == 0 {
		return "", errors.New("ejabberd is not installed")
	}
	return filepath.Dir(filepath.Dir(filepath.Dir(found[0]))), nil
}
