package sasl

import (
	"crypto/sha1"
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"signalbox/internal/link"
)

// The example of XEP-0474 section 5.3.
func TestHashOfTheOffer(t *testing.T) {
	text := appendSorted(nil, []string{"SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"})
	text = appendSorted(append(text, betweenLists), []string{"tls-server-end-point", "tls-exporter"})
	if want := "SCRAM-SHA-1\x1eSCRAM-SHA-1-PLUS\x1ftls-exporter\x1etls-server-end-point"; string(text) != want {
		t.Fatalf("text = %q, want %q", text, want)
	}
	if got := base64.StdEncoding.EncodeToString(scramSHA1().sum(text)); got != "G6k/rBLDqgOhRRaCuuatSDFkJ08=" {
		t.Errorf("hash = %s", got)
	}
}

func TestOffered(t *testing.T) {
	tests := []struct {
		name string
		conn link.TLS
		want string
	}{
		{"both lists", tls13(), "PLAIN\x1eSCRAM-SHA-1\x1eSCRAM-SHA-1-PLUS\x1eSCRAM-SHA-256\x1eSCRAM-SHA-256-PLUS\x1ftls-exporter\x1etls-server-end-point"},
		{"one type", tls12(), "PLAIN\x1eSCRAM-SHA-1\x1eSCRAM-SHA-1-PLUS\x1eSCRAM-SHA-256\x1eSCRAM-SHA-256-PLUS\x1ftls-server-end-point"},
		{"no types announced", link.TLS{Version: tls12().Version}, "PLAIN\x1eSCRAM-SHA-1\x1eSCRAM-SHA-256"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(offered(Input{Domain: testDomain, TLS: tt.conn})); got != tt.want {
				t.Errorf("offered() = %q, want %q", got, tt.want)
			}
		})
	}
}

// hashSeen is what a client makes of the lists that it received.
func hashSeen(c *scramClient, mechanisms, types []string) string {
	mechanisms, types = slices.Clone(mechanisms), slices.Clone(types)
	slices.Sort(mechanisms)
	slices.Sort(types)
	text := strings.Join(mechanisms, "\x1e")
	if len(types) > 0 {
		text += "\x1f" + strings.Join(types, "\x1e")
	}
	h := c.hash()
	h.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// Attack row 14: somebody between the two, who has our certificate's key, strikes out what he cannot break. The client sees another hash than ours, and a hash that
// he puts in the place of ours is one that the server did not sign.
func TestAttack14EditedListsAreSeen(t *testing.T) {
	without := func(list []string, gone ...string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(gone, s) })
	}
	all, types := offer(tls13()), BindingTypes(tls13())
	tests := []struct {
		name              string
		mechanisms, types []string
		want              bool // the client sees nothing amiss
	}{
		{"as they were sent", all, types, true},
		{"no SHA-256", without(all, ScramSHA256, ScramSHA256Plus), types, false},
		{"no -PLUS", without(all, ScramSHA256Plus, ScramSHA1Plus), nil, false},
		{"no exporter", all, without(types, BindExporter), false},
		{"another type", all, []string{"tls-fictional"}, false},
		{"one added", append(slices.Clone(all), "DIGEST-MD5"), types, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := newTestServer(t)
			c := newClient("pc-1")
			c.hash = sha1.New
			x := start(t, s, ScramSHA1, tls13())
			challenge, _, err := x.Step(t.Context(), []byte(c.header+c.bare))
			if err != nil {
				t.Fatal(err)
			}
			sent := string(challenge)
			seen := hashSeen(c, tt.mechanisms, tt.types)
			if got := strings.HasSuffix(sent, ",h="+seen); got != tt.want {
				t.Fatalf("challenge %q, the client's hash is %s: agree = %v, want %v", sent, seen, got, tt.want)
			}
			if tt.want {
				return
			}
			forged := sent[:strings.LastIndex(sent, ",h=")] + ",h=" + seen
			if _, _, err := x.Step(t.Context(), []byte(c.final(t, forged))); condition(t, err) != NotAuthorized {
				t.Errorf("login with a forged hash = %v, want %q", err, NotAuthorized)
			}
		})
	}
}
