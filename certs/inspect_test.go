package certs

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestInspectTellsRolesAndVerdict(t *testing.T) {
	p := newPKI(t)
	stranger := newLeafCert(t, p.root, []string{"a.example"})
	tests := map[string]struct {
		data     []byte
		at       time.Time
		roles    []Role
		problems []Code
		warnings []Code
	}{
		"good":       {p.bundle(t), now, []Role{RoleLeaf, RoleIntermediate, RoleRoot}, nil, nil},
		"root first": {concat(p.root.certPEM(), p.inter.certPEM(), p.leaf.certPEM(), p.leaf.keyPEM(t)), now, []Role{RoleLeaf, RoleIntermediate, RoleRoot}, nil, nil},
		"unused":     {concat(p.bundle(t), stranger.certPEM()), now, []Role{RoleLeaf, RoleIntermediate, RoleRoot, RoleUnused}, nil, []Code{Unused}},
		"expired":    {p.bundle(t), now.AddDate(1, 0, 0), []Role{RoleLeaf, RoleIntermediate, RoleRoot}, []Code{Expired}, nil},
		"no key":     {concat(p.leaf.certPEM(), p.inter.certPEM(), p.root.certPEM()), now, []Role{RoleLeaf, RoleIntermediate, RoleRoot}, []Code{NoKey}, nil},
		"nothing":    {nil, now, nil, []Code{Empty}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			in := Inspect("b.pem", test.data, test.at, testOptions())
			var roles []Role
			for _, c := range in.Certificates {
				roles = append(roles, c.Role)
			}
			if diff := cmp.Diff(test.roles, roles); diff != "" {
				t.Errorf("roles differ (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.problems, in.Problems.Codes(), cmpEmpty); diff != "" {
				t.Errorf("problems differ (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.warnings, in.Warnings.Codes(), cmpEmpty); diff != "" {
				t.Errorf("warnings differ (-want +got):\n%s", diff)
			}
			if in.Accepted != (len(test.problems) == 0) {
				t.Errorf("accepted = %v with problems %v", in.Accepted, test.problems)
			}
		})
	}
}

func TestInspectionAsTextAndJSON(t *testing.T) {
	p := newPKI(t, func(c *x509.Certificate) { c.Subject.CommonName = "evil\x1b[2J" })
	in := Inspect("b.pem", concat(p.leaf.keyPEM(t), p.leaf.certPEM()), now, testOptions())
	var text bytes.Buffer
	if err := in.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(p.leaf.cert.Raw)
	print := Fingerprints(p.leaf.cert)
	if got := strings.ReplaceAll(print.SHA256, ":", ""); !strings.EqualFold(got, hex.EncodeToString(sum[:])) {
		t.Errorf("SHA-256 = %s, want %x", print.SHA256, sum)
	}
	for _, want := range []string{"b.pem: endpoints will refuse", "ECDSA P-256", "leaf", "*.company.local", print.SHA1, print.SHA256,
		"wrong: the issuer of the certificate", "(chain_missing)", "to do: " + ChainMissing.Fix(), "2026-05-31 12:00 UTC to 2026-08-30 12:00 UTC"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("text lacks %q:\n%s", want, text.String())
		}
	}
	if strings.Contains(text.String(), "\x1b") {
		t.Error("text passes control characters of the certificate to the terminal")
	}
	data, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var back Inspection
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(in, back); diff != "" {
		t.Errorf("JSON loses something (-want +got):\n%s", diff)
	}
	if !strings.Contains(string(data), `"sha256":"`+print.SHA256) || strings.Contains(string(data), "PRIVATE") {
		t.Errorf("JSON = %s", data)
	}
	if err := in.WriteText(failingWriter{}); err == nil {
		t.Error("WriteText hides that it could not write")
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestInspectFile(t *testing.T) {
	p := newPKI(t)
	d := dir(t, map[string][]byte{"good.pem": p.bundle(t)})
	if in := InspectFile(filepath.Join(d, "good.pem"), now, testOptions()); !in.Accepted {
		t.Errorf("InspectFile = %+v, want it accepted", in)
	}
	in := InspectFile(filepath.Join(d, "absent.pem"), now, testOptions())
	if in.Accepted || !cmp.Equal(in.Problems.Codes(), []Code{FileMissing}) {
		t.Errorf("InspectFile of nothing = %+v, want %s", in, FileMissing)
	}
}

func TestMakeCAIsAccepted(t *testing.T) {
	names := []string{"xmpp.Company.local", "*.company.local", "192.0.2.1", "2001:db8::1"}
	ca, data, err := MakeCA(CAOptions{Names: names, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	b, err := Parse("b.pem", data, now, testOptions())
	if err != nil || len(b.Warnings) != 0 {
		t.Fatalf("Parse = %v, warnings %v", err, b.Warnings)
	}
	if diff := cmp.Diff([]string{"xmpp.company.local", "*.company.local", "192.0.2.1", "2001:db8::1"}, b.Names); diff != "" {
		t.Errorf("names differ (-want +got):\n%s", diff)
	}
	if want := now.Add(397 * 24 * time.Hour); !b.NotAfter.Equal(want) {
		t.Errorf("NotAfter = %v, want %v", b.NotAfter, want)
	}
	if want := now.AddDate(10, 0, 0); b.Root == nil || !b.Root.NotAfter.Equal(want) {
		t.Errorf("root = %v, want one until %v", b.Root, want)
	}
	if !bytes.HasSuffix(data, ca) || bytes.Contains(ca, []byte("KEY")) || !bytes.HasPrefix(data, []byte("-----BEGIN PRIVATE KEY")) {
		t.Error("the bundle is not key, certificate, root, or the CA's file has a key")
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	for _, host := range []string{"xmpp.company.local", "a.company.local", "192.0.2.1"} {
		if _, err := b.Certificate.Verify(x509.VerifyOptions{Roots: roots, DNSName: host, CurrentTime: now}); err != nil {
			t.Errorf("client's check of %s = %v", host, err)
		}
	}
}

func TestMakeCAOptions(t *testing.T) {
	if _, _, err := MakeCA(CAOptions{}); err == nil {
		t.Error("MakeCA without names = nil, want an error")
	}
	long := strings.Repeat("a", 60) + ".company.local"
	_, data, err := MakeCA(CAOptions{Name: "Ours", Names: []string{long}, Now: now, LeafValid: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	b, err := Parse("b.pem", data, now, Options{Domain: long, Roots: noRoots()})
	if err != nil {
		t.Fatal(err)
	}
	if b.Root.Subject.CommonName != "Ours" || b.Certificate.Subject.CommonName != "" || !b.NotAfter.Equal(now.Add(time.Hour)) {
		t.Errorf("root %q, leaf %q until %v", b.Root.Subject.CommonName, b.Certificate.Subject.CommonName, b.NotAfter)
	}
}
