package certs

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// der encodes a value with a tag of its own.
func der(t testing.TB, class, tag int, compound bool, content []byte) []byte {
	t.Helper()
	b, err := asn1.Marshal(asn1.RawValue{Class: class, Tag: tag, IsCompound: compound, Bytes: content})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// xmppAddr is an otherName of this type with a text of this tag.
func xmppAddr(t testing.TB, oid asn1.ObjectIdentifier, tag int, text string) []byte {
	t.Helper()
	id, err := asn1.Marshal(oid)
	if err != nil {
		t.Fatal(err)
	}
	value := der(t, asn1.ClassContextSpecific, 0, true, der(t, asn1.ClassUniversal, tag, false, []byte(text)))
	return der(t, asn1.ClassContextSpecific, tagOtherName, true, append(id, value...))
}

func addr(t testing.TB, text string) []byte {
	return xmppAddr(t, oidXMPPAddr, asn1.TagUTF8String, text)
}

// altNames puts these names into the certificate, critical as RFC 5280 wants it where the subject is empty.
func altNames(t testing.TB, critical bool, names ...[]byte) edit {
	t.Helper()
	return rawAltNames(critical, der(t, asn1.ClassUniversal, asn1.TagSequence, true, concat(names...)))
}

func rawAltNames(critical bool, value []byte) edit {
	return func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: oidSubjectAltName, Critical: critical, Value: value})
	}
}

func newClient(t testing.TB, ca *identity, edits ...edit) *identity {
	t.Helper()
	tmpl := template("pc-9@" + testDomain) // never looked at
	tmpl.KeyUsage, tmpl.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	for _, e := range edits {
		e(tmpl)
	}
	return sign(t, tmpl, newECKey(t), ca)
}

func subject(n pkix.Name) edit { return func(c *x509.Certificate) { c.Subject = n } }

func usage(u ...x509.ExtKeyUsage) edit {
	return func(c *x509.Certificate) { c.ExtKeyUsage = u }
}

func newClientCA(t testing.TB, authorities ...*identity) *ClientCA {
	t.Helper()
	var text []byte
	for _, a := range authorities {
		text = append(text, a.certPEM()...)
	}
	ca, err := NewClientCA(filepath.Join(dir(t, map[string][]byte{"ca.pem": text}), "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// TestAttack02ClientCertificates is attack row 2: what a certificate says counts by its alternative names alone, and only if one of our authorities signed it.
func TestAttack02ClientCertificates(t *testing.T) {
	root, second, other := newCA(t, "Clients", nil), newCA(t, "More clients", nil), newCA(t, "Clients", nil)
	inter := newCA(t, "Intermediate", root)
	const me = "pc-1@" + testDomain
	good := altNames(t, false, addr(t, me))
	uri := func(text string) edit {
		return altNames(t, false, der(t, asn1.ClassContextSpecific, tagURI, false, []byte(text)))
	}
	tests := []struct {
		name  string
		chain []*identity
		want  []string
		err   string
	}{
		{"xmppAddr", []*identity{newClient(t, root, good)}, []string{me}, ""},
		{"URI", []*identity{newClient(t, root, uri("xmpp:"+me))}, []string{me}, ""},
		{"URI, upper case", []*identity{newClient(t, root, uri("XMPP:"+me))}, []string{me}, ""},
		{"URI of another kind", []*identity{newClient(t, root, uri("https://"+testDomain+"/pc-1"))}, nil, ""},
		{"URI with a resource stays what it is", []*identity{newClient(t, root, uri("xmpp:"+me+"/r"))}, []string{me + "/r"}, ""},
		{"another authority of ours", []*identity{newClient(t, second, good)}, []string{me}, ""},
		{"intermediate", []*identity{newClient(t, inter, good), inter}, []string{me}, ""},
		{"two names", []*identity{newClient(t, root, altNames(t, false, addr(t, me), addr(t, "pc-2@"+testDomain)))}, []string{me, "pc-2@" + testDomain}, ""},
		{"no subject, names critical", []*identity{newClient(t, root, subject(pkix.Name{}), altNames(t, true, addr(t, me)))}, []string{me}, ""},
		{"no names", []*identity{newClient(t, root)}, nil, ""},
		{"two common names", []*identity{newClient(t, root, subject(pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{
			{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "pc-1"}, {Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "admin"},
		}}))}, nil, ""},
		{"common name with an escaped comma", []*identity{newClient(t, root, subject(pkix.Name{CommonName: `pc-1\,CN=admin`}), good)}, []string{me}, ""},
		{"common name that looks like two", []*identity{newClient(t, root, subject(pkix.Name{CommonName: "pc-1,CN=admin"}))}, nil, ""},
		{"NUL in the name stays in it", []*identity{newClient(t, root, altNames(t, false, addr(t, me+"\x00.evil.example")))}, []string{me + "\x00.evil.example"}, ""},
		{"e-mail address and DNS name", []*identity{newClient(t, root, func(c *x509.Certificate) { c.EmailAddresses, c.DNSNames = []string{me}, []string{me} })}, nil, ""},
		{"otherName of another type", []*identity{newClient(t, root, altNames(t, false, xmppAddr(t, asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2, 3}, asn1.TagUTF8String, me)))}, nil, ""},
		{"xmppAddr as IA5String", []*identity{newClient(t, root, altNames(t, false, xmppAddr(t, oidXMPPAddr, asn1.TagIA5String, me)))}, nil, "xmppAddr"},
		{"xmppAddr not in UTF-8", []*identity{newClient(t, root, altNames(t, false, addr(t, "pc-1\xff")))}, nil, "UTF-8"},
		{"xmppAddr empty", []*identity{newClient(t, root, altNames(t, false, addr(t, "")))}, nil, "UTF-8"},
		{"other authority of the same name", []*identity{newClient(t, other, good)}, nil, "unknown authority"},
		{"other authority that comes along", []*identity{newClient(t, other, good), other}, nil, "unknown authority"},
		{"self-signed", []*identity{newClient(t, nil, good)}, nil, "unknown authority"},
		{"intermediate left out", []*identity{newClient(t, inter, good)}, nil, "unknown authority"},
		{"signed by another endpoint", []*identity{newClient(t, newClient(t, root, good), good), newClient(t, root, good)}, nil, "unknown authority"},
		{"expired", []*identity{newClient(t, root, good, valid(now.AddDate(0, -2, 0), now.AddDate(0, -1, 0)))}, nil, "expired"},
		{"not yet valid", []*identity{newClient(t, root, good, valid(now.AddDate(0, 1, 0), now.AddDate(0, 2, 0)))}, nil, "not yet valid"},
		{"no extended key usage", []*identity{newClient(t, root, good, usage())}, nil, "clientAuth"},
		{"server's key usage", []*identity{newClient(t, root, good, usage(x509.ExtKeyUsageServerAuth))}, nil, "clientAuth"},
		{"nothing", nil, nil, "no certificate"},
	}
	ca := newClientCA(t, root, second)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var chain []*x509.Certificate
			for _, i := range tt.chain {
				chain = append(chain, i.cert)
			}
			got, err := ca.Verify(chain, now)
			if (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Fatalf("Verify() = %v, want %q", err, tt.err)
			}
			if diff := cmp.Diff(tt.want, got.Addresses); diff != "" {
				t.Errorf("addresses (-want +got):\n%s", diff)
			}
			if (got.Leaf == [32]byte{}) != (err != nil) {
				t.Errorf("fingerprint %x with error %v", got.Leaf, err)
			}
		})
	}
}

// TestAuthorityForServersOnly: an intermediate that may sign servers only signs no endpoint.
func TestAuthorityForServersOnly(t *testing.T) {
	root := newCA(t, "Root", nil)
	inter := newCA(t, "Servers", root, usage(x509.ExtKeyUsageServerAuth))
	leaf := newClient(t, inter, altNames(t, false, addr(t, "pc-1@"+testDomain)))
	_, err := newClientCA(t, root).Verify([]*x509.Certificate{leaf.cert, inter.cert}, now)
	if err == nil || !strings.Contains(err.Error(), "incompatible key usage") {
		t.Errorf("Verify() = %v, want that the key usage does not fit", err)
	}
}

// Names that crypto/x509 lets through or never sees are refused here.
func TestMalformedAlternativeNames(t *testing.T) {
	good := addr(t, "pc-1@"+testDomain)
	sequence := func(content ...[]byte) []byte {
		return der(t, asn1.ClassUniversal, asn1.TagSequence, true, concat(content...))
	}
	id, _ := asn1.Marshal(oidXMPPAddr)
	text := der(t, asn1.ClassUniversal, asn1.TagUTF8String, false, []byte("a@b"))
	other := func(content ...[]byte) []byte {
		return der(t, asn1.ClassContextSpecific, tagOtherName, true, concat(content...))
	}
	value := func(content ...[]byte) []byte { return der(t, asn1.ClassContextSpecific, 0, true, concat(content...)) }
	tests := map[string][]byte{
		"no sequence":                  good,
		"bytes behind the sequence":    append(sequence(good), 0),
		"cut off":                      sequence(good)[:20],
		"a name of no kind":            sequence(text),
		"otherName without a value":    sequence(other(id)),
		"otherName without a type":     sequence(other(value(text))),
		"value without its tag":        sequence(other(id, text)),
		"two values":                   sequence(other(id, value(text), value(text))),
		"two texts":                    sequence(other(id, value(text, text))),
		"text of parts":                sequence(other(id, value(der(t, asn1.ClassUniversal, asn1.TagUTF8String, true, text)))),
		"more addresses than a few":    sequence([]byte(strings.Repeat(string(good), maxAddresses+1))),
		"a second, broken, after good": sequence(good, other(id, value())),
	}
	for name, value := range tests {
		t.Run(name, func(t *testing.T) {
			c := &x509.Certificate{Extensions: []pkix.Extension{{Id: oidSubjectAltName, Value: value}}}
			if got, err := xmppAddresses(c); err == nil || got != nil {
				t.Errorf("xmppAddresses() = %q, %v, want an error", got, err)
			}
		})
	}
	c := &x509.Certificate{Extensions: []pkix.Extension{{Id: oidSubjectAltName, Value: sequence(good)}}, URIs: []*url.URL{{Scheme: "xmpp", Opaque: "x@y"}}}
	if got, err := xmppAddresses(c); err != nil || len(got) != 1 {
		t.Errorf("xmppAddresses() of good ones = %q, %v", got, err)
	}
}

func FuzzXMPPAddresses(f *testing.F) {
	f.Add(der(f, asn1.ClassUniversal, asn1.TagSequence, true, addr(f, "pc-1@"+testDomain)))
	f.Add(der(f, asn1.ClassUniversal, asn1.TagSequence, true, der(f, asn1.ClassContextSpecific, tagURI, false, []byte("xmpp:a@b"))))
	f.Fuzz(func(t *testing.T, value []byte) {
		got, err := xmppAddresses(&x509.Certificate{Extensions: []pkix.Extension{{Id: oidSubjectAltName, Value: value}}})
		if err != nil && got != nil || len(got) > maxAddresses {
			t.Fatalf("xmppAddresses() = %q, %v", got, err)
		}
		for _, a := range got {
			if a == "" || !strings.Contains(string(value), a) {
				t.Fatalf("%q is not in %x", a, value)
			}
		}
	})
}

func TestClientCAFiles(t *testing.T) {
	ca := newCA(t, "Clients", nil)
	tests := []struct {
		name string
		text []byte // nil: no file
		want string
	}{
		{"missing", nil, "does not exist; give a PEM file"},
		{"empty", []byte{}, "no certificate in PEM"},
		{"DER", ca.cert.Raw, "no certificate in PEM"},
		{"damaged", []byte(strings.Replace(string(ca.certPEM()), "END", "ENF", 1)), "copy it again, whole"},
		{"with a key", concat(ca.certPEM(), ca.keyPEM(t)), "a private key, which has no place here"},
		{"a request", block1("CERTIFICATE REQUEST", []byte{1}), "which is no certificate"},
		{"nonsense inside", block1("CERTIFICATE", []byte{1, 2, 3}), "cannot be read"},
		{"an endpoint's", newClient(t, ca).certPEM(), "is not that of an authority"},
		{"too large", make([]byte, MaxFile+1), "larger than"},
		{"CRLF and two authorities", []byte(strings.ReplaceAll(string(concat(ca.certPEM(), newCA(t, "B", nil).certPEM())), "\n", "\r\n")), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ca.pem")
			if tt.text != nil {
				put(t, path, tt.text)
			}
			_, err := NewClientCA(path)
			if (err != nil) != (tt.want != "") || err != nil && (!strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), path+": ")) {
				t.Errorf("NewClientCA() = %v, want %q", err, tt.want)
			}
		})
	}
}

// TestClientCAIsReadAgain: a new file is in force for the next handshake, a bad one leaves the old one, and says so once.
func TestClientCAIsReadAgain(t *testing.T) {
	p := newPKI(t, aroundNow())
	d := dir(t, map[string][]byte{testBase + ".pem": p.bundle(t)})
	core, logs := observer.New(zap.InfoLevel)
	s := newStore(t, d, zap.New(core))
	before, after := newCA(t, "A", nil, aroundNow()), newCA(t, "B", nil, aroundNow())
	ca := newClientCA(t, before)
	s.Follow(ca)
	leaf := newClient(t, after, aroundNow(), altNames(t, false, addr(t, "pc-1@"+testDomain)))
	verifies := func() bool {
		_, err := ca.Verify([]*x509.Certificate{leaf.cert}, time.Now())
		return err == nil
	}
	reload := func() {
		if _, err := s.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	pool := ca.Pool()
	if reload(); ca.Pool() != pool || verifies() {
		t.Fatal("the same file changed something")
	}
	put(t, ca.path, after.certPEM())
	if reload(); !verifies() || ca.Problem() != nil {
		t.Fatalf("the new authority is not in force: %v", ca.Problem())
	}
	put(t, ca.path, []byte("nonsense"))
	reload()
	reload()
	if !verifies() || ca.Problem() == nil {
		t.Errorf("a bad file: %v, the old authority in force: %v", ca.Problem(), verifies())
	}
	if n := logs.FilterMessageSnippet("authorities of client certificates refused").Len(); n != 1 {
		t.Errorf("told %d times, want once", n)
	}
	if err := os.Remove(ca.path); err != nil {
		t.Fatal(err)
	}
	if reload(); !verifies() {
		t.Error("without the file the old authority is gone")
	}
}

func TestClientCAIsWatched(t *testing.T) {
	p := newPKI(t, aroundNow())
	s := newStore(t, dir(t, map[string][]byte{testBase + ".pem": p.bundle(t)}), zap.NewNop())
	ca := newClientCA(t, newCA(t, "A", nil))
	s.Follow(ca)
	if !s.concerns(ca.path) || len(s.dirs()) != 2 {
		t.Errorf("a notice of %s concerns us: %v; watched: %v", ca.path, s.concerns(ca.path), s.dirs())
	}
}
