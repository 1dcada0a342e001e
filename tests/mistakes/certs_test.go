package mistakes

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"os"
	"strings"
	"testing"
)

// bundleRow is one mistake in a bundle, and what both commands say of it.
type bundleRow struct {
	name string
	text []byte
	says string // what is wrong
	todo string // what to do
	code string
}

// TestMistakesOfBundles: `certs inspect` says what is wrong before the server sees the bundle, and the server does not start with it, with the same sentence.
func TestMistakesOfBundles(t *testing.T) {
	p := newPKI(t)
	seen := sentences{}
	for _, row := range append(append(fileRows(t, p), keyRows(t, p)...), append(leafRows(t, p), chainRows(t, p)...)...) {
		t.Run(row.name, func(t *testing.T) {
			s := newSite(t)
			s.write(t, bundle, row.text, 0o600)
			s.write(t, "signalbox.yaml", []byte(plainConfig), 0o600)
			said, status := s.run(t, "signalbox", "certs", "inspect", bundle, "--domain", domain)
			if status != statusFailed {
				t.Errorf("certs inspect: status %d, want 1:\n%s", status, said)
			}
			sentence := lineWith(t, said, "wrong: ", row.says, "("+row.code+")")
			lineWith(t, said, "to do: ", row.todo)
			said, status = s.run(t, "signalbox", "serve", "--config", "signalbox.yaml")
			if status != statusConfig {
				t.Errorf("serve: status %d, want 78:\n%s", status, said)
			}
			lineWith(t, said, bundle+": ", row.says, "; ", row.todo, "("+row.code+")")
			seen.add(t, row.name, sentence)
		})
	}
}

// plainConfig is a configuration without a mistake, on ports that the system chooses.
const plainConfig = `domain: ` + domain + `
base_domain: ` + base + `
data_dir: data
certs: {dir: certs}
listen: {tls: ["127.0.0.1:0"], xmpp: ["127.0.0.1:0"], turn: ["127.0.0.1:0"], api: ["127.0.0.1:0"]}
drain: {period: 1s}
xmpp: {shutdown_timeout: 1s}
`

func fileRows(t *testing.T, p pki) []bundleRow {
	good := p.file(t)
	const again = "cat cert.key cert.crt chain.crt root.crt"
	return []bundleRow{
		{"nothing in it", nil, "the file is empty", again, "empty"},
		{"a letter", []byte("see the wiki\n"), "", again, "no_pem"},
		// The beginning of PKCS#12: version 3 and the identifier of data.
		{"PFX", []byte{0x30, 0x0F, 0x02, 0x01, 0x03, 0x30, 0x0A, 0x06, 0x08, 1, 2, 3, 4, 5, 6, 7, 8}, "", "openssl pkcs12 -in bundle.pfx", "pfx"},
		{"a certificate in DER", p.leaf.cert.Raw, "certificate", "openssl x509 -inform der", "der"},
		{"a key in DER", p.leaf.keyDER(t), "binary", "openssl pkey -inform der", "der"},
		{"too large", make([]byte, 2<<20), "larger than", "leave only the key", "too_large"},
		{"cut off", good[:len(good)-40], "(CERTIFICATE) has no END line", "copy that block again", "corrupt_block"},
		{"damaged by a mail program", []byte(strings.Replace(string(good), "\nMI", "\n> MI", 1)), "not base64", "copy that block again", "corrupt_block"},
	}
}

func keyRows(t *testing.T, p pki) []bundleRow {
	chain := join(p.leaf.certPEM(), p.inter.certPEM(), p.root.certPEM())
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{domain}}, p.leaf.key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(p.leaf.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return []bundleRow{
		{"no key", chain, "", "add the private key", "no_key"},
		{"key with a passphrase", join(block("ENCRYPTED PRIVATE KEY", make([]byte, 64)), chain), "", "openssl pkey -in cert.key -out plain.key", "encrypted_key"},
		{"key of another certificate", join((&identity{key: newKey(t)}).keyPEM(t), chain), domain, "use the key that this certificate was requested with", "key_mismatch"},
		{"public key", join(block("PUBLIC KEY", public), chain), "", "in the place of the public one", "public_key"},
		{"key of OpenSSH", join(block("OPENSSH PRIVATE KEY", []byte("openssh-key-v1")), chain), "", "PKCS#8, PKCS#1 or SEC 1", "unsupported_key"},
		{"two keys", join(p.leaf.keyPEM(t), p.inter.keyPEM(t), chain), "2 different private keys", "leave only the key", "several_keys"},
		{"no certificate", p.leaf.keyPEM(t), "", "the one issued for the key", "no_certificate"},
		{"request in place of the certificate", join(p.leaf.keyPEM(t), block("CERTIFICATE REQUEST", csr)), "", "the certificate that the CA made from the request", "csr"},
		{"PKCS#7 in place of the chain", join(p.leaf.keyPEM(t), block("PKCS7", []byte("x"))), "", "openssl pkcs7 -print_certs", "pkcs7"},
		{"the CA's certificates alone", join(p.leaf.keyPEM(t), p.inter.certPEM(), p.root.certPEM()), "", "the one issued for the key", "no_leaf"},
	}
}

func leafRows(t *testing.T, p pki) []bundleRow {
	under := func(edits ...func(*x509.Certificate)) []byte {
		return file(t, newLeaf(t, p.inter, edits...), p.inter, p.root)
	}
	seed := issue(t, base, newKey(t), nil, func(c *x509.Certificate) { c.IsCA = true }) // as `openssl req -x509` makes it
	return []bundleRow{
		{"self-signed", file(t, newLeaf(t, nil)), "is self-signed", "use a certificate signed by a CA", "self_signed"},
		{"self-signed as openssl req -x509 makes it", file(t, seed), "has only the common name", "subject alternative name", "no_san"},
		{"the CA's own key", file(t, p.inter, p.root), "CA certificate", "have the CA issue a server certificate", "ca_as_leaf"},
		{"common name alone", under(names()), `only the common name "` + domain, "subject alternative name", "no_san"},
		{"wildcard of the label above", under(names("*.local")), "covers *.local but not the domain " + domain, "set domain to a name that it covers", "name_not_covered"},
		{"for the base alone", under(names(base)), "covers " + base + " but not the domain " + domain, "have it issued for that name too", "name_not_covered"},
		{"for clients", under(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), "is not meant for servers", "serverAuth", "no_server_auth"},
		{"short key", file(t, issue(t, domain, weakKey(t), p.inter, asServer), p.inter, p.root), "RSA 1024", "RSA of 2048 bits or more", "weak_key"},
	}
}

func chainRows(t *testing.T, p pki) []bundleRow {
	other := newPKI(t) // the same names, other keys
	strange := newCA(t, "Somebody's Root", nil)
	early := newCA(t, "Early", p.root, valid(-900, -600))
	return []bundleRow{
		{"no chain", file(t, p.leaf), `"CN=Company Intermediate", is not in the file`, "add the CA's intermediate and root", "chain_missing"},
		{"no chain, and where it is", file(t, newLeaf(t, p.inter, func(c *x509.Certificate) { c.IssuingCertificateURL = []string{"http://ca.company.local/sub.crt"} })),
			"the CA offers it, in binary form, at http://ca.company.local/sub.crt", "add the CA's intermediate and root", "chain_missing"},
		{"private CA without its root", file(t, newLeaf(t, strange)), `"CN=Somebody's Root", is not in the file`, "add the CA's intermediate and root", "chain_missing"},
		{"the chain of another key", file(t, p.leaf, other.inter, other.root), "did not sign it", "exactly the chain and root", "chain_broken"},
		{"the root of another CA", file(t, p.leaf, p.inter, strange), "Somebody's Root", "exactly the chain and root", "chain_broken"},
		{"never valid together", file(t, newLeaf(t, early), early, p.root), "never valid at the same time", "exactly the chain and root", "chain_broken"},
	}
}

// flaws are what stops nothing.
type flaw struct {
	name string
	text []byte
	mode os.FileMode
	says string
	todo string
	code string
}

// TestFlawsOfBundles: what can be served and still is worth a word gets one, and the bundle is accepted.
func TestFlawsOfBundles(t *testing.T) {
	p, seen := newPKI(t), sentences{}
	dead := newCA(t, "Dead Root", nil, valid(-900, -1))
	parts := [][]byte{p.leaf.keyPEM(t), p.leaf.certPEM(), p.inter.certPEM(), p.root.certPEM()}
	var glued []byte
	for _, part := range parts {
		glued = append(glued, bytes.TrimSpace(part)...)
	}
	for _, row := range []flaw{
		{"joined without a newline", glued, 0o600, "joined without a newline", "nothing has to be done", "repaired"},
		{"root left out", file(t, p.leaf, p.inter), 0o600, "the root \"CN=Company Root\" is not in the file", "add the root certificate", "root_missing"},
		{"root expired", file(t, newLeaf(t, dead), dead), 0o600, "expired on", "ask the CA for the chain to its present root", "root_expired"},
		{"certificate of another host", join(p.file(t), newLeaf(t, p.inter, names("a.example")).certPEM()), 0o600, "is not part of the chain", "remove it from the file", "unused"},
		{"written by tee", p.file(t), 0o644, "every user of this machine can read the private key (mode 0644)", "chmod o-r", "key_readable"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newSite(t)
			s.write(t, bundle, row.text, row.mode)
			said, status := s.run(t, "signalbox", "certs", "inspect", bundle, "--domain", domain)
			if status != 0 {
				t.Errorf("status %d, want 0:\n%s", status, said)
			}
			sentence := lineWith(t, said, "note: ", row.says, "("+row.code+")")
			lineWith(t, said, "to do: ", row.todo)
			seen.add(t, row.name, sentence)
		})
	}
}

// TestNoMistakes: what tools and people do to a bundle without harm is no mistake: no order is wrong, and no line ends.
func TestNoMistakes(t *testing.T) {
	p := newPKI(t)
	good := p.file(t)
	for name, text := range map[string][]byte{
		"seed's order":       good,
		"key last":           join(p.leaf.certPEM(), p.inter.certPEM(), p.root.certPEM(), p.leaf.keyPEM(t)),
		"root first":         join(p.root.certPEM(), p.inter.certPEM(), p.leaf.certPEM(), p.leaf.keyPEM(t)),
		"written on Windows": join([]byte("\xEF\xBB\xBF"), bytes.ReplaceAll(good, []byte("\n"), []byte("\r\n"))),
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.write(t, bundle, text, 0o600)
			said, status := s.run(t, "signalbox", "certs", "inspect", bundle, "--domain", domain)
			if status != 0 || strings.Contains(said, "wrong: ") || strings.Contains(said, "note: ") {
				t.Errorf("status %d, want 0 and nothing wrong:\n%s", status, said)
			}
		})
	}
}
