package certs

import (
	"crypto/x509"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"
)

// goodBundle is a whole bundle for the names, valid on the clock of the test.
func goodBundle(t testing.TB, names ...string) []byte {
	t.Helper()
	root := newCA(t, "Test Root", nil, wide())
	inter := newCA(t, "Test Intermediate", root, wide())
	return pki{root, inter, newLeafCert(t, inter, names, aroundNow())}.bundle(t)
}

// wide is a period for CAs that every clock falls into, also the virtual one of the year 2000.
func wide() edit {
	return valid(time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC))
}

func TestNewStopsOnABadRequiredBundle(t *testing.T) {
	good := goodBundle(t, testDomain)
	tests := map[string]struct {
		files map[string][]byte
		want  Code
		says  string
	}{
		"nothing there":             {nil, FileMissing, "looked for company.local.pem, then xmpp.company.local.pem"},
		"PFX beside the place":      {map[string][]byte{"company.local.pfx": {1}}, FileMissing, "there is company.local.pfx, which is not read"},
		"other bundle only":         {map[string][]byte{"other.pem": good}, FileMissing, ""},
		"broken":                    {map[string][]byte{"company.local.pem": []byte("x")}, NoPEM, ""},
		"broken, second name good":  {map[string][]byte{"company.local.pem": []byte("x"), "xmpp.company.local.pem": good}, NoPEM, "company.local.pem"},
		"domain not covered":        {map[string][]byte{"company.local.pem": goodBundle(t, "a.example")}, NameNotCovered, testDomain},
		"directory in place of it":  {map[string][]byte{"company.local.pem/x": {1}}, Unreadable, "not a regular file"},
		"file that is much too big": {map[string][]byte{"company.local.pem": make([]byte, MaxFile+1)}, TooLarge, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d := t.TempDir()
			for name, data := range test.files {
				if err := os.MkdirAll(filepath.Dir(filepath.Join(d, name)), 0o700); err != nil {
					t.Fatal(err)
				}
				put(t, filepath.Join(d, name), data)
			}
			_, err := New(Config{Dir: d}, RequiredFor(testBase, testDomain), zap.NewNop(), prometheus.NewRegistry())
			if !errors.Is(err, &Error{Code: test.want}) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("New = %v, want %s saying %q", err, test.want, test.says)
			}
		})
	}
}

func TestNewNamesAMissingDirectoryAndPermission(t *testing.T) {
	d := filepath.Join(t.TempDir(), "absent")
	_, err := New(Config{Dir: d}, RequiredFor(testBase, testDomain), zap.NewNop(), prometheus.NewRegistry())
	if !errors.Is(err, &Error{Code: DirUnreadable}) {
		t.Errorf("New without directory = %v, want %s", err, DirUnreadable)
	}
	if got := fileProblem("x", &os.PathError{Op: "open", Path: "x", Err: os.ErrPermission}).Code; got != PermissionDenied {
		t.Errorf("permission: code = %s, want %s", got, PermissionDenied)
	}
	if os.Geteuid() == 0 {
		t.Skip("root may read everything, so the rest needs another user")
	}
	d = dir(t, map[string][]byte{"company.local.pem": goodBundle(t, testDomain)})
	if err := os.Chmod(filepath.Join(d, "company.local.pem"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err = New(Config{Dir: d}, RequiredFor(testBase, testDomain), zap.NewNop(), prometheus.NewRegistry()); !errors.Is(err, &Error{Code: PermissionDenied}) {
		t.Errorf("New = %v, want %s", err, PermissionDenied)
	}
}

func TestNewTakesSecondNameAndNamedFiles(t *testing.T) {
	d := dir(t, map[string][]byte{"xmpp.company.local.pem": goodBundle(t, testDomain)})
	if got := newStore(t, d, zap.NewNop()).Required().File(); got != "xmpp.company.local.pem" {
		t.Errorf("required = %s, want the second name", got)
	}
	elsewhere := dir(t, map[string][]byte{"company.local.pem": goodBundle(t, testDomain)})
	cfg := Config{Dir: filepath.Join(d, "absent"), Files: []string{filepath.Join(elsewhere, "company.local.pem")}}
	s, err := New(cfg, RequiredFor(testBase, testDomain), zap.NewNop(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Required().Path; got != cfg.Files[0] {
		t.Errorf("required = %s, want %s", got, cfg.Files[0])
	}
	if bad := s.Report().Bad(); len(bad) != 0 {
		t.Errorf("bad = %+v, want no complaint about a directory that nobody asked for", bad)
	}
}

func TestRequiredBundleIsNeverTakenFromTheWorkingDirectory(t *testing.T) {
	t.Chdir(dir(t, map[string][]byte{"company.local.pem": goodBundle(t, testDomain)}))
	elsewhere := dir(t, map[string][]byte{"gw.pem": goodBundle(t, "gw.example")})
	cfg := Config{Files: []string{filepath.Join(elsewhere, "gw.pem")}}
	_, err := New(cfg, RequiredFor(testBase, testDomain), zap.NewNop(), prometheus.NewRegistry())
	if !errors.Is(err, &Error{Code: FileMissing}) {
		t.Errorf("New = %v, want %s", err, FileMissing)
	}
}

func TestFurtherBadBundleIsSkippedAndCounted(t *testing.T) {
	d := dir(t, map[string][]byte{
		"company.local.pem": goodBundle(t, testDomain),
		"gateway.pem":       []byte("garbage"),
		".hidden.pem":       []byte("garbage"),
		"readme.txt":        []byte("garbage"),
	})
	reg := prometheus.NewPedanticRegistry()
	s, err := New(Config{Dir: d}, RequiredFor(testBase, testDomain), zap.NewNop(), reg)
	if err != nil {
		t.Fatal(err)
	}
	type line struct {
		File    string
		Outcome Outcome
		Codes   string
	}
	var got []line
	for _, f := range s.Report().Files {
		got = append(got, line{filepath.Base(f.Path), f.Outcome, strings.Join(codeStrings(f.Problems), " ")})
	}
	want := []line{{"company.local.pem", Loaded, ""}, {"gateway.pem", Skipped, "no_pem"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("report differs (-want +got):\n%s", diff)
	}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP signalbox_certs_bad_files Certificate files that are refused or skipped at present.
# TYPE signalbox_certs_bad_files gauge
signalbox_certs_bad_files 1
# HELP signalbox_certs_reloads_total Readings of the certificate files that found a change: ok, or refused if a file was refused or skipped.
# TYPE signalbox_certs_reloads_total counter
signalbox_certs_reloads_total{result="ok"} 0
signalbox_certs_reloads_total{result="refused"} 1
`), "signalbox_certs_bad_files", "signalbox_certs_reloads_total"); err != nil {
		t.Error(err)
	}
	expiry := testutil.ToFloat64(singleExpiry{s})
	if want := float64(s.Required().NotAfter.Unix()); expiry != want {
		t.Errorf("expiry metric = %v, want %v", expiry, want)
	}
}

// singleExpiry collects the expiry of the one bundle alone.
type singleExpiry struct{ s *Store }

func (c singleExpiry) Describe(ch chan<- *prometheus.Desc) { ch <- expiryDesc }

func (c singleExpiry) Collect(ch chan<- prometheus.Metric) {
	all := make(chan prometheus.Metric, 16)
	collector(c).Collect(all)
	close(all)
	for m := range all {
		if m.Desc() == expiryDesc {
			ch <- m
		}
	}
}

func codeStrings(es Errors) []string {
	var out []string
	for _, e := range es {
		out = append(out, string(e.Code))
	}
	return out
}

func TestWorldReadableKeyIsAWarning(t *testing.T) {
	d := dir(t, map[string][]byte{"company.local.pem": goodBundle(t, testDomain)})
	if err := os.Chmod(filepath.Join(d, "company.local.pem"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := newStore(t, d, zap.NewNop()).Required().Warnings.Codes(); !cmp.Equal(got, []Code{KeyReadable}) {
		t.Errorf("warnings = %v, want %s", got, KeyReadable)
	}
}

func TestPick(t *testing.T) {
	bundle := func(name string, until time.Duration, names ...string) *Bundle {
		return &Bundle{Path: name, Names: names, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(until)}
	}
	required := bundle("required", time.Hour, "*.company.local")
	all := []*Bundle{
		required,
		bundle("exact", time.Minute, "xmpp.company.local"),
		bundle("longer", 2*time.Hour, "*.company.local"),
		bundle("expired exact", -time.Second, "gw.company.local"),
		bundle("only expired", -time.Second, "old.example"),
		bundle("turn old", -time.Second, "turn.example"),
		bundle("turn", time.Minute, "turn.example"),
		bundle("address", time.Hour, "192.0.2.1", "addr.example"),
	}
	s := newSnapshot(required, all)
	tests := map[string]string{
		"":                       "required",
		"192.0.2.7":              "required",
		"[2001:db8::1]":          "required",
		"xmpp.company.local":     "exact",
		"XMPP.Company.LOCAL":     "exact",
		"xmpp.company.local.":    "exact",
		"a.company.local":        "longer",
		"gw.company.local":       "longer",
		"old.example":            "only expired",
		"turn.example":           "turn",
		"company.local":          "",
		"a.b.company.local":      "",
		"*.company.local":        "",
		".company.local":         "",
		"localhost":              "",
		"evil.example":           "",
		"xmpp.company.local.org": "",
	}
	for host, want := range tests {
		got := ""
		if b := s.pick(host, now); b != nil {
			got = b.Path
		}
		if got != want {
			t.Errorf("pick(%q) = %q, want %q", host, got, want)
		}
	}
}

func TestPickDoesNotAllocate(t *testing.T) {
	required := &Bundle{Names: []string{"*.company.local"}}
	s := newSnapshot(required, []*Bundle{required})
	if n := testing.AllocsPerRun(100, func() { s.pick("xmpp.company.local", now) }); n != 0 {
		t.Errorf("pick allocates %v times, want 0", n)
	}
}

func TestMatchName(t *testing.T) {
	tests := []struct {
		pattern, host string
		want          match
	}{
		{"a.b", "a.b", exactMatch},
		{"*.b", "a.b", wildcardMatch},
		{"*.b", "b", noMatch},
		{"*.b", ".b", noMatch},
		{"*.b", "a.a.b", noMatch},
		{"*", "a", noMatch},
		{"*.", "a.", noMatch},
		{"*.b", "*.b", noMatch},
		{"a*.b", "ab.b", noMatch},
	}
	for _, test := range tests {
		if got := matchName(test.pattern, test.host); got != test.want {
			t.Errorf("matchName(%q, %q) = %v, want %v", test.pattern, test.host, got, test.want)
		}
	}
}

func TestCertNamesHaveAddresses(t *testing.T) {
	cert := newLeafCert(t, newCA(t, "R", nil), []string{"A.Example."}, func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 1)} }).cert
	if diff := cmp.Diff([]string{"a.example", "192.0.2.1"}, certNames(cert)); diff != "" {
		t.Errorf("names differ (-want +got):\n%s", diff)
	}
}

func TestConfigValidate(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Errorf("Default().Validate() = %v", err)
	}
	err := Config{Files: []string{"a", ""}}.Validate()
	if err == nil || err.Error() != "files[1]: must not be empty" {
		t.Errorf("Validate = %v, want files[1]", err)
	}
	if err := (Config{}).Validate(); err == nil || !strings.HasPrefix(err.Error(), "dir: ") {
		t.Errorf("Validate = %v, want dir", err)
	}
}

func TestRequiredFor(t *testing.T) {
	want := Required{Names: []string{"company.local.pem", "xmpp.company.local.pem"}, Domain: testDomain}
	if diff := cmp.Diff(want, RequiredFor("Company.local.", "XMPP.company.local")); diff != "" {
		t.Errorf("RequiredFor differs (-want +got):\n%s", diff)
	}
	want = Required{Names: []string{"a.example.pem"}, Domain: "a.example"}
	for _, base := range []string{"", "a.example"} {
		if diff := cmp.Diff(want, RequiredFor(base, "a.example")); diff != "" {
			t.Errorf("RequiredFor(%q) differs (-want +got):\n%s", base, diff)
		}
	}
	_, err := New(Config{Dir: t.TempDir()}, Required{Names: []string{"../x.pem"}, Domain: "x"}, zap.NewNop(), prometheus.NewRegistry())
	if err == nil || !strings.Contains(err.Error(), "not the name of a file") {
		t.Errorf("New with a path for a name = %v", err)
	}
}
