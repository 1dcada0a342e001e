package certs

import (
	"bytes"
	"testing"
)

// FuzzParse holds that nothing makes Parse panic, that Inspect and Parse agree, and that what was accepted is accepted
// again, as the same chain, when it is written out in the seed's order.
func FuzzParse(f *testing.F) {
	p := newPKI(f)
	good := p.bundle(f)
	f.Add(good)
	f.Add(bytes.ReplaceAll(good, []byte("\n"), []byte("\r\n")))
	f.Add(bytes.ReplaceAll(good, []byte("\n-----BEGIN"), []byte("-----BEGIN")))
	f.Add(toUTF16(good, false))
	f.Add(p.leaf.cert.Raw)
	f.Add([]byte{0x30, 0x82, 0xFF, 0xFF, 0x02, 0x01, 0x03, 0x30})
	f.Add([]byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----"))
	f.Add([]byte("-----BEGIN -----BEGIN X----------END X-----END "))
	f.Fuzz(func(t *testing.T, data []byte) {
		in := Inspect("f.pem", data, now, testOptions())
		b, err := Parse("f.pem", data, now, testOptions())
		if (err == nil) != (b != nil) || (err == nil && in.Accepted != b.Valid(now)) || (err != nil && in.Accepted) {
			t.Fatalf("Parse = %v, %v; Inspect = %+v", b, err, in)
		}
		if err != nil {
			if len(problemsOf(err)) == 0 {
				t.Fatalf("Parse = %v, which has no code", err)
			}
			return
		}
		key := &identity{key: p.leaf.key}
		again := key.keyPEM(t)
		for _, c := range b.sent() {
			again = concat(again, encode("CERTIFICATE", c.Raw))
		}
		if b.Root != nil {
			again = concat(again, encode("CERTIFICATE", b.Root.Raw))
		}
		b2, err := Parse("f.pem", again, now, testOptions())
		if samePublic(b.Certificate.PublicKey, p.leaf.key.Public()) && (err != nil || !b.sameAs(b2)) {
			t.Fatalf("written again: %v, %v", b2, err)
		}
	})
}
