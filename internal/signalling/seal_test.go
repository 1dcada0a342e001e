package signalling

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// key signs by a hash, which is enough to see what is signed. It implements Signer and Verifier.
type key string

func (k key) Sign(purpose string, data []byte) []byte {
	sum := sha256.Sum256([]byte(string(k) + "\x00" + purpose + "\x00" + string(data)))
	return sum[:]
}

func (k key) Verify(purpose string, data, sig []byte) bool {
	return bytes.Equal(k.Sign(purpose, data), sig)
}

func grant() Grant {
	return Grant{
		ID: testID, Endpoint: "pc-1@xmpp.example.com", Technician: Technician{"ann", "Ann <Admin>"}, Why: "ticket 17", Kinds: []string{"terminal", "files"}, Permissions: []string{"terminal.type", "files.read"},
		Consent: ConsentMode{ModeAskDeny, 30 * time.Second, "May we?"}, NotifyUser: true, Transport: TransportAuto, Issued: at(0), Expires: at(50), Idle: 15 * time.Minute, MaxBytes: 1 << 30,
		RelayHosts: []string{"wss://xmpp.example.com/relay/"},
	}
}

func TestGrant(t *testing.T) {
	for name, g := range map[string]Grant{
		"all of it": grant(),
		"little":    {ID: testID, Endpoint: "pc-1@x", Technician: Technician{ID: "a"}, Consent: ConsentMode{Mode: ModeNone}, Transport: TransportRelayOnly, Expires: at(1)},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := Seal(key("server"), g)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Open(key("server"), text, g.Endpoint, at(0))
			if diff := cmp.Diff(g, got); err != nil || diff != "" {
				t.Errorf("Open = %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// sealed is a grant with this payload, signed by who may.
func sealed(payload string) string {
	return grantPrefix + base64.RawURLEncoding.EncodeToString([]byte(payload)) + "." + base64.RawURLEncoding.EncodeToString(key("server").Sign(grantPurpose, []byte(payload)))
}

func TestGrantsThatAreWorthNothing(t *testing.T) {
	good, err := Seal(key("server"), grant())
	if err != nil {
		t.Fatal(err)
	}
	payload, _, err := split(good)
	if err != nil {
		t.Fatal(err)
	}
	head, tail, _ := strings.Cut(good[len(grantPrefix):], ".")
	longer := strings.Replace(string(payload), `"idle":900000000000`, `"idle":0`, 1)
	for _, tc := range []struct {
		name, text, endpoint string
		at                   time.Time
		want                 error
	}{
		{"good", good, "pc-1@xmpp.example.com", at(49), nil},
		{"over", good, "pc-1@xmpp.example.com", at(50), ErrGrantExpired},
		{"of another endpoint", good, "pc-2@xmpp.example.com", at(49), ErrGrantForeign},
		{"of an endpoint whose name begins alike", good, "pc-1@xmpp.example", at(49), ErrGrantForeign},
		{"empty", "", "pc-1@xmpp.example.com", at(49), ErrGrant},
		{"of another version", "sbg2." + head + "." + tail, "pc-1@xmpp.example.com", at(49), ErrGrant},
		{"without a signature", grantPrefix + head, "pc-1@xmpp.example.com", at(49), ErrGrant},
		{"with an empty signature", grantPrefix + head + ".", "pc-1@xmpp.example.com", at(49), ErrGrantSignature},
		{"signed by another", strings.Replace(sealed(string(payload)), tail, base64.RawURLEncoding.EncodeToString(key("x").Sign(grantPurpose, payload)), 1), "pc-1@xmpp.example.com", at(49), ErrGrantSignature},
		{"signed for something else", grantPrefix + head + "." + base64.RawURLEncoding.EncodeToString(key("server").Sign("x", payload)), "pc-1@xmpp.example.com", at(49), ErrGrantSignature},
		{"changed", grantPrefix + base64.RawURLEncoding.EncodeToString([]byte(longer)) + "." + tail, "pc-1@xmpp.example.com", at(49), ErrGrantSignature},
		{"padded", grantPrefix + head + "." + tail + "=", "pc-1@xmpp.example.com", at(49), ErrGrant},
		{"with a line end", grantPrefix + head + "\n." + tail, "pc-1@xmpp.example.com", at(49), ErrGrant},
		{"with a third part", good + ".x", "pc-1@xmpp.example.com", at(49), ErrGrant},
		{"too long", sealed(strings.Repeat(" ", MaxGrant) + string(payload)), "pc-1@xmpp.example.com", at(49), ErrGrant},
		{"no JSON", sealed("grant"), "pc-1@xmpp.example.com", at(49), ErrGrant},
		{"with more in it", sealed(strings.Replace(string(payload), `{`, `{"x":1,`, 1)), "pc-1@xmpp.example.com", at(49), ErrGrant},
		{"with something twice", sealed(strings.Replace(string(payload), `{`, `{"idle":0,`, 1)), "pc-1@xmpp.example.com", at(49), ErrGrant},
		{"with less in it", sealed(strings.Replace(string(payload), `"notify_user":true,`, ``, 1)), "pc-1@xmpp.example.com", at(49), ErrGrant},
		{"with another mode", sealed(strings.Replace(string(payload), `"ask_deny"`, `"ask"`, 1)), "pc-1@xmpp.example.com", at(49), ErrGrant},
		{"without a technician", sealed(strings.Replace(string(payload), `"technician":{"id":"ann","name":"Ann <Admin>"},`, ``, 1)), "pc-1@xmpp.example.com", at(49), ErrGrant},
		{"with a technician that is no object", sealed(strings.Replace(string(payload), `{"id":"ann","name":"Ann <Admin>"}`, `"ann"`, 1)), "pc-1@xmpp.example.com", at(49), ErrGrant},
		{"with a signature that is no base64", grantPrefix + head + ".!", "pc-1@xmpp.example.com", at(49), ErrGrant},
		{"with a payload that is no base64", grantPrefix + "!." + tail, "pc-1@xmpp.example.com", at(49), ErrGrant},
		{"with more in the technician", sealed(strings.Replace(string(payload), `"technician":{`, `"technician":{"x":1,`, 1)), "pc-1@xmpp.example.com", at(49), ErrGrant},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g, err := Open(key("server"), tc.text, tc.endpoint, tc.at)
			if !errors.Is(err, tc.want) || (err == nil) != (g.ID == testID) {
				t.Errorf("Open = %v, %v, want %v", g, err, tc.want)
			}
		})
	}
}

// TestGrantsThatCannotBe: a grant that no endpoint would open is not made.
func TestGrantsThatCannotBe(t *testing.T) {
	for name, change := range map[string]func(*Grant){
		"no session":     func(g *Grant) { g.ID = "" },
		"no endpoint":    func(g *Grant) { g.Endpoint = "" },
		"unknown mode":   func(g *Grant) { g.Consent.Mode = "ask" },
		"negative idle":  func(g *Grant) { g.Idle = -1 },
		"question":       func(g *Grant) { g.Consent.Message = strings.Repeat("x", MaxSentence+1) },
		"too many kinds": func(g *Grant) { g.Kinds = make([]string, MaxList+1) },
		"large altogether": func(g *Grant) {
			g.RelayHosts = strings.Split(strings.Repeat(strings.Repeat("x", MaxURL)+" ", 10), " ")[:10]
		},
	} {
		g := grant()
		change(&g)
		var e *Error
		if text, err := Seal(key("server"), g); text != "" || !errors.As(err, &e) {
			t.Errorf("%s: Seal = %.40s, %v, want an *Error", name, text, err)
		}
	}
}
