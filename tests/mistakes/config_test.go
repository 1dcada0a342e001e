package mistakes

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// configRow is a file of testdata with one mistake in it, and what is said of it. What lies beside it as NAME.env is the .env beside the configuration.
type configRow struct {
	file string
	says string // where and what is wrong
	todo string // what to do
}

// configRows are the mistakes that `config check` finds.
var configRows = []configRow{
	{"yaml_bracket", "signalbox.yaml: line ", "look for a bracket or a quote that is not closed"},
	{"yaml_tab", "signalbox.yaml: line ", "indent with spaces, not with tabs"},
	{"yaml_colon", "signalbox.yaml: line 2: mapping values are not allowed", "put values that contain a colon in quotes"},
	{"yaml_key_twice", `mapping key "data_dir" already defined at line 3`, "leave one of the two away"},
	{"yaml_list", "the file is no table of keys", "as in domain: xmpp.example.com"},
	{"unknown_key", "listen.tsl: is an unknown key", "did you mean listen.tls?"},
	{"unknown_section", "lisen: is an unknown key", "did you mean listen?"},
	{"text_for_number", `push.window: is the text "many"`, "must be a whole number"},
	{"number_for_list", "listen.api: is the number 8080", `must be a list of texts, such as ["a", "b"]`},
	{"number_in_list", "listen.xmpp: has the number 5222 as entry 0", "must be a list of texts"},
	{"yes_for_true", `certs.allow_self_signed: is the text "yes"`, "must be true or false"},
	{"duration_without_unit", "drain.period: is the number 90", "must be a duration with its unit, such as 90s or 5m"},
	{"duration_too_long", "drain.period: is 1h0m0s", "must be 1s to 5m"},
	{"port_out_of_range", `listen.tls[0]: ":70000"`, "no port from 0 to 65535"},
	{"port_without_colon", `listen.tls[0]: "443"`, `not an address such as ":443"`},
	{"port_twice", `listen.xmpp[1]: "10.0.5.2:443" is the address of listen.tls[0]`, "give each a port of its own"},
	{"proxy_range", `listen.trusted_proxies[0]: "10.0.0.0/33"`, "neither an address nor a range such as 10.0.0.0/8"},
	{"proxy_range_bits", `listen.trusted_proxies[0]: "10.0.5.1/8"`, `"10.0.0.0/8" is meant?`},
	{"passthrough_without_port", `listen.sni_passthrough.itsm.company.local: "10.0.5.1"`, "is not host:port"},
	{"domain_missing", "domain: must be set", "for example xmpp.example.com (or TIGASE_DOMAIN in the environment)"},
	{"domain_with_space", `domain: "xmpp company.local"`, "is not a domain name in lower case"},
	{"domain_is_url", `domain: "https://xmpp.company.local"`, "is not a domain name in lower case"},
	{"domain_variable", "domain: has ${TIGASE_DOMAIN} in it", "set SIGNALBOX_DOMAIN in the environment or in .env"},
	{"base_domain_capitals", `base_domain: "Company.local"`, "is not a domain name in lower case"},
	{"data_dir_empty", `data_dir: is ""`, "must be an absolute path"},
	{"certs_dir_empty", "certs.dir: must not be empty", "unless files are given"},
	{"api_in_clear", "api.insecure_http: 10.0.5.2:8080 is not a loopback address", "set tls.cert_file and tls.key_file, or insecure_http: true"},
	{"api_allow_from", `api.allow_from[0]: "itsm.company.local"`, "neither an address nor a CIDR prefix"},
	{"api_half_tls", "api.tls: cert_file and key_file belong together", "give both or none"},
	{"events_host_is_url", `events.host: "https://itsm.company.local/"`, "is not a host such as itsm.example.com"},
	{"events_address_alone", "events.address: is set, but host is not", "which it is the address of"},
	{"events_address_is_name", `events.address: "itsm"`, "is not an IP address such as 192.0.2.1"},
	{"events_retries", "events.retries: has the number 5 as entry 0", "must be a list of texts"},
	{"events_retry_word", `events.retries[0]: "soon"`, "is not a duration such as 5s or 30m"},
	{"events_allow", `events.webhook_allow[0]: "10.0.5.1"`, "is not a CIDR prefix such as 10.1.0.0/16"},
	{"turn_range_inverted", "turn.max_port: is 50000", "below min_port, 60000"},
	{"turn_range_too_low", "turn.min_port: ", "must be from 1024 to 65535, not 80"},
	{"turn_range_too_small", "turn.max_port: is 50000 as turn.min_port is", "a session that is relayed on both sides takes two"},
	{"turn_range_overlaps", `turn.min_port: relay ports 3000 to 9000 have the port of listen.turn[0]`, "move one of the two"},
	{"turn_public_ip_is_name", `turn.public_ip[0]: "turn.company.local"`, "is not an address such as 192.0.2.1"},
	{"turn_public_ip_twice", `turn.public_ip[1]: "192.0.2.2" is the second address of its family`, "one is possible"},
	{"turn_server_is_no_host", `turn.servers[0]: "turn server"`, "is no server such as turn.example.com"},
	{"turn_control_bare", `turn.control.url: "10.0.5.3:3479"`, "is not an address such as tls://10.0.5.3:3479"},
	{"turn_control_without_ca", "turn.control.ca_file: ", "must be set where the TURN server is controlled over the network"},
	{"routing_unknown", `xmpp.routing: is "closed"`, "must be managed or open"},
	{"plaintext_for_all", `xmpp.insecure_plaintext: "0.0.0.0" is not a loopback address`, "such as 127.0.0.1 or [::1]"},
	{"origin_is_name", `xmpp.websocket_origins[0]: "console.company.local"`, "is no origin such as https://console.example.com"},
	{"component_in_clear", "xmpp.component_ca: ", "must be set for listen.component 10.0.5.2:5347"},
	{"log_level", `log.level: is "verbose"`, "must be debug, info, warn or error"},
	{"log_format", `log.format: is "text"`, "must be json or console"},
	{"limit_zero", "push.queue_count: ", "must be 1 to 10000"},
	{"limit_negative", "listen.max_connections: ", "must be from 1 to 10000000, not -1"},
	{"limit_huge", "push.window: ", "must be 1 to 1024"},
	{"database_of_another_kind", "store.url: names PostgreSQL", "leave it empty to use SQLite in data_dir"},
	{"two_management_servers", `ITSM_DOMAIN: is "on-prem.company.local", but ITSM_WEB_HOST is "itsm.company.local"`, "leave one of them away"},
	{"dot_env_line", ".env: line 3 has no =", "each line is NAME=value"},
}

// put writes a file of testdata as the configuration of the site, and its .env if it has one.
func (s *site) put(t *testing.T, name string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "signalbox.yaml", text, 0o644)
	if text, err = os.ReadFile(filepath.Join("testdata", name+".env")); err == nil {
		s.write(t, ".env", text, 0o644)
	} else if !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

// TestMistakesOfConfigurations: `config check` names each mistake alone, in a sentence that no other has, and serve does not start with it.
func TestMistakesOfConfigurations(t *testing.T) {
	seen := sentences{}
	for _, row := range configRows {
		t.Run(row.file, func(t *testing.T) {
			s := newSite(t)
			s.put(t, row.file)
			said, status := s.run(t, "signalbox", "config", "check", "--config", "signalbox.yaml")
			if status != statusConfig || !strings.Contains(said, "1 mistake in signalbox.yaml") {
				t.Errorf("config check: status %d, want 78 and one mistake:\n%s", status, said)
			}
			seen.add(t, row.file, lineWith(t, said, row.says, row.todo))
			said, status = s.run(t, "signalbox", "serve", "--config", "signalbox.yaml")
			if status != statusConfig {
				t.Errorf("serve: status %d, want 78:\n%s", status, said)
			}
			lineWith(t, said, row.says, row.todo)
		})
	}
}

// TestEveryFileHasARow: no file of testdata is forgotten.
func TestEveryFileHasARow(t *testing.T) {
	rows := map[string]bool{}
	for _, r := range configRows {
		rows[r.file] = true
	}
	for _, r := range startRows() {
		rows[r.file] = true
	}
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) != len(rows) {
		t.Errorf("%d files, %d rows, %v", len(files), len(rows), err)
	}
	for _, f := range files {
		if name := strings.TrimSuffix(filepath.Base(f), ".yaml"); !rows[name] {
			t.Errorf("%s has no row", f)
		}
	}
}
