package sasl

import (
	"encoding/base64"
	"strings"
	"testing"

	"signalbox/internal/endpoint"
	"signalbox/internal/link"
)

const okBare = "n=pc-1,r=" + testClientNonce

func TestScramRefusesMalformedFirstMessages(t *testing.T) {
	tests := []struct {
		name, message string
	}{
		{"empty", ""},
		{"no header", okBare},
		{"no flag", ",," + okBare},
		{"unknown flag", "x,," + okBare},
		{"flag in upper case", "N,," + okBare},
		{"flag n with a value", "n=1,," + okBare},
		{"GSS non-standard flag F", "F,n,," + okBare},
		{"one comma in the header", "n," + okBare},
		{"header alone", "n,,"},
		{"header of one field", "n"},
		{"p without a type", "p=,," + okBare},
		{"p without an equals sign", "p,," + okBare},
		{"type with a space", "p=tls unique,," + okBare},
		{"type too long", "p=" + strings.Repeat("x", maxBindingTypeBytes+1) + ",," + okBare},
		{"p with a mechanism without -PLUS", "p=tls-server-end-point,," + okBare},
		{"authzid without a=", "n,pc-1@" + testDomain + "," + okBare},
		{"empty authzid with a=", "n,a=," + okBare},
		{"authzid with a bare equals sign", "n,a=x=y," + okBare},
		{"reserved extension m", "n,,m=1," + okBare},
		{"reserved extension m at the end", "n,," + okBare + ",m=1"},
		{"no user", "n,,r=" + testClientNonce},
		{"empty user", "n,,n=,r=" + testClientNonce},
		{"user with an unknown escape", "n,,n=pc=2D1,r=" + testClientNonce},
		{"user with a lower-case escape", "n,,n=pc=2c,r=" + testClientNonce},
		{"user that ends in an escape", "n,,n=pc=2,r=" + testClientNonce},
		{"user with an equals sign at the end", "n,,n=pc=,r=" + testClientNonce},
		{"user with NUL", "n,,n=pc\x00,r=" + testClientNonce},
		{"user not in UTF-8", "n,,n=pc\xff,r=" + testClientNonce},
		{"nonce before user", "n,,r=" + testClientNonce + ",n=pc-1"},
		{"user twice", "n,,n=pc-1,n=pc-1,r=" + testClientNonce},
		{"user again as an extension", "n,," + okBare + ",n=off-1"},
		{"no nonce", "n,,n=pc-1"},
		{"comma at the end", "n,," + okBare + ","},
		{"extension without a value", "n,," + okBare + ",x="},
		{"extension without an equals sign", "n,," + okBare + ",xy"},
		{"extension whose name is a digit", "n,," + okBare + ",1=x"},
		{"extension of one letter", "n,," + okBare + ",x"},
		{"proof in the first message", "n,," + okBare + ",p=AAAA"},
		{"longer than the limit", "n,," + okBare + ",x=" + strings.Repeat("x", MaxMessageBytes)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, accounts := newTestServer(t)
			x := start(t, s, ScramSHA256, tls13())
			_, done, err := x.Step(t.Context(), []byte(tt.message))
			if got := condition(t, err); got != MalformedRequest || done {
				t.Errorf("Step() = %v, %q, want %q", done, got, MalformedRequest)
			}
			if n := accounts.asked.Load(); n != 0 {
				t.Errorf("the store was asked %d times", n)
			}
		})
	}
}

func TestAttack16ShortOrUnprintableNonce(t *testing.T) {
	tests := []struct {
		name, nonce string
		want        Condition
	}{
		{"empty", "", MalformedRequest},
		{"7 bytes", strings.Repeat("x", 7), MalformedRequest},
		{"8 bytes", strings.Repeat("x", 8), ""},
		{"1024 bytes", strings.Repeat("x", 1024), ""},
		{"1025 bytes", strings.Repeat("x", 1025), MalformedRequest},
		{"repeated", testClientNonce + ",r=" + testClientNonce, MalformedRequest},
		{"space", testClientNonce + " ", MalformedRequest},
		{"line break", testClientNonce + "\n", MalformedRequest},
		{"delete", testClientNonce + "\x7f", MalformedRequest},
		{"not ASCII", testClientNonce + "é", MalformedRequest},
		{"every byte that is allowed", "!\"#$%&'()*+-./:;<=>?@[\\]^_`{|}~", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := newTestServer(t)
			_, _, err := start(t, s, ScramSHA256, tls13()).Step(t.Context(), []byte("n,,n=pc-1,r="+tt.nonce))
			if got := condition(t, err); got != tt.want {
				t.Errorf("Step() = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestScramRefusesFinalMessages(t *testing.T) {
	replace := func(old, new string) func(string) string {
		return func(final string) string { return strings.Replace(final, old, new, 1) }
	}
	proof := func(change func(string) string) func(string) string {
		return func(final string) string {
			before, p, _ := strings.Cut(final, ",p=")
			return before + ",p=" + change(p)
		}
	}
	tests := []struct {
		name   string
		mangle func(string) string
		want   Condition
	}{
		{"empty", func(string) string { return "" }, MalformedRequest},
		{"first message again", func(string) string { return "n,," + okBare }, MalformedRequest},
		{"no proof", func(f string) string { return f[:strings.Index(f, ",p=")] }, MalformedRequest},
		{"proof alone", func(f string) string { return f[strings.Index(f, ",p=")+1:] }, MalformedRequest},
		{"proof and something after it", func(f string) string { return f + ",x=1" }, MalformedRequest},
		{"comma at the end", func(f string) string { return f + "," }, MalformedRequest},
		{"line break at the end", func(f string) string { return f + "\n" }, MalformedRequest},
		{"empty proof", proof(func(string) string { return "" }), MalformedRequest},
		{"short proof", proof(func(string) string { return base64.StdEncoding.EncodeToString(make([]byte, 31)) }), MalformedRequest},
		{"long proof", proof(func(string) string { return base64.StdEncoding.EncodeToString(make([]byte, 33)) }), MalformedRequest},
		{"proof without padding", proof(func(p string) string { return p[:len(p)-1] }), MalformedRequest},
		{"proof with a line break for its padding", proof(func(p string) string { return p[:10] + "\n" + p[11:] }), MalformedRequest},
		{"proof in the URL alphabet", proof(func(string) string { return strings.Repeat("_", 43) + "=" }), MalformedRequest},
		{"proof whose unused bits are set", proof(func(string) string { return strings.Repeat("A", 42) + "B=" }), MalformedRequest},
		{"proof of another secret", proof(func(string) string { return base64.StdEncoding.EncodeToString(make([]byte, 32)) }), NotAuthorized},
		{"nonce first", func(f string) string { return f[strings.Index(f, "r="):] }, MalformedRequest},
		{"no binding data", replace("c=biws,", ""), MalformedRequest},
		{"empty binding data", replace("c=biws", "c="), NotAuthorized},
		{"header of flag y", replace("c=biws", "c=eSws"), NotAuthorized},
		{"header with another encoding of the same bytes", replace("c=biws", "c=biws===="), NotAuthorized},
		{"no nonce", func(f string) string { return "c=biws" + f[strings.Index(f, ",p="):] }, MalformedRequest},
		{"client's nonce alone", func(f string) string { return "c=biws,r=" + testClientNonce + f[strings.Index(f, ",p="):] }, NotAuthorized},
		{"longer nonce", replace(",p=", "x,p="), NotAuthorized},
		{"reserved extension m", replace(",p=", ",m=1,p="), MalformedRequest},
		{"nonce again", replace(",p=", ",r=x,p="), MalformedRequest},
		{"extension without a value", replace(",p=", ",x=,p="), MalformedRequest},
		{"empty extension", replace(",p=", ",,p="), MalformedRequest},
		{"NUL", replace(",p=", ",x=\x00,p="), MalformedRequest},
		{"not UTF-8", replace(",p=", ",x=\xff,p="), MalformedRequest},
		{"longer than the limit", replace(",p=", ",x="+strings.Repeat("x", MaxMessageBytes)+",p="), MalformedRequest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := newTestServer(t)
			x, c := start(t, s, ScramSHA256, tls13()), newClient("pc-1")
			c.mangle = tt.mangle
			success, err := c.run(t, x)
			if got := condition(t, err); got != tt.want || success != nil {
				t.Errorf("second Step = %q, %q, want %q", success, got, tt.want)
			}
			if (x.Identity() != endpoint.Key{}) {
				t.Errorf("Identity() = %v after a failure", x.Identity())
			}
		})
	}
}

func TestAttack14ChannelBindingIsNotStripped(t *testing.T) {
	noBinding := link.TLS{Version: tls12().Version}
	tests := []struct {
		name      string
		mechanism string
		conn      link.TLS
		header    string
		bound     []byte
		want      Condition
	}{
		{"y although -PLUS was offered, TLS 1.2", ScramSHA256, tls12(), "y,,", nil, NotAuthorized},
		{"y although -PLUS was offered, TLS 1.3", ScramSHA256, tls13(), "y,,", nil, NotAuthorized},
		{"y by -PLUS", ScramSHA256Plus, tls13(), "y,,", nil, MalformedRequest},
		{"n by -PLUS", ScramSHA256Plus, tls13(), "n,,", nil, MalformedRequest},
		{"p by the plain name", ScramSHA256, tls13(), "p=tls-exporter,,", tls13().Exporter, MalformedRequest},
		{"tls-exporter on TLS 1.2", ScramSHA256Plus, tls12(), "p=tls-exporter,,", tls13().Exporter, NotAuthorized},
		{"tls-unique", ScramSHA256Plus, tls12(), "p=tls-unique,,", []byte("unique"), NotAuthorized},
		{"type in upper case", ScramSHA256Plus, tls13(), "p=TLS-EXPORTER,,", tls13().Exporter, NotAuthorized},
		{"data of the other type", ScramSHA256Plus, tls13(), "p=tls-exporter,,", tls13().EndPoint, NotAuthorized},
		{"data of another connection", ScramSHA256Plus, tls13(), "p=tls-exporter,,", make([]byte, 32), NotAuthorized},
		{"no data", ScramSHA256Plus, tls13(), "p=tls-exporter,,", nil, NotAuthorized},
		{"half of the data", ScramSHA256Plus, tls13(), "p=tls-exporter,,", tls13().Exporter[:16], NotAuthorized},
		{"data without a flag", ScramSHA256, tls13(), "n,,", tls13().Exporter, NotAuthorized},
		{"y where nothing can be bound", ScramSHA256, noBinding, "y,,", nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := newTestServer(t)
			c := newClient("pc-1")
			c.header, c.bound = tt.header, tt.bound
			_, err := c.run(t, start(t, s, tt.mechanism, tt.conn))
			if got := condition(t, err); got != tt.want {
				t.Errorf("login = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestScramReplayOfAnotherLoginFails(t *testing.T) {
	s, _ := newTestServer(t)
	var recorded string
	c := newClient("pc-1")
	c.mangle = func(final string) string { recorded = final; return final }
	if _, err := c.run(t, start(t, s, ScramSHA256, tls13())); err != nil {
		t.Fatal(err)
	}
	c.mangle = func(string) string { return recorded }
	_, err := c.run(t, start(t, s, ScramSHA256, tls13()))
	if got := condition(t, err); got != NotAuthorized {
		t.Errorf("replayed login = %q, want %q", got, NotAuthorized)
	}
}

func TestScramNonceMustComeBackWhole(t *testing.T) {
	for name, echo := range map[string]func(string) string{
		"client's part alone": func(string) string { return testClientNonce },
		"one byte less":       func(n string) string { return n[:len(n)-1] },
		"one byte more":       func(n string) string { return n + "x" },
		"nothing":             func(string) string { return "" },
	} {
		s, _ := newTestServer(t)
		c := newClient("pc-1")
		c.echo = echo // the proof covers it, so that only the comparison refuses it
		_, err := c.run(t, start(t, s, ScramSHA256, tls13()))
		if got := condition(t, err); got != NotAuthorized {
			t.Errorf("%s: login = %q, want %q", name, got, NotAuthorized)
		}
	}
}

func TestScramEscapesInUserNamesAreUndone(t *testing.T) {
	for text, want := range map[string]string{"a=2Cb=3Dc": "a,b=c", "=3D=3D": "==", "=2C": ",", "plain": "plain", "=3D2C": "=2C"} {
		if got, err := saslName(text); got != want || err != nil {
			t.Errorf("saslName(%q) = %q, %v, want %q", text, got, err, want)
		}
	}
}
