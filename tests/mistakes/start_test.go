package mistakes

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// startRow is a configuration without a mistake that the machine around it does not go with.
type startRow struct {
	file   string
	make   func(t *testing.T, s *site) (args []string) // what lies around; nil: nothing
	says   string
	todo   string
	status int
}

func startRows() []startRow {
	return []startRow{
		{"start_no_certs_dir", nil, "certs: the directory of the bundles cannot be listed: no such file or directory", "make the directory", statusConfig},
		{"start_certs_dir_is_file", withFile("certs", "x", 0o644), "certs: the directory of the bundles cannot be listed: not a directory", "or set certs.dir to where the bundles are", statusConfig},
		{"start_no_bundle", withFile("certs/"+base+".pfx", "x", 0o600), "(looked for company.local.pem, then xmpp.company.local.pem); there is company.local.pfx, which is not read", "under that name", statusConfig},
		{"start_bundle_not_readable", closedBundle, "company.local.pem: the file cannot be read: permission denied", "let the user that runs signalbox read the file", statusConfig},
		{"start_certs_dir_closed", closedCerts, "company.local.pem: the directory of the file cannot be entered: permission denied", "let the user that runs signalbox read the file and enter its directory", statusConfig},
		{"start_data_dir_is_file", good(withFile("data", "x", 0o600)), "create data_dir: ", "a file stands where a directory should be", statusFailed},
		{"start_data_dir_below_file", good(withFile("file", "x", 0o600)), "create data_dir: mkdir DIR/file", "a file stands where a directory should be", statusFailed},
		{"start_data_dir_not_writable", good(closedFolder("data")), "lock data_dir: ", "give the server's user write permission there", statusFailed},
		{"start_data_dir_cannot_be_made", good(closedFolder("closed")), "create data_dir: mkdir DIR/closed/data: permission denied", "make the directory and give it to the server's user", statusFailed},
		{"start_data_dir_in_use", good(locked), "data_dir DIR/data is in use by another server", "stop it, or set another data_dir", statusFailed},
		{"start_data_dir_of_newer_version", good(fromTheFuture), "has schema version 999999, this program knows up to", "use the newer signalbox that wrote it, or restore a backup", statusFailed},
		{"start_identity_lost", good(withoutIdentity), "identity.key does not hold the key that this server had", "restore the file from a backup", statusConfig},
		{"start_port_taken", good(takenPort), "listen.api: open 127.0.0.1:", "stop it or change listen.api", statusFailed},
		{"start_address_elsewhere", good(nil), "listen.tls: open 192.0.2.7:8443: this machine does not have that address", "change listen.tls", statusFailed},
		{"start_events_secret_missing", good(nil), "events: secret_file: open DIR/events.secret: no such file or directory", "write whsec_", statusConfig},
		{"start_events_secret_open", good(withFile("events.secret", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n", 0o644)), "events: secret_file: DIR/events.secret is open to others (mode 0644)", "chmod 600", statusConfig},
		{"start_events_secret_no_key", good(withFile("events.secret", "hunter2hunter2hunter2\n", 0o600)), "events: secret_file: DIR/events.secret: line 1", "openssl rand -base64 32 makes them", statusConfig},
		{"start_events_ca_no_pem", good(withFile("ca.crt", "x", 0o644)), "events: ca_file: DIR/ca.crt: no certificate in it", "in PEM form", statusConfig},
		{"start_events_ca_missing", good(nil), "events: ca_file: open DIR/ca.crt: no such file or directory", "ca.crt", statusConfig},
		{"start_api_certificate_missing", good(nil), "api: load the certificate of the API: open DIR/api.crt: no such file or directory", "tls.cert_file has the certificate with its chain", statusConfig},
		{"start_client_ca_no_pem", good(withFile("ca.crt", "x", 0o644)), "xmpp.client_ca: DIR/ca.crt: there is no certificate in PEM in it", "openssl x509 -inform der", statusConfig},
		{"start_component_secret_missing", good(nil), "xmpp.components: bot: stat DIR/bot.secret: no such file or directory", "openssl rand -hex 16 makes a secret", statusConfig},
		{"start_component_secret_short", good(withFile("bot.secret", "short\n", 0o600)), "xmpp.components: bot: DIR/bot.secret has a secret of 5 bytes, at least 16 are needed", "openssl rand -hex 16", statusConfig},
		{"start_turn_secret_open", good(withFile("turn.secret", "0123456789abcdef\n", 0o640)), "rest_secret_file: DIR/turn.secret is open to others (mode 0640)", "chmod 600", statusConfig},
	}
}

// TestMistakesAroundConfigurations: what only a start can find ends it, with a sentence that no other mistake has.
func TestMistakesAroundConfigurations(t *testing.T) {
	seen := sentences{}
	for _, row := range startRows() {
		t.Run(row.file, func(t *testing.T) {
			s := newSite(t)
			s.put(t, row.file)
			args := []string{"serve", "--config", "signalbox.yaml"}
			if row.make != nil {
				args = append(args, row.make(t, s)...)
			}
			said, status := s.run(t, "signalbox", args...)
			if status != row.status {
				t.Errorf("status %d, want %d:\n%s", status, row.status, said)
			}
			seen.add(t, row.file, lineWith(t, said, row.says, row.todo))
		})
	}
}

// withFile makes one file.
func withFile(name, text string, mode os.FileMode) func(*testing.T, *site) []string {
	return func(t *testing.T, s *site) []string {
		s.write(t, name, []byte(text), mode)
		return nil
	}
}

// good makes a bundle without a mistake, and then what the row wants.
func good(then func(*testing.T, *site) []string) func(*testing.T, *site) []string {
	return func(t *testing.T, s *site) []string {
		s.write(t, bundle, newPKI(t).file(t), 0o644) // for every user that the program is run as
		if then == nil {
			return nil
		}
		return then(t, s)
	}
}

// closedBundle is a bundle that the server's user may not read.
func closedBundle(t *testing.T, s *site) []string {
	s.write(t, bundle, newPKI(t).file(t), 0)
	s.uid = nobody()
	return nil
}

// closedCerts is a folder of bundles that the server's user may not enter.
func closedCerts(t *testing.T, s *site) []string {
	s.write(t, bundle, newPKI(t).file(t), 0o600)
	mode := os.FileMode(0o700)
	if s.uid = nobody(); s.uid == 0 {
		mode = 0
		t.Cleanup(func() { _ = os.Chmod(s.path("certs"), 0o700) }) // to be removed
	}
	if err := os.Chmod(s.path("certs"), mode); err != nil {
		t.Fatal(err)
	}
	return nil
}

// closedFolder is a folder in which the server's user may not write.
func closedFolder(name string) func(*testing.T, *site) []string {
	return func(t *testing.T, s *site) []string {
		if err := os.Mkdir(s.path(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if s.uid = nobody(); s.uid == 0 {
			if err := os.Chmod(s.path(name), 0o555); err != nil {
				t.Fatal(err)
			}
		}
		return nil
	}
}

// locked has another server use the folder.
func locked(t *testing.T, s *site) []string {
	s.write(t, "data/signalbox.lock", nil, 0o600)
	f, err := os.OpenFile(s.path("data/signalbox.lock"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		t.Fatal(err)
	}
	return nil
}

// used has the program make a database.
func used(t *testing.T, s *site) {
	t.Helper()
	if said, status := s.run(t, "signalbox", "token", "create", "--name", "x", "--scope", "read", "--config", "signalbox.yaml"); status != 0 {
		t.Fatalf("token create: status %d:\n%s", status, said)
	}
}

// python changes the database as nothing of ours does.
func (s *site) python(t *testing.T, sql string) {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("LEFT OUT: a data_dir of another version: python3 is not installed")
	}
	script := "import sqlite3, sys\nwith sqlite3.connect(sys.argv[1]) as db: db.execute(sys.argv[2])\ndb.close()\n"
	if out, err := exec.CommandContext(t.Context(), "python3", "-c", script, filepath.Join(s.dir, "data", "signalbox.db"), sql).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// fromTheFuture is the database of a later version.
func fromTheFuture(t *testing.T, s *site) []string {
	used(t, s)
	s.python(t, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (999999, 1)")
	return nil
}

// withoutIdentity is what a backup leaves from which the key was missing.
func withoutIdentity(t *testing.T, s *site) []string {
	run := s.serve(t)
	run.address(t, "tls")
	run.end()
	if err := os.Remove(s.path("data/identity.key")); err != nil {
		t.Fatal(err)
	}
	return nil
}

// takenPort is a port that another program has.
func takenPort(t *testing.T, _ *site) []string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return []string{"--set", "listen.api=" + l.Addr().String()}
}
