package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// mistake is one bundle with one thing wrong, and what Parse says of it.
type mistake struct {
	data   []byte
	opts   func(*Options)
	want   []Code // fatal
	detail string // in the first message
}

func TestParseNamesEachMistake(t *testing.T) {
	p := newPKI(t)
	groups := []map[string]mistake{fileMistakes(t, p), keyMistakes(t, p), leafMistakes(t, p), chainMistakes(t, p)}
	for _, group := range groups {
		for name, m := range group {
			t.Run(name, func(t *testing.T) {
				opts := testOptions()
				if m.opts != nil {
					m.opts(&opts)
				}
				b, err := Parse("b.pem", m.data, now, opts)
				if b != nil || err == nil {
					t.Fatalf("Parse = %v, %v; want an error alone", b, err)
				}
				got := problemsOf(err)
				if diff := cmp.Diff(m.want, got.Codes()); diff != "" {
					t.Fatalf("codes differ (-want +got):\n%s\n%v", diff, err)
				}
				if !strings.Contains(got[0].Detail, m.detail) {
					t.Errorf("detail = %q, want it to contain %q", got[0].Detail, m.detail)
				}
			})
		}
	}
}

func fileMistakes(t *testing.T, p pki) map[string]mistake {
	good := p.bundle(t)
	broken := strings.Replace(string(p.leaf.certPEM()), "\n", "\n!!!!", 1)
	// Version 3 and the OID of PKCS#7 data; what follows does not matter. Windows writes open lengths.
	pfx := []byte{0x30, 0x0F, 0x02, 0x01, 0x03, 0x30, 0x0A, 0x06, 0x08, 1, 2, 3, 4, 5, 6, 7, 8}
	openPFX := []byte{0x30, 0x80, 0x02, 0x01, 0x03, 0x30, 0x80, 0x06, 0x09}
	derKey, err := x509.MarshalPKCS8PrivateKey(p.leaf.key)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]mistake{
		"empty":                  {data: nil, want: []Code{Empty}},
		"only a BOM and newline": {data: []byte("\xEF\xBB\xBF\r\n"), want: []Code{Empty}},
		"no PEM":                 {data: []byte("see the wiki"), want: []Code{NoPEM}},
		"PFX":                    {data: pfx, want: []Code{PFX}},
		"PFX with open lengths":  {data: openPFX, want: []Code{PFX}},
		"DER certificate":        {data: p.leaf.cert.Raw, want: []Code{DER}, detail: "certificate"},
		"DER key":                {data: derKey, want: []Code{DER}, detail: "binary"},
		"too large":              {data: make([]byte, MaxFile+1), want: []Code{TooLarge}},
		"too many blocks":        {data: []byte(strings.Repeat(string(p.root.certPEM()), maxBlocks+1)), want: []Code{TooLarge}},
		"block without END":      {data: good[:len(good)-40], want: []Code{CorruptBlock}, detail: "(CERTIFICATE) has no END line"},
		"END of another label":   {data: []byte(strings.Replace(string(good), "-----END CERTIFICATE", "-----END TRUSTED", 1)), want: []Code{CorruptBlock}, detail: "not closed"},
		"damaged base64":         {data: concat(p.leaf.keyPEM(t), []byte(broken)), want: []Code{CorruptBlock}, detail: "line 6 (CERTIFICATE)"},
		"damaged certificate":    {data: concat(p.leaf.keyPEM(t), block1("CERTIFICATE", p.leaf.cert.Raw[:99])), want: []Code{CorruptBlock}, detail: "certificate at line 6"},
		"empty block":            {data: []byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"), want: []Code{CorruptBlock}},
	}
}

func keyMistakes(t *testing.T, p pki) map[string]mistake {
	chain := concat(p.leaf.certPEM(), p.inter.certPEM(), p.root.certPEM())
	key := p.leaf.keyPEM(t)
	pub, err := x509.MarshalPKIXPublicKey(p.leaf.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{testDomain}}, p.leaf.key)
	if err != nil {
		t.Fatal(err)
	}
	legacy := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: make([]byte, 64),
		Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00112233445566778899AABBCCDDEEFF"}})
	pkcs8 := block1("ENCRYPTED PRIVATE KEY", make([]byte, 64))
	csrPEM := block1("CERTIFICATE REQUEST", csr)
	return map[string]mistake{
		"no key":                       {data: chain, want: []Code{NoKey}},
		"encrypted PKCS#8 key":         {data: concat(pkcs8, chain), want: []Code{EncryptedKey}},
		"legacy encrypted key":         {data: concat(legacy, chain), want: []Code{EncryptedKey}},
		"public key":                   {data: concat(block1("PUBLIC KEY", pub), chain), want: []Code{PublicKey}},
		"OpenSSH key":                  {data: concat(block1("OPENSSH PRIVATE KEY", []byte("openssh-key-v1")), chain), want: []Code{UnsupportedKey}},
		"key that nothing understands": {data: concat(block1("PRIVATE KEY", []byte("what")), chain), want: []Code{UnsupportedKey}},
		"several keys":                 {data: concat(key, p.inter.keyPEM(t), chain), want: []Code{SeveralKeys}},
		"key of another certificate":   {data: concat((&identity{key: newECKey(t)}).keyPEM(t), chain), want: []Code{KeyMismatch}, detail: testDomain},
		"no certificate":               {data: key, want: []Code{NoCertificate}},
		"request for certificate":      {data: concat(key, csrPEM), want: []Code{CSR}},
		"request for leaf":             {data: concat(key, csrPEM, p.inter.certPEM(), p.root.certPEM()), want: []Code{CSR}},
		"PKCS#7 for certificates":      {data: concat(key, block1("PKCS7", []byte("x"))), want: []Code{PKCS7}},
		"no leaf":                      {data: concat(key, p.inter.certPEM(), p.root.certPEM()), want: []Code{NoLeaf}},
		"certificate twice, no key":    {data: concat(chain, chain), want: []Code{NoKey}},
	}
}

// of makes a bundle out of a leaf and what is above it.
func of(t *testing.T, leaf *identity, above ...*identity) []byte {
	t.Helper()
	data := concat(leaf.keyPEM(t), leaf.certPEM())
	for _, i := range above {
		data = concat(data, i.certPEM())
	}
	return data
}

func leafMistakes(t *testing.T, p pki) map[string]mistake {
	leaf := func(edits ...edit) []byte {
		return of(t, newLeafCert(t, p.inter, []string{testDomain}, edits...), p.inter, p.root)
	}
	named := func(names ...string) []byte { return of(t, newLeafCert(t, p.inter, names), p.inter, p.root) }
	weakRSA, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	weakEC, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := newLeafCert(t, p.inter, []string{testDomain}).cert
	caAsLeaf := of(t, p.inter, p.root)
	selfSigned := newLeafCert(t, nil, []string{testDomain})
	seed := newLeafCert(t, nil, nil, func(c *x509.Certificate) { c.IsCA = true })
	return map[string]mistake{
		"self-signed":                    {data: of(t, selfSigned), want: []Code{SelfSigned}},
		"self-signed by the seed's line": {data: of(t, seed), want: []Code{SelfSigned, NoSAN}},
		"seed's line in a lab":           {data: of(t, seed), opts: func(o *Options) { o.AllowSelfSigned = true }, want: []Code{NoSAN}},
		"CA as leaf":                     {data: caAsLeaf, want: []Code{CAAsLeaf, NoSAN}},
		"common name only":               {data: named(), want: []Code{NoSAN}, detail: testDomain},
		"wildcard of the base for it":    {data: named("*." + testBase), opts: func(o *Options) { o.Domain = testBase }, want: []Code{NameNotCovered}, detail: "*.company.local but not the domain company.local"},
		"wildcard two labels up":         {data: named("*." + testBase), opts: func(o *Options) { o.Domain = "a." + testDomain }, want: []Code{NameNotCovered}},
		"client certificate":             {data: leaf(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), want: []Code{NoServerAuth}},
		"RSA 1024":                       {data: of(t, sign(t, tmpl, weakRSA, p.inter), p.inter, p.root), want: []Code{WeakKey}, detail: "RSA 1024"},
		"P-224":                          {data: of(t, sign(t, tmpl, weakEC, p.inter), p.inter, p.root), want: []Code{WeakKey}, detail: "P-224"},
		"several at once":                {data: of(t, newLeafCert(t, p.inter, []string{"other.example"}, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), p.inter, p.root), want: []Code{NameNotCovered, NoServerAuth}},
	}
}

func chainMistakes(t *testing.T, p pki) map[string]mistake {
	other := newPKI(t)                          // the same names, other keys
	strange := newCA(t, "Somebody's Root", nil) // another name
	noCert := newCA(t, "Test Intermediate", p.root, func(c *x509.Certificate) { c.IsCA, c.KeyUsage = false, x509.KeyUsageDigitalSignature })
	under := newLeafCert(t, noCert, []string{testDomain})
	limited := newCA(t, "Limited", p.root, func(c *x509.Certificate) {
		c.PermittedDNSDomains = []string{"example.org"}
		c.PermittedDNSDomainsCritical = true
	})
	outside := newLeafCert(t, limited, []string{testDomain})
	early := newCA(t, "Early", p.root, valid(now.AddDate(-4, 0, 0), now.AddDate(-3, 0, 0)))
	late := newLeafCert(t, early, []string{testDomain})
	told := newLeafCert(t, p.inter, []string{testDomain}, func(c *x509.Certificate) {
		c.IssuingCertificateURL = []string{"ldap:///x", "http://ca.company.local/sub.crt"}
	})
	weak := newWeakSigned(t)
	return map[string]mistake{
		"no chain":                    {data: of(t, p.leaf), want: []Code{ChainMissing}, detail: "CN=Test Intermediate"},
		"no chain, and where it is":   {data: of(t, told), want: []Code{ChainMissing}, detail: "; the CA offers it, in binary form, at http://ca.company.local/sub.crt"},
		"no intermediate":             {data: of(t, p.leaf, p.root), want: []Code{ChainMissing}, detail: "CN=Test Intermediate"},
		"private CA without its root": {data: of(t, newLeafCert(t, strange, []string{testDomain})), want: []Code{ChainMissing}},
		"intermediate of other key":   {data: of(t, p.leaf, other.inter, other.root), want: []Code{ChainBroken}, detail: "did not sign it"},
		"root of other key":           {data: of(t, p.leaf, p.inter, other.root), want: []Code{ChainBroken}, detail: "did not sign it"},
		"root of other name":          {data: of(t, p.leaf, p.inter, strange), want: []Code{ChainBroken}, detail: "Somebody's Root"},
		"intermediate is no CA":       {data: of(t, under, noCert, p.root), want: []Code{ChainBroken}, detail: "does not verify"},
		"outside name constraints":    {data: of(t, outside, limited, p.root), want: []Code{ChainBroken}, detail: "does not verify"},
		"the same without the root":   {data: of(t, outside, limited), want: []Code{ChainBroken}, detail: "does not verify"},
		"never valid together":        {data: of(t, late, early, p.root), want: []Code{ChainBroken}, detail: "never valid at the same time"},
		"SHA-1 on the leaf":           {data: weak, want: []Code{WeakSignature}, detail: "SHA1"},
	}
}

// newWeakSigned makes what crypto/x509 does not: a certificate with a SHA-1 signature that is right, and its bundle.
func newWeakSigned(t *testing.T) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := template("RSA Root")
	tmpl.IsCA, tmpl.KeyUsage = true, x509.KeyUsageCertSign
	root := sign(t, tmpl, key, nil)
	leaf := newLeafCert(t, root, []string{testDomain})
	raw := patchOID(leaf.cert.Raw, oidSHA256RSA, oidSHA1RSA)
	sum := sha1.Sum(patchOID(leaf.cert.RawTBSCertificate, oidSHA256RSA, oidSHA1RSA))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA1, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	copy(raw[len(raw)-len(signature):], signature) // a certificate ends with its signature
	weak, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return of(t, &identity{cert: weak, key: leaf.key}, root)
}

const (
	oidSHA256RSA = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"
	oidSHA1RSA   = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05"
)

func patchOID(der []byte, from, to string) []byte {
	return bytes.ReplaceAll(der, []byte(from), []byte(to))
}

func TestParseJudgesTimeApart(t *testing.T) {
	root := newCA(t, "Test Root", nil)
	inter := newCA(t, "Test Intermediate", root)
	old := newCA(t, "Old Intermediate", root, valid(now.AddDate(-2, 0, 0), now.Add(-time.Hour)))
	names := []string{testDomain}
	tests := map[string]struct {
		data []byte
		want Code
	}{
		"valid":                {of(t, newLeafCert(t, inter, names), inter, root), ""},
		"expired":              {of(t, newLeafCert(t, inter, names, valid(now.Add(-48*time.Hour), now.Add(-time.Second))), inter, root), Expired},
		"last second":          {of(t, newLeafCert(t, inter, names, valid(now.Add(-48*time.Hour), now)), inter, root), ""},
		"not yet valid":        {of(t, newLeafCert(t, inter, names, valid(now.Add(time.Second), now.Add(time.Hour))), inter, root), NotYetValid},
		"expired intermediate": {of(t, newLeafCert(t, old, names), old, root), Expired},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b, err := Parse("b.pem", test.data, now, testOptions())
			if err != nil {
				t.Fatalf("Parse = %v, want a bundle", err)
			}
			problem := b.Problem(now)
			if b.Valid(now) != (problem == nil) {
				t.Errorf("Valid = %v, Problem = %v", b.Valid(now), problem)
			}
			if test.want == "" {
				if problem != nil {
					t.Errorf("Problem = %v, want none", problem)
				}
				return
			}
			if problem == nil || problem.Code != test.want || problem.Severity != NotServing {
				t.Errorf("Problem = %v, want %s that is not serving", problem, test.want)
			}
		})
	}
}

func TestParseWarns(t *testing.T) {
	p := newPKI(t)
	selfSigned := newLeafCert(t, nil, []string{testDomain})
	deadRoot := newCA(t, "Dead Root", nil, valid(now.AddDate(-9, 0, 0), now.Add(-time.Hour)))
	underDead := newLeafCert(t, deadRoot, []string{testDomain})
	csr := block1("CERTIFICATE REQUEST", []byte("x"))
	tests := map[string]struct {
		data []byte
		opts func(*Options)
		want []Code
	}{
		"self-signed in a lab": {of(t, selfSigned), func(o *Options) { o.AllowSelfSigned = true }, []Code{SelfSigned}},
		"root left out":        {of(t, p.leaf, p.inter), nil, []Code{RootMissing}},
		"root known to system": {of(t, p.leaf, p.inter), func(o *Options) { o.Roots.AddCert(p.root.cert) }, nil},
		"issuer known to system": {of(t, newLeafCert(t, p.root, []string{testDomain})),
			func(o *Options) { o.Roots.AddCert(p.root.cert) }, nil},
		"wrong root, right one known": {of(t, p.leaf, p.inter, newCA(t, "Other", nil)), func(o *Options) { o.Roots.AddCert(p.root.cert) }, []Code{Unused}},
		"request beside leaf":         {concat(p.bundle(t), csr), nil, []Code{Unused}},
		"certificate of another host": {concat(p.bundle(t), newLeafCert(t, p.inter, []string{"a.example"}).certPEM()), nil, []Code{Unused}},
		"expired root":                {of(t, underDead, deadRoot), nil, []Code{RootExpired}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			opts := testOptions()
			if test.opts != nil {
				test.opts(&opts)
			}
			b, err := Parse("b.pem", test.data, now, opts)
			if err != nil {
				t.Fatalf("Parse = %v", err)
			}
			if diff := cmp.Diff(test.want, b.Warnings.Codes(), cmpEmpty); diff != "" {
				t.Errorf("warnings differ (-want +got):\n%s\n%v", diff, b.Warnings)
			}
		})
	}
}

func TestMessagesStayShort(t *testing.T) {
	p := newPKI(t)
	names := make([]string, 1000)
	for i := range names {
		names[i] = strings.Repeat("a", 40) + ".example"
	}
	tests := map[string][]byte{
		"many names": of(t, newLeafCert(t, p.inter, names), p.inter, p.root),
		"long label": []byte("-----BEGIN " + strings.Repeat("A", 10000) + "-----\nAAAA\n-----END "),
	}
	for name, data := range tests {
		if _, err := Parse("b.pem", data, now, testOptions()); err == nil || len(err.Error()) > 1000 {
			t.Errorf("%s: %d bytes of message, want an error of at most 1000", name, len(err.Error()))
		}
	}
}

func TestEveryCodeHasAdvice(t *testing.T) {
	codes := []Code{FileMissing, DirUnreadable, PermissionDenied, Unreadable, TooLarge, Empty, NoPEM, PFX, DER, CorruptBlock, PKCS7, PublicKey, CSR,
		EncryptedKey, NoKey, SeveralKeys, UnsupportedKey, NoCertificate, NoLeaf, KeyMismatch, CAAsLeaf, SelfSigned, ChainMissing,
		ChainBroken, NoSAN, NameNotCovered, NoServerAuth, WeakKey, WeakSignature, Expired, NotYetValid, RootMissing, RootExpired, Unused, Repaired}
	for _, c := range codes {
		if fix := c.Fix(); fix == KeyReadable.Fix() || strings.HasSuffix(fix, ".") {
			t.Errorf("advice for %s = %q", c, fix)
		}
	}
}
