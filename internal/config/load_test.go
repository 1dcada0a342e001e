package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// source is a configuration written to disk for one test.
type source struct {
	file, dotEnv string // empty: no such file
	environ, set []string
}

func (s source) write(t *testing.T) Source {
	t.Helper()
	dir := t.TempDir()
	src := Source{File: filepath.Join(dir, "signalbox.yaml"), Optional: true, Environ: s.environ, Set: s.set}
	for name, text := range map[string]string{src.File: s.file, filepath.Join(dir, DotEnv): s.dotEnv} {
		if text == "" {
			continue
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return src
}

func (s source) load(t *testing.T) (Config, []string, error) {
	t.Helper()
	return Load(s.write(t))
}

func (s source) mustLoad(t *testing.T) Config {
	t.Helper()
	cfg, _, err := s.load(t)
	if err != nil {
		t.Fatalf("Load() failed: %v", err)
	}
	return cfg
}

func TestLaterSourcesOverrideEarlierOnes(t *testing.T) {
	const file = "domain: file.example\npush: {window: 2}\nlisten:\n  api: ['127.0.0.1:2']\n"
	window := func(c Config) any { return c.Push.Window }
	tests := []struct {
		name string
		in   source
		get  func(Config) any
		want any
	}{
		{"default", source{file: "domain: a.example\n"}, window, Default().Push.Window},
		{"file", source{file: file}, window, 2},
		{".env over file", source{file: file, dotEnv: "SIGNALBOX_PUSH_WINDOW=3\n"}, window, 3},
		{"environment over .env", source{file: file, dotEnv: "SIGNALBOX_PUSH_WINDOW=3\n", environ: []string{"SIGNALBOX_PUSH_WINDOW=4"}}, window, 4},
		{"command line over all", source{file: file, dotEnv: "SIGNALBOX_PUSH_WINDOW=3\n", environ: []string{"SIGNALBOX_PUSH_WINDOW=4"}, set: []string{"push.window=5"}}, window, 5},
		{"empty variable counts as not given", source{file: file, environ: []string{"SIGNALBOX_PUSH_WINDOW="}}, window, 2},
		{"empty variable leaves .env alone", source{file: file, dotEnv: "SIGNALBOX_PUSH_WINDOW=3\n", environ: []string{"SIGNALBOX_PUSH_WINDOW="}}, window, 3},
		{"space around a value", source{file: file, environ: []string{"SIGNALBOX_PUSH_WINDOW= 4\r"}}, window, 4},
		{"lists are replaced whole", source{file: file, environ: []string{"SIGNALBOX_LISTEN_API=127.0.0.1:3, [::1]:3"}}, func(c Config) any { return c.Listen.API }, []string{"127.0.0.1:3", "[::1]:3"}},
		{"an empty variable empties a list", source{file: file, environ: []string{"SIGNALBOX_LISTEN_API="}}, func(c Config) any { return c.Listen.API }, []string{}},
		{"an empty list in the file turns off", source{file: file + "  tls: []\n"}, func(c Config) any { return c.Listen.TLS }, []string{}},
		{"table in the environment", source{file: file, environ: []string{"SIGNALBOX_LISTEN_SNI_PASSTHROUGH=web.example=10.0.5.1:443, *.x.example=10.0.5.2:443"}},
			func(c Config) any { return c.Listen.SNIPassthrough }, map[string]string{"web.example": "10.0.5.1:443", "*.x.example": "10.0.5.2:443"}},
		{"table with dots in the file", source{file: file + "  sni_passthrough: {web.example: '10.0.5.1:443'}\n"},
			func(c Config) any { return c.Listen.SNIPassthrough }, map[string]string{"web.example": "10.0.5.1:443"}},
		{"key with underscores", source{file: file, environ: []string{"SIGNALBOX_XMPP_MAX_STANZA_BYTES=20000"}}, func(c Config) any { return c.XMPP.MaxStanzaBytes }, 20000},
		{"table in a table", source{file: file, environ: []string{"SIGNALBOX_API_TLS_CERT_FILE=/c", "SIGNALBOX_API_TLS_KEY_FILE=/k"}}, func(c Config) any { return c.API.TLS.CertFile }, "/c"},
		{"embedded struct", source{file: file + "store: {batch: 7}\n"}, func(c Config) any { return c.Store.Batch }, 7},
		{"duration in the file", source{file: file + "drain: {period: 90s}\n"}, func(c Config) any { return c.Drain.Period }, 90 * time.Second},
		{"duration nought without unit", source{file: file + "xmpp: {resume_timeout: 0}\n"}, func(c Config) any { return c.XMPP.ResumeTimeout }, time.Duration(0)},
		{"duration in the environment", source{file: file, environ: []string{"SIGNALBOX_PUSH_DEFAULT_TTL=48h"}}, func(c Config) any { return c.Push.DefaultTTL }, 48 * time.Hour},
		{"truth in the environment", source{file: file, environ: []string{"SIGNALBOX_CERTS_ALLOW_SELF_SIGNED=true"}}, func(c Config) any { return c.Certs.AllowSelfSigned }, true},
		{"value with an equals sign", source{file: file, set: []string{"store.url=sqlite:///a=b.db"}}, func(c Config) any { return c.Store.URL }, "sqlite:///a=b.db"},
		{"a table whose keys are comments", source{file: file + "store:\n  #batch: 7\nturn:\n"}, func(c Config) any { return c.Store.Batch }, Default().Store.Batch},
		{"no file at all", source{environ: []string{"SIGNALBOX_DOMAIN=a.example"}}, func(c Config) any { return c.Domain }, "a.example"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.get(tt.in.mustLoad(t))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDotEnvAsPeopleWriteIt(t *testing.T) {
	cfg := source{dotEnv: "\ufeff# of the old server\r\nTIGASE_DOMAIN=company.local\r\nITSM_TURN_SERVERS=10.0.5.3 10.0.5.4\r\nexport SIGNALBOX_LOG_LEVEL=\"debug\" # for a while\r\nCOMPOSE_PROJECT_NAME=itsm\r\n"}.mustLoad(t)
	if cfg.BaseDomain != "company.local" || cfg.Domain != "xmpp.company.local" || cfg.Log.Level != "debug" {
		t.Errorf("base_domain %q, domain %q, log.level %q", cfg.BaseDomain, cfg.Domain, cfg.Log.Level)
	}
}

func TestDomainOfTheSeedsNames(t *testing.T) {
	tests := []struct {
		name         string
		in           source
		domain, base string
	}{
		{"base domain alone", source{environ: []string{"TIGASE_DOMAIN=itsm.local"}}, "xmpp.itsm.local", "itsm.local"},
		{"host before base", source{environ: []string{"TIGASE_DOMAIN=itsm.local", "ITSM_XMPP_HOST=push.itsm.local"}}, "push.itsm.local", "itsm.local"},
		{"XMPP_DOMAIN before host", source{environ: []string{"XMPP_DOMAIN=x.itsm.local", "TIGASE_DOMAIN=itsm.local", "ITSM_XMPP_HOST=push.itsm.local"}}, "x.itsm.local", "itsm.local"},
		{"key in the file before all", source{file: "domain: d.itsm.local\n", environ: []string{"XMPP_DOMAIN=x.itsm.local", "TIGASE_DOMAIN=itsm.local"}}, "d.itsm.local", "itsm.local"},
		{"variable of the key before all", source{environ: []string{"SIGNALBOX_DOMAIN=d.itsm.local", "XMPP_DOMAIN=x.itsm.local"}}, "d.itsm.local", ""},
		{"base domain in the file before the variable", source{file: "base_domain: b.local\n", environ: []string{"TIGASE_DOMAIN=itsm.local"}}, "xmpp.b.local", "b.local"},
		{"environment over .env", source{dotEnv: "TIGASE_DOMAIN=old.local\n", environ: []string{"TIGASE_DOMAIN=itsm.local"}}, "xmpp.itsm.local", "itsm.local"},
		{".env below XMPP_DOMAIN", source{dotEnv: "XMPP_DOMAIN=x.itsm.local\n", environ: []string{"ITSM_XMPP_HOST=push.itsm.local"}}, "x.itsm.local", ""},
		{"empty ones do not count", source{environ: []string{"XMPP_DOMAIN=", "ITSM_XMPP_HOST= ", "TIGASE_DOMAIN=itsm.local"}}, "xmpp.itsm.local", "itsm.local"},
		{"an empty one leaves .env alone", source{dotEnv: "TIGASE_DOMAIN=itsm.local\n", environ: []string{"TIGASE_DOMAIN="}}, "xmpp.itsm.local", "itsm.local"},
		{"capitals and a last dot", source{environ: []string{"TIGASE_DOMAIN=ITSM.Local."}}, "xmpp.itsm.local", "itsm.local"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := tt.in.mustLoad(t)
			if cfg.Domain != tt.domain || cfg.BaseDomain != tt.base {
				t.Errorf("domain %q, base_domain %q, want %q, %q", cfg.Domain, cfg.BaseDomain, tt.domain, tt.base)
			}
		})
	}
}

// TestAddressOfTheSeedsHost: a public name beside the domain is where clients find the WebSocket.
func TestAddressOfTheSeedsHost(t *testing.T) {
	const ok = "SIGNALBOX_DOMAIN=a.example"
	for _, tt := range []struct {
		name string
		in   source
		want string
	}{
		{"no host", source{environ: []string{ok}}, ""},
		{"host is the domain", source{environ: []string{"ITSM_XMPP_HOST=push.itsm.local"}}, ""},
		{"host beside the domain", source{environ: []string{ok, "ITSM_XMPP_HOST=Push.itsm.local."}}, "wss://push.itsm.local/xmpp-websocket"},
		{"key before host", source{environ: []string{ok, "ITSM_XMPP_HOST=push.itsm.local", "SIGNALBOX_XMPP_WEBSOCKET_URL=wss://b.local:8443/x"}}, "wss://b.local:8443/x"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.in.mustLoad(t).XMPP.WebSocketURL; got != tt.want {
				t.Errorf("xmpp.websocket_url = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestManagementServer(t *testing.T) {
	const ok = "SIGNALBOX_DOMAIN=a.example"
	for _, tt := range []struct {
		name       string
		environ    []string
		host, addr string
	}{
		{"none", nil, "", ""},
		{"by name", []string{"ITSM_WEB_HOST=ITSM.b.local."}, "itsm.b.local", ""},
		{"by its other name, with an address", []string{"ITSM_DOMAIN=itsm.b.local", "ITSM_WEB_IP=10.0.5.1"}, "itsm.b.local", "10.0.5.1"},
		{"the key goes first", []string{"ITSM_WEB_HOST=itsm.b.local", "SIGNALBOX_EVENTS_HOST=c.local:8443"}, "c.local:8443", ""},
		{"an address for the key", []string{"ITSM_WEB_IP=10.0.5.1", "SIGNALBOX_EVENTS_HOST=c.local"}, "c.local", "10.0.5.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := source{environ: append([]string{ok}, tt.environ...)}.mustLoad(t).Events
			if got.Host != tt.host || got.Address != tt.addr {
				t.Errorf("events.host, address = %q, %q, want %q, %q", got.Host, got.Address, tt.host, tt.addr)
			}
		})
	}
}

// TestPublicAddress: the seed's address is announced for relayed addresses, unless the key says another.
func TestPublicAddress(t *testing.T) {
	const ok = "SIGNALBOX_DOMAIN=a.example"
	for _, tt := range []struct {
		name    string
		environ []string
		want    []string
	}{
		{"none", nil, nil},
		{"the seed's", []string{"ITSM_XMPP_IP=10.0.5.2"}, []string{"10.0.5.2"}},
		{"the key goes first", []string{"ITSM_XMPP_IP=10.0.5.2", "SIGNALBOX_TURN_PUBLIC_IP=192.0.2.1,2001:db8::1"}, []string{"192.0.2.1", "2001:db8::1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, source{environ: append([]string{ok}, tt.environ...)}.mustLoad(t).TURN.PublicIP); diff != "" {
				t.Errorf("turn.public_ip (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	const ok = "SIGNALBOX_DOMAIN=a.example"
	const later = ": is accepted and has no effect: this version does not have that part yet"
	const noSecret = "turn.external_secret_file: is not set: clients are told of STUN servers, and of no TURN server, for which they would need credentials"
	tests := []struct {
		name string
		in   source
		want []string
	}{
		{"nothing", source{environ: []string{ok, "PATH=/bin"}}, nil},
		{"unknown variable", source{environ: []string{ok, "SIGNALBOX_PORT=tcp://10.0.0.1:80"}}, []string{"SIGNALBOX_PORT: is no variable of ours and is ignored"}},
		{"misspelt variable", source{environ: []string{ok, "SIGNALBOX_LISTEN_TSL=:443"}}, []string{"SIGNALBOX_LISTEN_TSL: is no variable of ours and is ignored; did you mean SIGNALBOX_LISTEN_TLS?"}},
		{"the command line's own", source{environ: []string{ok, "SIGNALBOX_API_URL=x", "SIGNALBOX_API_TOKEN=y", "SIGNALBOX_CONFIG=z"}}, nil},
		{"keys of parts to come", source{file: "domain: a.example\ngateway: {hosts: [a], quota: {url: x}}\nrelay: {max_pairs: 7, hosts: [b]}\nevents: {offline_grace: 1m}\n"},
			[]string{"gateway.hosts" + later, "gateway.quota" + later, "relay.hosts" + later}},
		{"the same in the environment", source{environ: []string{ok, "SIGNALBOX_GATEWAY_NAME=x", "SIGNALBOX_CLUSTER_HOSTS=", "SIGNALBOX_RELAY_HOSTS=b"}}, []string{"gateway.name" + later, "relay.hosts" + later}},
		{"and on the command line", source{environ: []string{ok}, set: []string{"gateway.name=x", "relay.hosts=b"}}, []string{"gateway.name" + later, "relay.hosts" + later}},
		{"listen.turn by default", source{environ: []string{ok}}, nil},
		{"listen.turn off", source{environ: []string{ok, "SIGNALBOX_LISTEN_TURN="}}, nil},
		{"listen.turn set", source{environ: []string{ok, "SIGNALBOX_LISTEN_TURN=:3478"}}, nil},
		{"the TURN server", source{environ: []string{ok}, file: "turn: {public_ip: ['192.0.2.1'], control: {listen: '10.0.5.3:3479', cert_file: /c, key_file: /k, ca_file: /a}}\n"}, nil},
		{"compatible paths", source{environ: []string{ok}, set: []string{"api.tigase_compat=true"}}, nil},
		{"the seed's names", source{environ: []string{"TIGASE_DOMAIN=b.local", "ITSM_XMPP_HOST=xmpp.b.local", "ITSM_XMPP_IP=10.0.5.2", "ITSM_WEB_HOST=w.b.local", "ITSM_DOMAIN=w.b.local", "ITSM_WEB_IP=10.0.5.1", "ITSM_TURN_SERVERS=10.0.5.3,10.0.5.4"}},
			[]string{noSecret}},
		{"an address of nobody", source{environ: []string{ok, "ITSM_WEB_IP=10.0.5.1"}}, []string{"ITSM_WEB_IP: is ignored: ITSM_WEB_HOST does not say whose address it is"}},
		{"an address of another", source{environ: []string{ok, "ITSM_WEB_HOST=w.b.local", "ITSM_WEB_IP=10.0.5.1", "SIGNALBOX_EVENTS_HOST=other.local"}},
			[]string{"ITSM_WEB_IP: is ignored: ITSM_WEB_HOST does not say whose address it is"}},
		{"a public name beside the domain", source{environ: []string{ok, "ITSM_XMPP_HOST=xmpp.b.local"}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, got, err := tt.in.load(t)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRelativePathsStartAtTheFile(t *testing.T) {
	in := source{file: "domain: a.example\ndata_dir: data\ncerts: {dir: ../certs, files: [a.pem, /b.pem]}\nxmpp: {client_ca: clients.pem, components: {bot: bot.secret}, component_ca: ca.pem}\n", environ: []string{"SIGNALBOX_API_TLS_CERT_FILE=c.crt", "SIGNALBOX_API_TLS_KEY_FILE=c.key"}}
	src := in.write(t)
	cfg, _, err := Load(src)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(src.File)
	got := []string{cfg.DataDir, cfg.Certs.Dir, cfg.Certs.Files[0], cfg.Certs.Files[1], cfg.XMPP.ClientCA, cfg.API.TLS.CertFile, cfg.API.TLS.KeyFile, cfg.XMPP.Components["bot"], cfg.XMPP.ComponentCA}
	want := []string{dir + "/data", filepath.Dir(dir) + "/certs", dir + "/a.pem", "/b.pem", dir + "/clients.pem", dir + "/c.crt", dir + "/c.key", dir + "/bot.secret", dir + "/ca.pem"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestEveryPathIsMadeAbsolute finds keys that look like paths and are not in the list of those.
func TestEveryPathIsMadeAbsolute(t *testing.T) {
	for path := range newTable().keys {
		name := lastName(path)
		looks := strings.HasSuffix(name, "dir") || strings.HasSuffix(name, "file") || strings.HasSuffix(name, "files") || strings.HasSuffix(name, "_ca") || name == "components"
		if looks != slices.Contains(pathKeys, path) {
			t.Errorf("%s looks like a path: %v, is in pathKeys: %v", path, looks, !looks)
		}
	}
}

func TestWithoutAFileTheWorkingDirectoryCounts(t *testing.T) {
	t.Chdir(t.TempDir())
	cfg, _, err := Load(Source{Set: []string{"domain=a.example", "data_dir=data"}})
	if wd, errWd := os.Getwd(); err != nil || errWd != nil || cfg.DataDir != filepath.Join(wd, "data") {
		t.Errorf("data_dir = %q, %v, %v, want it in %q", cfg.DataDir, err, errWd, wd)
	}
}
