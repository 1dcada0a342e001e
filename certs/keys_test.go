package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseTakesEveryKindOfKey(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(p384)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8 := func(k crypto.Signer) []byte { return (&identity{key: k}).keyPEM(t) }
	// What openssl ecparam -genkey writes in front of a key: the name of the curve P-384.
	params := block1("EC PARAMETERS", []byte{0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22})
	tests := map[string]struct {
		key  crypto.Signer
		pem  []byte
		kind string
	}{
		"RSA PKCS#1":         {rsaKey, block1("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey)), "RSA 2048"},
		"RSA PKCS#8":         {rsaKey, pkcs8(rsaKey), "RSA 2048"},
		"ECDSA SEC 1":        {p384, concat(params, block1("EC PRIVATE KEY", sec1)), "ECDSA P-384"},
		"ECDSA PKCS#8":       {p384, pkcs8(p384), "ECDSA P-384"},
		"Ed25519":            {edKey, pkcs8(edKey), "Ed25519"},
		"label of PKCS#8":    {p384, block1("PRIVATE KEY", sec1), "ECDSA P-384"},
		"the same key twice": {rsaKey, concat(pkcs8(rsaKey), block1("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey))), "RSA 2048"},
	}
	root := newCA(t, "Test Root", nil)
	tmpl := newLeafCert(t, root, []string{testDomain}).cert
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			leaf := sign(t, tmpl, test.key, root)
			data := concat(test.pem, leaf.certPEM(), root.certPEM())
			b, err := Parse("b.pem", data, now, testOptions())
			if err != nil {
				t.Fatalf("Parse = %v", err)
			}
			if !samePublic(b.cert.PrivateKey.(crypto.Signer).Public(), test.key.Public()) {
				t.Error("another key was loaded")
			}
			if got := Inspect("b.pem", data, now, testOptions()).Key; got != test.kind {
				t.Errorf("key = %q, want %q", got, test.kind)
			}
		})
	}
}

func TestParseChoosesTheBestLeafOfOneKey(t *testing.T) {
	root := newCA(t, "Test Root", nil)
	key := newECKey(t)
	issue := func(parent *identity, names []string, edits ...edit) *identity {
		tmpl := newLeafCert(t, root, names, edits...).cert
		tmpl.PublicKey = key.Public()
		return sign(t, tmpl, key, parent)
	}
	old := issue(root, []string{testDomain}, valid(now.AddDate(0, -3, 0), now.AddDate(0, 0, -1)))
	renewed := issue(root, []string{testDomain})
	longer := issue(root, []string{testDomain}, valid(now.AddDate(0, 0, -1), now.AddDate(0, 6, 0)))
	elsewhere := issue(root, []string{"other.example"}, valid(now.AddDate(0, 0, -1), now.AddDate(1, 0, 0)))
	own := issue(nil, []string{testDomain}, valid(now.AddDate(0, 0, -1), now.AddDate(2, 0, 0)))
	tests := map[string]struct {
		certs []*identity
		want  *identity
	}{
		"valid before expired":         {[]*identity{old, renewed}, renewed},
		"later expiry":                 {[]*identity{renewed, longer}, longer},
		"the domain before a long one": {[]*identity{elsewhere, renewed}, renewed},
		"signed before self-signed":    {[]*identity{own, renewed}, renewed},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			data := concat((&identity{key: key}).keyPEM(t), root.certPEM())
			for _, c := range test.certs {
				data = concat(data, c.certPEM())
			}
			b, err := Parse("b.pem", data, now, testOptions())
			if err != nil {
				t.Fatal(err)
			}
			if !b.Certificate.Equal(test.want.cert) {
				t.Errorf("leaf = %s until %v", b.Certificate.Issuer, b.NotAfter)
			}
		})
	}
}

func TestParseChoosesAmongCrossSignedIssuers(t *testing.T) {
	oldRoot, newRoot := newCA(t, "Old Root", nil), newCA(t, "New Root", nil)
	cross := sign(t, newCA(t, "New Root", oldRoot).cert, newRoot.key, oldRoot)
	deadCross := sign(t, newCA(t, "New Root", oldRoot, valid(now.AddDate(-5, 0, 0), now.AddDate(0, 0, -1))).cert, newRoot.key, oldRoot)
	inter := newCA(t, "Test Intermediate", newRoot)
	leaf := newLeafCert(t, inter, []string{testDomain})
	tests := map[string]struct {
		above []*identity
		want  []*identity
		root  *identity
	}{
		"old clients are served": {[]*identity{inter, newRoot, cross, oldRoot}, []*identity{leaf, inter, cross}, oldRoot},
		"its own root is absent": {[]*identity{inter, cross, newRoot}, []*identity{leaf, inter}, newRoot},
		"expired one is left":    {[]*identity{inter, deadCross, newRoot, oldRoot}, []*identity{leaf, inter}, newRoot},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b, err := Parse("b.pem", of(t, leaf, test.above...), now, testOptions())
			if err != nil {
				t.Fatal(err)
			}
			wantSent(t, b, test.want...)
			if b.Root == nil || !b.Root.Equal(test.root.cert) {
				t.Errorf("root = %v, want %s", b.Root, test.root.cert.Subject)
			}
		})
	}
}

// TestFilesOfOpenSSL takes what operators really have in their hands. The same mistakes are made without openssl in
// TestParseNamesEachMistake.
func TestFilesOfOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("LEFT OUT: bundles made by openssl: it is not installed; TestParseNamesEachMistake has the same mistakes made by hand")
	}
	p := newPKI(t)
	d := dir(t, map[string][]byte{"key": p.leaf.keyPEM(t), "cert": p.leaf.certPEM(), "chain": concat(p.inter.certPEM(), p.root.certPEM())})
	chain := concat(p.leaf.certPEM(), p.inter.certPEM(), p.root.certPEM())
	make := func(args ...string) []byte {
		t.Helper()
		out := filepath.Join(d, "out")
		cmd := exec.CommandContext(t.Context(), openssl, append(args, "-out", out)...)
		cmd.Dir = d
		if msg, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v\n%s", args, err, msg)
		}
		data, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	pfx := make("pkcs12", "-export", "-inkey", "key", "-in", "cert", "-certfile", "chain", "-passout", "pass:x")
	put(t, filepath.Join(d, "pfx"), pfx)
	tests := map[string]struct {
		data []byte
		want []Code
	}{
		"PFX":                        {pfx, []Code{PFX}},
		"PFX converted as advised":   {make("pkcs12", "-in", "pfx", "-nodes", "-passin", "pass:x"), nil},
		"PFX converted with a pass":  {make("pkcs12", "-in", "pfx", "-passin", "pass:x", "-passout", "pass:yyyy"), []Code{EncryptedKey}},
		"encrypted PKCS#8":           {concat(make("pkcs8", "-topk8", "-in", "key", "-passout", "pass:x"), chain), []Code{EncryptedKey}},
		"encrypted legacy":           {concat(make("ec", "-in", "key", "-aes256", "-passout", "pass:x"), chain), []Code{EncryptedKey}},
		"SEC 1 key":                  {concat(make("ec", "-in", "key"), chain), nil},
		"public key":                 {concat(make("pkey", "-in", "key", "-pubout"), chain), []Code{PublicKey}},
		"request":                    {concat(p.leaf.keyPEM(t), make("req", "-new", "-key", "key", "-subj", "/CN=x")), []Code{CSR}},
		"certificate with its text":  {concat(p.leaf.keyPEM(t), make("x509", "-in", "cert", "-text"), p.inter.certPEM(), p.root.certPEM()), nil},
		"trusted certificate":        {concat(p.leaf.keyPEM(t), make("x509", "-in", "cert", "-trustout", "-addtrust", "serverAuth"), p.inter.certPEM(), p.root.certPEM()), nil},
		"PKCS#7":                     {concat(p.leaf.keyPEM(t), make("crl2pkcs7", "-nocrl", "-certfile", "cert")), []Code{PKCS7}},
		"DER":                        {make("x509", "-in", "cert", "-outform", "der"), []Code{DER}},
		"the seed's self-signed one": {concat(p.leaf.keyPEM(t), make("req", "-x509", "-key", "key", "-days", "365", "-subj", "/CN="+testDomain)), []Code{SelfSigned, NoSAN}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("b.pem", test.data, now, testOptions())
			if diff := cmp.Diff(test.want, problemsOf(err).Codes(), cmpEmpty); diff != "" {
				t.Errorf("codes differ (-want +got):\n%s\n%v", diff, err)
			}
		})
	}
}
