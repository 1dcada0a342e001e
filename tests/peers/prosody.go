package peers

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"signalbox/tests/beside"
)

// prosodyConfig: direct TLS, accounts in files as SCRAM-SHA-256 keys, no limits, no roster, no logs, no federation.
const prosodyConfig = `run_as_root = true
pidfile = "%[2]s/pid"
data_path = "%[2]s/data"
log = { { levels = { min = "error" }, to = "file", filename = "%[2]s/prosody.log" } }
modules_enabled = { "saslauth", "disco", "ping", "smacks" }
modules_disabled = { "s2s", "s2s_auth_certs", "offline" }
authentication = "internal_hashed"
password_hash = "SHA-256"
storage = "internal"
interfaces = { "127.0.0.1" }
c2s_ports = { }
c2s_direct_tls_ports = { %[5]d }
ssl = { key = "%[3]s", certificate = "%[4]s" }
network_settings = { tcp_backlog = 4096 }
smacks_hibernation_time = 300
VirtualHost "%[1]s"
`

// prosodyAccount is a file of its internal storage.
const prosodyAccount = `return {
	["salt"] = "%s";
	["stored_key"] = "%s";
	["server_key"] = "%s";
	["iteration_count"] = %d;
};
`

func startProsody(ctx context.Context, w *world, dir string) (*running, error) {
	port, err := beside.FreePort()
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "prosody.cfg.lua")
	if err := os.WriteFile(config, fmt.Appendf(nil, prosodyConfig, domain, dir, w.keyFile, w.certFile, port), 0o600); err != nil {
		return nil, err
	}
	escaped := strings.ReplaceAll(domain, ".", "%2e")
	accounts := filepath.Join(dir, "data", escaped, "accounts")
	if err := os.MkdirAll(accounts, 0o700); err != nil {
		return nil, err
	}
	text := fmt.Appendf(nil, prosodyAccount, scramSalt, hex.EncodeToString(w.keys.StoredKey), hex.EncodeToString(w.keys.ServerKey), w.keys.Iterations)
	for n := range w.accounts {
		if err := os.WriteFile(filepath.Join(accounts, account(n)+".dat"), text, 0o600); err != nil {
			return nil, err
		}
	}
	r := &running{addr: fmt.Sprintf("127.0.0.1:%d", port)}
	if r.Process, err = beside.Start(exec.CommandContext(ctx, "prosody", "--config", config, "-F"), dir); err != nil {
		return nil, err
	}
	if err := r.AwaitReady(ctx, func() bool { return beside.Answers(r.addr) }); err != nil {
		r.Stop()
		return nil, err
	}
	return r, nil
}
