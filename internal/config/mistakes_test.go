package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEveryMistakeAtOnce(t *testing.T) {
	const ok = "domain: a.example\n"
	tests := []struct {
		name string
		in   source
		want []string
	}{
		{"nothing is set", source{file: "{}\n"}, []string{"domain: must be set, for example xmpp.example.com (or TIGASE_DOMAIN in the environment)"}},
		{"of all kinds together", source{
			file:    "domian: a.example\nlisten: {tsl: [':443'], xmpp: ':5222'}\npush: {window: many, queue_count: 0}\ndrain: {period: 90}\n",
			environ: []string{"SIGNALBOX_XMPP_MAX_DEPTH=deep", "SIGNALBOX_LOG_FORMAT=xml"}, set: []string{"nothing", "store.bach=1"},
		}, []string{
			"domian: is an unknown key; did you mean domain?",
			"drain.period: is the number 90, must be a duration with its unit, such as 90s or 5m",
			"listen.tsl: is an unknown key; did you mean listen.tls?",
			`listen.xmpp: is the text ":5222", must be a list of texts, such as ["a", "b"]`,
			`push.window: is the text "many", must be a whole number`,
			`xmpp.max_depth: SIGNALBOX_XMPP_MAX_DEPTH is the text "deep", must be a whole number`,
			"nothing: must be key=value",
			"store.bach: is an unknown key; did you mean store.batch?",
			"domain: must be set, for example xmpp.example.com (or TIGASE_DOMAIN in the environment)",
			"push.queue_count: must be 1 to 10000",
			`log.format: is "xml", must be json or console`,
		}},
		{"types", source{file: ok + "data_dir: 7\nbase_domain: true\nlisten: {api: [8080], sni_passthrough: [a]}\ncerts: {allow_self_signed: yes}\nxmpp: 5\npush: {window: 1.5, queue_bytes: }\nlog: {level: {a: b}}\nstore: {retention: soon, batch: 2026-01-01}\n"}, []string{
			"base_domain: is the truth value true, must be a text; put it in quotes",
			`certs.allow_self_signed: is the text "yes", must be true or false`,
			"data_dir: is the number 7, must be a text; put it in quotes",
			`listen.api: has the number 8080 as entry 0, must be a list of texts, such as ["a", "b"]`,
			"listen.sni_passthrough: is a list, must be a table of texts, such as {name: value}; name=value,... in the environment",
			"log.level: is a table, must be a text; put it in quotes",
			"push.queue_bytes: has no value, must be a whole number",
			"push.window: is the number 1.5, must be a whole number",
			"store.batch: is a date, must be a whole number",
			`store.retention: is the text "soon", must be a duration with its unit, such as 90s or 5m`,
			"xmpp: is the number 5, must be a table of keys",
		}},
		{"a number as a key", source{file: ok + "listen: {443: x}\n"}, []string{"listen.443: is an unknown key"}},
		{"unknown table", source{file: ok + "lisen: {tls: [':443']}\nfoo: {a: {b: 1}}\n"}, []string{"foo: is an unknown key", "lisen: is an unknown key; did you mean listen?"}},
		{"values out of range", source{file: ok + "listen: {api: ['0.0.0.0:8080']}\nxmpp: {routing: closed, insecure_plaintext: '0.0.0.0:5223'}\n"}, []string{
			`xmpp.routing: is "closed", must be managed or open`,
			`xmpp.insecure_plaintext: "0.0.0.0" is not a loopback address such as 127.0.0.1 or [::1]: logins without TLS never leave this machine`,
			"api.insecure_http: 0.0.0.0:8080 is not a loopback address: set tls.cert_file and tls.key_file, or insecure_http: true",
		}},
		{"addresses of WebSockets", source{file: ok + "xmpp:\n  websocket_origins: ['https://a.example', 'HTTP://b.example:8080', a.example, 'https://a.example/', '*', 'null', 'wss://a.example']\n  websocket_url: https://a.example/\n"}, []string{
			`xmpp.websocket_origins[2]: "a.example" is no origin such as https://console.example.com or https://console.example.com:8443`,
			`xmpp.websocket_origins[3]: "https://a.example/" is no origin such as https://console.example.com or https://console.example.com:8443`,
			`xmpp.websocket_origins[4]: "*" is no origin such as https://console.example.com or https://console.example.com:8443`,
			`xmpp.websocket_origins[5]: "null" is no origin such as https://console.example.com or https://console.example.com:8443`,
			`xmpp.websocket_origins[6]: "wss://a.example" is no origin such as https://console.example.com or https://console.example.com:8443`,
			`xmpp.websocket_url: "https://a.example/" is not an address such as wss://xmpp.example.com/xmpp-websocket`,
		}},
		{"components", source{file: ok + "listen: {component: ['0.0.0.0:5347', '127.0.0.1:5347', x]}\nxmpp: {components: {Bot: b.secret, a.example: a.secret, gate: ''}}\n"}, []string{
			`listen.component[2]: "x" is not an address such as ":443" or "192.0.2.1:443"`,
			`listen.component[1]: "127.0.0.1:5347" is the address of listen.component[0], "0.0.0.0:5347", too: give each a port of its own`,
			`xmpp.components.Bot: "Bot" is no name in lower case such as bot, which stands for bot.a.example, or bot.example.com`,
			`xmpp.components.a.example: "a.example" is the domain of this server itself`,
			"xmpp.components.gate: has no file with its secret",
			"xmpp.component_ca: must be set for listen.component 0.0.0.0:5347, which is not a loopback address such as 127.0.0.1:5347",
			"xmpp.component_ca: must be set for listen.component x, which is not a loopback address such as 127.0.0.1:5347",
		}},
		{"addresses of outages", source{file: ok + "xmpp: {status_urls: ['https://s.example/x.json', 's.example', 'ftp://s.example/x']}\n"}, []string{
			`xmpp.status_urls[1]: "s.example" is not an address such as https://status.example.org/xmpp.json`,
			`xmpp.status_urls[2]: "ftp://s.example/x" is not an address such as https://status.example.org/xmpp.json`,
		}},
		{"the TURN server", source{file: ok + "turn:\n  public_ip: [x]\n  min_port: 80\n  allow_peers: ['10.0.0.1/8']\n  servers: ['a b']\n  control: {url: 'tls://10.0.5.3:3479'}\n"}, []string{
			`turn.servers[0]: "a b" is no server such as turn.example.com, 192.0.2.1:3478 or turns:turn.example.com:443?transport=tcp`,
			`turn.public_ip[0]: "x" is not an address such as 192.0.2.1`,
			"turn.min_port: must be from 1024 to 65535, not 80",
			`turn.allow_peers[0]: "10.0.0.1/8" has bits behind its length; "10.0.0.0/8" is meant?`,
			"turn.control.cert_file: must be set where the TURN server is controlled over the network",
			"turn.control.key_file: must be set where the TURN server is controlled over the network",
			"turn.control.ca_file: must be set where the TURN server is controlled over the network",
		}},
		{"a port for no component", source{file: ok + "listen: {component: ['127.0.0.1:5347']}\n"}, []string{
			"xmpp.components: names none, but listen.component opens a port for them",
		}},
		{"two names of the management server", source{file: ok, environ: []string{"ITSM_DOMAIN=a.local", "ITSM_WEB_HOST=b.local"}}, []string{
			`ITSM_DOMAIN: is "a.local", but ITSM_WEB_HOST is "b.local"; both name the management server, leave one of them away`,
		}},
		{"another database", source{file: ok + "store: {url: 'postgres://signalbox:s3cret@db/signalbox'}\n"}, []string{
			"store.url: names PostgreSQL, which this version does not support yet: leave it empty to use SQLite in data_dir",
		}},
		{"a store that nobody knows, with a password", source{file: ok + "store: {url: 'mysql://signalbox:s3cret@db/signalbox'}\n"}, []string{
			`store.url: "mysql://signalbox:xxxxx@db/signalbox" is not understood: use sqlite:///path/to/file, or leave it empty to use signalbox.db in data_dir`,
		}},
		{"a variable in the file", source{file: "domain: xmpp.${SITE}\nlisten: {api: ['127.0.0.1:8080', '${IP}:8080']}\n"}, []string{
			"domain: has ${SITE} in it, and variables are not filled in in this file: write the value itself, or set SIGNALBOX_DOMAIN in the environment or in .env",
			"listen.api: has ${IP} in it, and variables are not filled in in this file: write the value itself, or set SIGNALBOX_LISTEN_API in the environment or in .env",
		}},
		{"ports of several", source{file: ok + "listen: {tls: [':443'], xmpp: ['192.0.2.1:443', '[::1]:5222', '[::1]:0'], http: ['[::]:5222', ':0'], turn: [':40000']}\nturn: {min_port: 40000, max_port: 40000}\n"}, []string{
			`listen.xmpp[0]: "192.0.2.1:443" is the address of listen.tls[0], ":443", too: give each a port of its own`,
			`listen.http[0]: "[::]:5222" is the address of listen.xmpp[1], "[::1]:5222", too: give each a port of its own`,
			"turn.max_port: is 40000 as turn.min_port is, which is one port: a session that is relayed on both sides takes two",
			`turn.min_port: relay ports 40000 to 40000 have the port of listen.turn[0], ":40000", among them: move one of the two`,
		}},
		{"domain in capitals", source{file: "domain: A.example\n"}, []string{`domain: "A.example" is not a domain name in lower case`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := tt.in.load(t)
			if err == nil {
				t.Fatal("Load() found no mistake")
			}
			if diff := cmp.Diff(tt.want, strings.Split(err.Error(), "\n")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	tests := []struct {
		name string
		make func(t *testing.T, src Source)
		want string // behind the path of the file
	}{
		{"not YAML", func(t *testing.T, src Source) { write(t, src.File, "domain: [\n") }, ": line 1: did not find expected node content; look for a bracket or a quote that is not closed, there or above"},
		{"no table", func(t *testing.T, src Source) { write(t, src.File, "- a\n") }, ": line 1: the file is no table of keys; write one key on each line, as in domain: xmpp.example.com"},
		{"key twice", func(t *testing.T, src Source) { write(t, src.File, "domain: a\ndomain: b\n") }, `: line 2: mapping key "domain" already defined at line 1; leave one of the two away`},
		{"a directory", func(t *testing.T, src Source) {
			if err := os.Mkdir(src.File, 0o700); err != nil {
				t.Fatal(err)
			}
		}, ": cannot be read: is a directory; it must be a file of text"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			src := source{}.write(t)
			tt.make(t, src)
			if _, _, err := Load(src); err == nil || err.Error() != src.File+tt.want {
				t.Errorf("Load() = %v, want %s%s", err, src.File, tt.want)
			}
		})
	}
	t.Run("missing", func(t *testing.T) {
		src := Source{File: filepath.Join(t.TempDir(), "none.yaml"), Set: []string{"domain=a.example"}}
		if _, _, err := Load(src); err == nil || !strings.HasSuffix(err.Error(), "none.yaml: cannot be read: no such file or directory; 'signalbox config default' prints one to begin with") {
			t.Errorf("Load() = %v, want that the file is missing", err)
		}
	})
	t.Run(".env", func(t *testing.T) {
		src := source{dotEnv: "# ours\nSIGNALBOX_DOMAIN\nSIGNALBOX_STORE_URL=s3cret\n"}.write(t)
		want := filepath.Join(filepath.Dir(src.File), DotEnv) + ": line 2 has no =; each line is NAME=value, or begins with #"
		if _, _, err := Load(src); err == nil || err.Error() != want {
			t.Errorf("Load() = %v, want %s", err, want)
		}
	})
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSuggestions(t *testing.T) {
	known := []string{"listen.tls", "listen.xmpp", "domain", "push.window", ""}
	for written, want := range map[string]string{
		"listen.tsl": "; did you mean listen.tls?", "listen.ttls": "; did you mean listen.tls?", "lsiten.tls": "; did you mean listen.tls?",
		"domains": "; did you mean domain?", "x": "", "completely.other": "", "push.windows": "; did you mean push.window?", "": "",
	} {
		if got := didYouMean(written, known); got != want {
			t.Errorf("didYouMean(%q) = %q, want %q", written, got, want)
		}
	}
}

// FuzzLoad feeds files: whatever stands in them, there is an answer, and what loads can be printed and loaded again.
func FuzzLoad(f *testing.F) {
	f.Add("domain: a.example\nlisten: {tls: [], sni_passthrough: {a: 'b:1'}}\n")
	f.Add("listen: {1: {2: 3}}\nturn: [a]\nstore: {url: 'x://a:b@c'}\n")
	f.Add("a: &a [*a]\n")
	f.Fuzz(func(t *testing.T, text string) {
		src := source{file: text}.write(t)
		cfg, _, err := Load(src)
		if err != nil {
			if strings.TrimSpace(err.Error()) == "" {
				t.Error("an error that says nothing")
			}
			return
		}
		printed, err := cfg.Print()
		if err != nil {
			t.Fatal(err)
		}
		write(t, src.File, string(printed))
		if again, _, err := Load(src); err != nil || cfg.Domain != again.Domain || cfg.DataDir != again.DataDir {
			t.Errorf("loading what was printed = %v\n%s", err, printed)
		}
	})
}

// TestUnreadable: what cannot be read is told from what is wrong in it.
func TestUnreadable(t *testing.T) {
	for _, tc := range []struct {
		name, file string
		unreadable bool
	}{
		{"no YAML", "domain: [a\n", true},
		{"a mistake", "domain: A\npush: {window: many}\n", false},
		{"nothing wrong", "domain: a.example\ndata_dir: /d\n", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, _, err := Load(source{file: tc.file}.write(t)); errors.Is(err, ErrUnreadable) != tc.unreadable {
				t.Errorf("Load() = %v, want that it is unreadable: %v", err, tc.unreadable)
			}
		})
	}
	if _, _, err := Load(Source{File: filepath.Join(t.TempDir(), "none.yaml")}); !errors.Is(err, ErrUnreadable) {
		t.Errorf("Load() = %v, want that it is unreadable", err)
	}
}
