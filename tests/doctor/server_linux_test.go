package doctor

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"signalbox/certs"
	"signalbox/internal/client"
	"signalbox/tests/crash/rig"
	"signalbox/turn/control"
)

// fault is one thing that is wrong, and how it must be named.
type fault struct {
	name   string
	steps  string // to be taken, separated by spaces; empty: all
	inject func(t *testing.T, s *stand) (args []string)
	signs  []sign
}

func nothing(*testing.T, *stand) []string { return nil }

// TestServer injects faults beside a running server. In between all is well, which the first and the last case see.
func TestServer(t *testing.T) {
	s := newStand(t)
	for _, f := range serverFaults() {
		t.Run(f.name, func(t *testing.T) {
			args := append([]string{"--config", s.path("signalbox.yaml")}, f.inject(t, s)...)
			checks, status := s.doctor(t, s.programs.Server, append(args, strings.Fields(f.steps)...)...)
			expect(t, checks, status, f.signs...)
		})
	}
}

func serverFaults() []fault {
	all := []fault{{"nothing", "", nothing, relays(serverAddr, "listen.turn UDP", "listen.turn TCP", "listen.tls")}}
	for _, part := range [][]fault{nameFaults(), managementFaults(), portFaults(), turnFaults(), systemFaults(), diskFaults()} {
		all = append(all, part...)
	}
	return append(all, fault{"nothing again", "", nothing, nil})
}

func nameFaults() []fault {
	return []fault{
		{"the server's name is not in DNS", "dns", func(t *testing.T, s *stand) []string {
			s.zone.change(t, func(z *zone) { delete(z.hosts, domain); z.services = nil })
			return nil
		}, []sign{{"dns", "name_unknown", domain + ": does not resolve: no endpoint finds this server by that name", wrong}}},
		{"the server's name leads elsewhere", "dns", func(t *testing.T, s *stand) []string {
			s.zone.change(t, func(z *zone) { z.hosts[domain] = dark })
			return nil
		}, []sign{{"dns", "name_leads_elsewhere", "and " + dark + " is no address of this machine", warns}}},
		{"an SRV record with another port", "dns", func(t *testing.T, s *stand) []string {
			s.zone.change(t, func(z *zone) { z.services["_xmpps-client._tcp."+domain] = endpoint{domain, 8443} })
			return nil
		}, []sign{{"dns", "srv_other_port", "leads to " + domain + ":8443, but listen.tls is port 443", warns}}},
		{"the management server's name is not in DNS", "dns management", func(t *testing.T, s *stand) []string {
			s.zone.change(t, func(z *zone) { delete(z.hosts, itsm) })
			return nil
		}, []sign{{"dns", "name_unknown", itsm + ": the management server: does not resolve", wrong}, {"management", "not_resolved", "the name " + itsm + " does not resolve", wrong}}},
		{"DNS fails", "dns", func(t *testing.T, s *stand) []string {
			s.zone.change(t, func(z *zone) { z.broken = true })
			return nil
		}, []sign{{"dns", "no_dns", "cannot be looked up", wrong}, {"dns", "no_dns", "_xmpp", warns}}},
		{"nothing answers at the DNS server", "dns", func(*testing.T, *stand) []string { return []string{"--dns", frontAddr} }, []sign{{"dns", "no_dns", "cannot be looked up", wrong}, {"dns", "no_dns", "_xmpp", warns}}},
		{"names that endpoints need", "dns", func(t *testing.T, s *stand) []string {
			s.zone.change(t, func(z *zone) {
				for _, label := range []string{"bip", "rmm-api", "auditlogs-api", "rtdc-api", "rtdc-relay-01", "plugins"} {
					z.hosts[label+".example.test"] = frontAddr
				}
				delete(z.hosts, "rtdc-api.example.test")
			})
			return []string{"--role", "endpoint", "--set", "base_domain=example.test"}
		}, []sign{{"dns", "name_unknown", "rtdc-api.example.test: remote control: does not resolve, so the endpoint does not find it", warns}}},
	}
}

func managementFaults() []fault {
	return []fault{
		{"the management server is down", "management", func(*testing.T, *stand) []string { return []string{"--set", "events.host=" + itsm + ":9"} },
			[]sign{{"management", "not_reachable", "nothing listens at " + itsm + ":9: connection refused", wrong}}},
		{"the management server's certificate is from an authority that is not trusted", "management", func(_ *testing.T, s *stand) []string {
			return []string{"--set", "events.ca_file=" + s.path("ca.crt")}
		}, []sign{{"management", "certificate_unknown_ca", "is from an authority that this server does not trust", wrong}}},
		{"the management server's certificate is for another name", "management", func(t *testing.T, s *stand) []string {
			return []string{"--set", "events.host=itsm.elsewhere.test:8443", "--set", "events.address=" + serverAddr}
		}, []sign{{"management", "certificate_wrong_name", "is for other names", wrong}}},
		{"the management server refuses events", "management", func(t *testing.T, s *stand) []string {
			s.manager.answer(t, http.StatusUnauthorized, 0)
			return nil
		}, []sign{{"management", "refused", "the receiver answered 401 Unauthorized", wrong}}},
		{"the clocks differ", "clock", func(t *testing.T, s *stand) []string {
			s.manager.answer(t, 0, time.Hour)
			return nil
		}, []sign{{"clock", "clock_skewed", "behind that of the management server", wrong}}},
	}
}

// outside has the doctor look at an address from another machine.
func outside(s *stand, addr string) []string {
	return []string{"--from", "outside", "--address", addr, "--ca-file", s.path("ca.crt")}
}

func portFaults() []fault {
	const direct, plain = "listen.tls " + serverAddr + ":443", "listen.xmpp " + serverAddr + ":5222"
	return []fault{
		{"nothing, from outside", "dns tls xmpp clock", func(_ *testing.T, s *stand) []string { return outside(s, serverAddr) }, nil},
		{"5222 is closed on the way", "tls xmpp", func(t *testing.T, s *stand) []string {
			s.space.firewall(t, "tcp dport 5222 reject with tcp reset")
			return outside(s, serverAddr)
		}, []sign{{"tls", "port_closed", plain + ": nothing listens there", wrong}, {"xmpp", "port_closed", plain + ": nothing listens there", wrong}}},
		{"443 is filtered on the way", "tls", func(t *testing.T, s *stand) []string {
			s.space.firewall(t, "tcp dport 443 drop")
			return outside(s, serverAddr)
		}, []sign{{"tls", "port_filtered", direct, wrong}}},
		{"another port than the server's", "xmpp", func(*testing.T, *stand) []string { return []string{"--set", "listen.xmpp=" + serverAddr + ":5223"} },
			[]sign{{"xmpp", "port_not_taken", "the running server does not listen there", wrong}}},
		{"a proxy opens TLS on the way", "tls", func(t *testing.T, s *stand) []string {
			_, text := bundle(t, certs.CAOptions{Names: []string{domain}, Name: "Corporate Inspection"})
			serve(t, s.space, frontAddr+":443", showing(pairOf(t, text)))
			return append(outside(s, frontAddr), "--set", "listen.xmpp=")
		}, []sign{{"tls", "tls_intercepted", `issued by "CN=Corporate Inspection"`, wrong}}},
		{"a proxy takes the upgrade out", "xmpp", func(t *testing.T, s *stand) []string {
			front(t, s.space, frontAddr+":443", serverTLS, pairOf(t, s.bundle), withoutUpgrade(s.space, serverTLS, domain))
			return append(outside(s, frontAddr), "--set", "listen.xmpp=")
		}, []sign{{"xmpp", "websocket_refused", "WebSocket: does not come through: the answer is 4", wrong}}},
		{"the server's clock differs, from outside", "clock", func(t *testing.T, s *stand) []string {
			front(t, s.space, frontAddr+":443", serverTLS, pairOf(t, s.bundle), anotherTime(-time.Hour))
			return outside(s, frontAddr)
		}, []sign{{"clock", "clock_skewed", "ahead of that of the server", wrong}}},
		{"the identity key is damaged", "tls", func(t *testing.T, s *stand) []string {
			path := s.path("data/identity.key")
			text := s.read(t, "data/identity.key")
			must(t, os.WriteFile(path, text[:len(text)/2], 0o600))
			t.Cleanup(func() { must(t, os.WriteFile(path, text, 0o600)) })
			return nil
		}, []sign{{"tls", "identity_key", "is damaged", wrong}}},
	}
}

// relays is what is said where both sides of a session reach each other through ports at an address.
func relays(addr string, keys ...string) (all []sign) {
	for _, key := range keys {
		number := "3478"
		if key == "listen.tls" {
			number = "443"
		}
		all = append(all, sign{"turn", "", fmt.Sprintf("%s %s:%s, relaying: both sides of a session reach each other, at %s:", key, addr, number, addr), well})
	}
	return all
}

func turnFaults() []fault {
	return []fault{
		{"UDP is dropped on the way to TURN", "turn", func(t *testing.T, s *stand) []string {
			s.space.firewall(t, "udp dport 3478 drop")
			return nil
		}, []sign{{"turn", "turn_silent", "listen.turn UDP " + serverAddr + ":3478", wrong}}},
		{"TURN from outside, with a session", "turn", func(t *testing.T, s *stand) []string {
			grant := s.must(s.programs.Server, "turn", "session", "open", "-o", "json", "--ttl", "2m")
			s.write("session.json", []byte(grant))
			return append(outside(s, serverAddr), "--turn-session", s.path("session.json"))
		}, relays(serverAddr, "listen.turn UDP", "listen.turn TCP", "listen.tls")},
		{"nothing at a TURN server alone", "turn", func(t *testing.T, s *stand) []string { return alone(t, s, "", "session", "session") }, relays(turnAddr, "listen.turn UDP", "listen.turn TCP")},
		{"a TURN server keeps the sides apart", "turn", func(t *testing.T, s *stand) []string { return alone(t, s, "", "session", "another") }, []sign{
			{"turn", "turn_relays_nothing", "listen.turn UDP " + turnAddr + ":3478, relaying: allocations are made at " + turnAddr, wrong},
			{"turn", "turn_relays_nothing", "listen.turn TCP " + turnAddr + ":3478, relaying: allocations are made at " + turnAddr, wrong},
		}},
		{"a TURN server has no allocation left", "turn", func(t *testing.T, s *stand) []string { return alone(t, s, "max_allocations: 1", "session", "session") }, []sign{
			{"turn", "turn_allocation_refused", "listen.turn UDP " + turnAddr + ":3478, relaying: makes no allocation", wrong},
			{"turn", "turn_allocation_refused", "listen.turn TCP " + turnAddr + ":3478, relaying: makes no allocation", wrong},
		}},
		{"credentials of a session that has ended", "turn", func(t *testing.T, s *stand) []string {
			grant := s.must(s.programs.Server, "turn", "session", "open", "-o", "json", "--ttl", "2m")
			s.write("session.json", []byte(grant))
			_, id, _ := strings.Cut(grant, `"id": "`)
			id, _, _ = strings.Cut(id, `"`)
			s.must(s.programs.Server, "turn", "session", "end", id)
			return []string{"--turn-session", s.path("session.json")}
		}, []sign{{"turn", "turn_credentials_refused", "refuses the credentials", wrong}}},
		{"another TURN server is down", "turn", func(_ *testing.T, s *stand) []string {
			return []string{"--set", "turn.servers=turn:" + turnAddr + ":3478?transport=udp", "--set", "turn.external_secret_file=" + s.path("ca.crt")}
		}, []sign{{"turn", "turn_away", "turn.servers " + turnAddr + ":3478 UDP: does not answer a Binding", wrong}}},
		{"nothing at another TURN server", "turn", func(t *testing.T, s *stand) []string { return another(t, s, secretOfTURN) }, nil},
		{"another TURN server has another secret", "turn", func(t *testing.T, s *stand) []string { return another(t, s, "a secret that differs") },
			[]sign{{"turn", "turn_credentials_refused", "turn.servers " + turnAddr + ":3478 UDP: refuses the credentials", wrong}}},
	}
}

// another has the doctor use a TURN server of others with a secret.
func another(t *testing.T, s *stand, mine string) []string {
	t.Helper()
	s.startTURN(t, "")
	s.write("ours", []byte(mine+"\n"))
	return []string{"--set", "turn.servers=turn:" + turnAddr + ":3478?transport=udp", "--set", "turn.external_secret_file=" + s.path("ours")}
}

// alone has the doctor look from outside at a TURN server with a setting more, on a host where nothing else is. The sides of its session have names there, and reach each other if it is
// the same.
func alone(t *testing.T, s *stand, setting, a, b string) []string {
	t.Helper()
	s.startTURN(t, setting)
	credentials := func(name string) client.TURNCredentials {
		name = control.Username(time.Now().Add(time.Hour), name, 'a')
		return client.TURNCredentials{Username: name, Credential: control.Password([]byte(secretOfTURN), name)}
	}
	text, err := json.Marshal(client.TURNGrant{Sides: client.TURNSides{A: credentials(a), B: credentials(b)}})
	must(t, err)
	s.write("session.json", text)
	return append(outside(s, turnAddr), "--set", "listen.tls=", "--set", "listen.xmpp=", "--turn-session", s.path("session.json"))
}

const secretOfTURN = "the same secret of both"

// startTURN starts a TURN server for other systems, whose secret is known, until the test ends. setting is added to its section turn.
func (s *stand) startTURN(t *testing.T, setting string) {
	t.Helper()
	s.write("theirs", []byte(secretOfTURN+"\n"))
	s.write("turn.yaml", []byte(fmt.Sprintf("domain: turn.example.test\ndata_dir: %q\nlisten: {turn: [\"%s:3478\"], tls: []}\nturn: {rest_secret_file: %q, %s}\n", t.TempDir(), turnAddr, s.path("theirs"), setting)))
	program, args := s.space.in(s.programs.Server, "turn", "--config", s.path("turn.yaml"))
	p, err := rig.Start("turn", s.path("turn.log"), []string{"HOME=" + s.dir}, program, args...)
	must(t, err)
	t.Cleanup(p.End)
	must(t, rig.Await(t.Context(), p, "the TURN server to listen", func() (bool, error) {
		c, err := s.space.dial(turnAddr + ":3478")
		if err != nil {
			return false, nil
		}
		return true, c.Close()
	}))
}

func systemFaults() []fault {
	return []fault{
		{"few descriptors", "limits", func(t *testing.T, s *stand) []string {
			var usual unix.Rlimit
			must(t, unix.Prlimit(s.server.PID(), unix.RLIMIT_NOFILE, nil, &usual))
			must(t, unix.Prlimit(s.server.PID(), unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1000, Max: usual.Max}, nil))
			t.Cleanup(func() { must(t, unix.Prlimit(s.server.PID(), unix.RLIMIT_NOFILE, &usual, nil)) })
			return nil
		}, []sign{{"limits", "descriptors_few", "the running server may open 1000 files", wrong}}},
		{"a short backlog", "limits", func(t *testing.T, s *stand) []string {
			s.space.limited(t, "net.core.somaxconn", "128", "4096")
			return nil
		}, []sign{{"limits", "backlog_small", "128 connections may wait to be accepted", warns}}},
		{"relay ports are given away", "limits", func(t *testing.T, s *stand) []string {
			s.space.limited(t, "net.ipv4.ip_local_port_range", "32768 60999", "20000 49151")
			return nil
		}, []sign{{"limits", "ephemeral_overlap", "32768 to 60999 are given to any socket, relay ports among them", warns}}},
	}
}

func diskFaults() []fault {
	image := func(options string, fill int) func(t *testing.T, s *stand) []string {
		return func(t *testing.T, s *stand) []string {
			dir := t.TempDir()
			disk := filepath.Join(dir, "disk")
			must(t, run(nil, "truncate", "-s", "128M", disk))
			must(t, run(nil, "mkfs.ext4", "-q", disk))
			return filled(t, mounted(t, disk, "-o", "loop"+options), fill)
		}
	}
	low := sign{"store", "disk_low", "MiB are free", warns}
	unused := sign{"store", "no_database", "there is no database yet", warns}
	return []fault{
		{"the database in memory", "store", func(t *testing.T, s *stand) []string {
			return filled(t, mounted(t, "tmpfs", "-t", "tmpfs", "-o", "size=64M"), 0)
		}, []sign{{"store", "store_in_memory", "is tmpfs, which is memory", wrong}, low, unused}},
		{"a full disk", "store", image("", 90), []sign{{"store", "disk_full", "pushes are refused with 507, or will be soon", wrong}, unused}},
		{"a file system without barriers", "store", image(",barrier=0", 0), []sign{{"store", "sync_switched_off", "is mounted without write barriers", wrong}, low, unused}},
	}
}

// mounted mounts something until the test ends, and returns where.
func mounted(t *testing.T, what string, options ...string) string {
	t.Helper()
	dir := t.TempDir()
	if err := run(nil, "mount", append(options, what, dir)...); err != nil {
		t.Skipf("LEFT OUT: faults of disks: %v", err)
	}
	t.Cleanup(func() { must(t, run(nil, "umount", dir)) })
	return dir
}

// filled puts so many MiB there and has the database looked for there.
func filled(t *testing.T, dir string, mebibytes int) []string {
	t.Helper()
	if mebibytes > 0 {
		must(t, os.WriteFile(filepath.Join(dir, "filling"), make([]byte, mebibytes<<20), 0o600))
	}
	return []string{"--set", "data_dir=" + dir}
}

const freshText = `domain: xmpp.example.test
data_dir: %q
certs: {dir: %q}
listen: {tls: ["127.0.0.1:0"], xmpp: [], turn: [], api: ["127.0.0.1:0"]}
`

// TestBundles looks at bundles before the first start.
func TestBundles(t *testing.T) {
	built, err := programs()
	must(t, err)
	names := []string{domain}
	root := issue(t, "Root", true, nil)
	between := issue(t, "Between", true, root)
	leaf := issue(t, domain, false, between)
	_, old := bundle(t, certs.CAOptions{Names: names, Now: time.Now().AddDate(-2, 0, 0)})
	_, other := bundle(t, certs.CAOptions{Names: []string{"other.example"}})
	_, good := bundle(t, certs.CAOptions{Names: names})
	encrypted := strings.Replace(string(good), "PRIVATE KEY", "ENCRYPTED PRIVATE KEY", 2)
	whole := append(keyOf(t, leaf), pemOf(leaf, between, root)...)
	for _, tc := range []struct {
		name   string
		bundle []byte
		code   string
		piece  string
	}{
		{"good", whole, "", ""},
		{"expired", old, "expired", "expired on "},
		{"another name", other, "name_not_covered", "covers other.example but not the domain " + domain},
		{"no intermediate certificate", append(keyOf(t, leaf), pemOf(leaf, root)...), "chain_missing", ""},
		{"a key with a password", []byte(encrypted), "encrypted_key", ""},
		{"another key", append(keyOf(t, issue(t, domain, false, between)), pemOf(leaf, between, root)...), "key_mismatch", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := &stand{t: t, dir: t.TempDir(), programs: built}
			must(t, os.MkdirAll(s.path("certs"), 0o700))
			s.write("certs/"+domain+".pem", tc.bundle)
			s.write("signalbox.yaml", []byte(fmt.Sprintf(freshText, s.path("data"), s.path("certs"))))
			checks, status := s.doctor(t, built.Server, "--config", s.path("signalbox.yaml"), "tls")
			signs := []sign{{"tls", "server_down", "the server does not run", warns}}
			if tc.code != "" {
				signs = append(signs, sign{"tls", tc.code, tc.piece, wrong})
			}
			expect(t, checks, status, signs...)
		})
	}
}
