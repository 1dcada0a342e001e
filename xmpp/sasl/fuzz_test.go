package sasl

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"signalbox/internal/endpoint"
)

func FuzzClientFirst(f *testing.F) {
	for _, s := range []string{rfcClientFirst, "y,a=a=2Cb," + okBare, "p=tls-exporter,," + okBare + ",x=1", "n,,m=1," + okBare, "n,,n=,r=", ",,,,"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, message string) {
		m, err := parseClientFirst(message)
		if err != nil {
			return
		}
		escape := strings.NewReplacer("=", "=3D", ",", "=2C").Replace
		header := string(m.flag)
		if m.flag == 'p' {
			header += "=" + m.bindingType
		}
		header += ","
		if m.authzid != "" {
			header += "a=" + escape(m.authzid)
		}
		header += ","
		start := "n=" + escape(m.user) + ",r=" + m.nonce
		if m.header != header || !strings.HasPrefix(m.bare, start) || m.header+m.bare != message {
			t.Fatalf("%q was read as %+v", message, m)
		}
		if rest := m.bare[len(start):]; rest != "" && rest[0] != ',' || m.user == "" || !utf8.ValidString(m.user) || checkNonce(m.nonce) != nil {
			t.Fatalf("%q was read as %+v", message, m)
		}
	})
}

func FuzzClientFinal(f *testing.F) {
	f.Add(rfcClientFinal)
	f.Add("c=biws,r=x,x=1,p=")
	f.Add(",p=AAAA")
	f.Fuzz(func(t *testing.T, message string) {
		m, err := parseClientFinal(message, 32)
		if err != nil {
			return
		}
		if m.withoutProof+",p="+base64.StdEncoding.EncodeToString(m.proof) != message || !strings.HasPrefix(m.withoutProof, "c="+m.binding+",r="+m.nonce) {
			t.Fatalf("%q was read as %+v", message, m)
		}
	})
}

func FuzzPlain(f *testing.F) {
	f.Add("a@b\x00pc-1\x00secret")
	f.Add("\x00\x00")
	f.Fuzz(func(t *testing.T, message string) {
		m, err := parsePlain(message)
		if err != nil {
			return
		}
		if m.authzid+"\x00"+m.user+"\x00"+m.password != message || m.user == "" || m.password == "" || strings.Count(message, "\x00") != 2 {
			t.Fatalf("%q was read as %+v", message, m)
		}
	})
}

func FuzzDecodeBase64(f *testing.F) {
	f.Add([]byte("="))
	f.Add([]byte("YWI="))
	f.Add([]byte("YR=\n="))
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := DecodeBase64(text)
		if err != nil || string(text) == "=" {
			return
		}
		if again := base64.StdEncoding.EncodeToString(b); again != string(text) {
			t.Fatalf("%q decodes to %x, which is %q", text, b, again)
		}
	})
}

// Nobody who does not know the secret logs in, whatever is sent, and every end is a *Failure.
func FuzzExchange(f *testing.F) {
	f.Add(1, []byte(rfcClientFirst), []byte(rfcClientFinal))
	f.Add(0, []byte("p=tls-exporter,,"+okBare), []byte("c=,r=,p="))
	f.Add(2, []byte("\x00nobody\x00x"), []byte{})
	s, err := New(&fakeAccounts{byID: map[string]stored{"pc-1": {enabled: true, secret: endpoint.Secret{Fast: make([]byte, 32)}}}}, testFakeKey, 1)
	if err != nil {
		f.Fatal(err)
	}
	names := Offer(tls13())
	f.Fuzz(func(t *testing.T, which int, first, second []byte) {
		x := start(t, s, names[uint(which)%uint(len(names))], tls13())
		for _, message := range [][]byte{first, second, second} {
			_, done, err := x.Step(t.Context(), message)
			if done || x.Identity() != (endpoint.Key{}) {
				t.Fatalf("%q, %q logged in", first, second)
			}
			if failure := (*Failure)(nil); err != nil && !errors.As(err, &failure) {
				t.Fatalf("error is %T", err)
			}
		}
	})
}
