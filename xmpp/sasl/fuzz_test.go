package sasl

import (
	"bytes"
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

// Nobody who does not know the secret logs in, whatever is sent, and every end is a *Failure. NONCE in the second message stands for the nonce of the login,
// which no fuzzer guesses and without which no proof is looked at.
func FuzzExchange(f *testing.F) {
	const proof = ",p=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	f.Add(2, []byte(rfcClientFirst), []byte(rfcClientFinal))
	f.Add(2, []byte("n,,n=fast-1,r=abcdefghijklmnopqrstuvwx"), []byte("c=biws,r=NONCE"+proof))
	f.Add(2, []byte("n,a=fast-1@"+testDomain+",n=nobody,r=abcdefghijklmnopqrstuvwx"), []byte("c=bixhPWZhc3QtMUB4bXBwLmV4YW1wbGUub3JnLA==,r=NONCE,x=1"+proof))
	f.Add(0, []byte("p=tls-exporter,,"+okBare), []byte("c=,r=,p="))
	f.Add(3, []byte("n,,n=old-1,r=abcdefghijklmnopqrstuvwx"), []byte("c=biws,r=NONCE,p=AAAAAAAAAAAAAAAAAAAAAAAAAAA="))
	f.Add(0, []byte("p=tls-exporter,,n=off-1,r=abcdefghijklmnopqrstuvwx"), []byte("c=cD10bHMtZXhwb3J0ZXIsLAICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC,r=NONCE"+proof))
	f.Add(4, []byte("\x00nobody\x00x"), []byte{})
	f.Add(4, []byte("fast-1@"+testDomain+"\x00fast-1\x00x"), []byte("\x00bad-1\x00x"))
	s, _ := newTestServer(f)
	names := offer(tls13())
	f.Fuzz(func(t *testing.T, which int, first, second []byte) {
		x := start(t, s, names[uint(which)%uint(len(names))], tls13())
		nonce := "NONCE"
		for _, message := range [][]byte{first, second, second} {
			answer, done, err := x.Step(t.Context(), bytes.ReplaceAll(message, []byte("NONCE"), []byte(nonce)))
			if done || x.Identity() != (endpoint.Key{}) {
				t.Fatalf("%q, %q logged in", first, second)
			}
			if failure := (*Failure)(nil); err != nil && !errors.As(err, &failure) {
				t.Fatalf("error is %T", err)
			}
			if len(answer) > 0 {
				nonce, _, _ = splitServerFirst(t, string(answer))
			}
		}
	})
}
