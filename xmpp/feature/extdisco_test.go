package feature

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"mellium.im/xmpp/stanza"

	"signalbox/internal/endpoint"
	"signalbox/xmpp/scan"
)

// someone is a client that only has a name.
type someone struct {
	Client
	key endpoint.Key
}

func (s someone) Key() endpoint.Key { return s.key }

func TestParseServices(t *testing.T) {
	three := func(host string, port int) []Service {
		return []Service{{"stun", host, port, "udp"}, {"turn", host, port, "udp"}, {"turn", host, port, "tcp"}}
	}
	for _, tc := range []struct {
		in   string
		want []Service // nil: refused
	}{
		{"10.0.5.3", three("10.0.5.3", 3478)},
		{"TURN.example.com:3479", three("turn.example.com", 3479)},
		{"2001:db8::1", three("2001:db8::1", 3478)},
		{"[2001:db8::1]:99", three("2001:db8::1", 99)},
		{"stun:s.example", []Service{{"stun", "s.example", 3478, "udp"}}},
		{"turn:t.example:1?transport=tcp", []Service{{"turn", "t.example", 1, "tcp"}}},
		{"turns:[2001:db8::1]", []Service{{"turns", "2001:db8::1", 5349, "tcp"}}},
		{"turns:t.example:443?transport=udp", []Service{{"turns", "t.example", 443, "udp"}}},
		{"", nil},
		{"turn:", nil},
		{"http://t.example", nil},
		{"t.example:0", nil},
		{"t.example:65536", nil},
		{"t.example:x", nil},
		{"a b", nil},
		{"a@t.example", nil},
		{"turn:t.example?transport=sctp", nil},
		{"stun:s.example?transport=udp", nil},
		{"t.example?transport=udp", nil},
	} {
		t.Run(tc.in, func(t *testing.T) {
			got, err := ParseServices(tc.in)
			if (err != nil) != (tc.want == nil) {
				t.Fatalf("ParseServices(%q) = %v, %v", tc.in, got, err)
			}
			if diff := cmp.Diff(tc.want, got); err == nil && diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestExternalServices(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 59, 0, 0, time.UTC)
	services := []Service{{"stun", "s.example", 3478, "udp"}, {"turn", "t.example", 3478, "udp"}, {"turn", "t.example", 3479, "tcp"}}
	set := NewSet(nil, ExternalServices(services, []byte("north"), "x.example", nil, func() time.Time { return now }))
	ask := func(payload string) Answer {
		t.Helper()
		st, err := scan.Parse([]byte(payload), scan.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		return set.Answer(t.Context(), &Query{Payload: st.Element(), To: Server, From: someone{key: endpoint.Key{Domain: "x.example", ID: "pc-1"}}})
	}
	mac := hmac.New(sha1.New, []byte("north"))
	mac.Write([]byte("1767369600:pc-1"))
	const stun = "<service type='stun' host='s.example' port='3478' transport='udp'/>"
	turn := func(port, transport string) string {
		return "<service type='turn' host='t.example' port='" + port + "' transport='" + transport + "' restricted='true' expires='2026-01-02T16:00:00Z' username='1767369600:pc-1' password='" +
			base64.StdEncoding.EncodeToString(mac.Sum(nil)) + "'/>"
	}
	const head = " xmlns='urn:xmpp:extdisco:2'"
	for _, tc := range []struct {
		name, in, want string
		condition      stanza.Condition
	}{
		{"all", "<services" + head + "/>", "<services" + head + ">" + stun + turn("3478", "udp") + turn("3479", "tcp") + "</services>", ""},
		{"one type", "<services" + head + " type='stun'/>", "<services" + head + " type='stun'>" + stun + "</services>", ""},
		{"unknown type", "<services" + head + " type='&lt;ftp'/>", "<services" + head + " type='&lt;ftp'></services>", ""},
		{"credentials", "<credentials" + head + "><service host='t.example' type='turn'/></credentials>", "<credentials" + head + ">" + turn("3478", "udp") + turn("3479", "tcp") + "</credentials>", ""},
		{"credentials of a port", "<credentials" + head + "><service host='t.example' type='turn' port='3479'/></credentials>", "<credentials" + head + ">" + turn("3479", "tcp") + "</credentials>", ""},
		{"credentials where none are needed", "<credentials" + head + "><service host='s.example' type='stun'/></credentials>", "<credentials" + head + ">" + stun + "</credentials>", ""},
		{"credentials of an unknown host", "<credentials" + head + "><service host='test' type='turn'/></credentials>", "", stanza.ItemNotFound},
		{"credentials of an unknown port", "<credentials" + head + "><service host='t.example' type='turn' port='1'/></credentials>", "", stanza.ItemNotFound},
		{"credentials of nothing", "<credentials" + head + "/>", "", stanza.BadRequest},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := ask(tc.in)
			if a.Condition != tc.condition || string(a.Payload) != tc.want {
				t.Errorf("%s\n got %s %s\nwant %s %s", tc.in, a.Condition, a.Payload, tc.condition, tc.want)
			}
		})
	}
	before := string(ask("<services" + head + "/>").Payload)
	now = now.Add(59 * time.Second)
	if got := string(ask("<services" + head + "/>").Payload); got != before {
		t.Errorf("within the hour the credentials changed:\n%s\n%s", before, got)
	}
	now = now.Add(time.Second)
	if got := string(ask("<services" + head + "/>").Payload); got == before {
		t.Errorf("in the next hour the credentials are the same: %s", got)
	}
}

// TestNoExternalServices: what is not there is not announced.
func TestNoExternalServices(t *testing.T) {
	for name, f := range map[string]Feature{
		"no servers":               ExternalServices(nil, []byte("north"), "x.example", nil, time.Now),
		"TURN without its secret":  ExternalServices([]Service{{"turn", "t.example", 3478, "udp"}}, nil, "x.example", nil, time.Now),
		"TURNS without its secret": ExternalServices([]Service{{"turns", "t.example", 5349, "tcp"}}, nil, "x.example", nil, time.Now),
	} {
		if len(f.Vars) != 0 || len(f.Requests) != 0 {
			t.Errorf("%s: %v", name, f.Vars)
		}
	}
	f := ExternalServices([]Service{{"stun", "t.example", 3478, "udp"}, {"turn", "t.example", 3478, "udp"}}, nil, "x.example", nil, time.Now)
	if strings.Join(f.Vars, " ") != nsExtdisco {
		t.Errorf("STUN without a secret: %v", f.Vars)
	}
}

// partyRelay is a TURN server in one of whose sessions pc-1 is a party.
type partyRelay struct{}

func (partyRelay) Services() []Service {
	return []Service{{"stun", "own.example", 3478, "udp"}, {"turn", "own.example", 3478, "udp"}, {"turns", "own.example", 443, "tcp"}}
}

func (partyRelay) Login(k endpoint.Key) (Login, bool) {
	if k != (endpoint.Key{Domain: "x.example", ID: "pc-1"}) {
		return Login{}, false
	}
	return Login{Username: "1767369600:trn_1:a", Password: "p", Expires: time.Unix(1767369600, 0)}, true
}

// TestOwnTURN: everybody is told of our own server, and a party of a running session alone gets credentials.
func TestOwnTURN(t *testing.T) {
	set := NewSet(nil, ExternalServices([]Service{{"stun", "s.example", 3478, "udp"}}, nil, "x.example", partyRelay{}, time.Now))
	const (
		ns     = " xmlns='urn:xmpp:extdisco:2'"
		stun   = "<service type='stun' host='own.example' port='3478' transport='udp'/>"
		turn   = "<service type='turn' host='own.example' port='3478' transport='udp' restricted='true'"
		turns  = "<service type='turns' host='own.example' port='443' transport='tcp' restricted='true'"
		beside = "<service type='stun' host='s.example' port='3478' transport='udp'/>"
		login  = " expires='2026-01-02T16:00:00Z' username='1767369600:trn_1:a' password='p'"
	)
	for _, tc := range []struct {
		name, from, in, want string
		condition            stanza.Condition
	}{
		{"all, for a party", "pc-1", "<services" + ns + "/>", "<services" + ns + ">" + stun + turn + login + "/>" + turns + login + "/>" + beside + "</services>", ""},
		{"all, for others", "pc-2", "<services" + ns + "/>", "<services" + ns + ">" + stun + turn + "/>" + turns + "/>" + beside + "</services>", ""},
		{"credentials of a party", "pc-1", "<credentials" + ns + "><service host='own.example' type='turns'/></credentials>", "<credentials" + ns + ">" + turns + login + "/></credentials>", ""},
		{"credentials of others", "pc-2", "<credentials" + ns + "><service host='own.example' type='turns'/></credentials>", "", stanza.Forbidden},
		{"credentials where none are needed", "pc-2", "<credentials" + ns + "><service host='own.example' type='stun'/></credentials>", "<credentials" + ns + ">" + stun + "</credentials>", ""},
		{"credentials of an unknown port", "pc-1", "<credentials" + ns + "><service host='own.example' type='turn' port='1'/></credentials>", "", stanza.ItemNotFound},
	} {
		t.Run(tc.name, func(t *testing.T) {
			st, err := scan.Parse([]byte(tc.in), scan.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			a := set.Answer(t.Context(), &Query{Payload: st.Element(), To: Server, From: someone{key: endpoint.Key{Domain: "x.example", ID: tc.from}}})
			if a.Condition != tc.condition || string(a.Payload) != tc.want {
				t.Errorf("%s\n got %s %s\nwant %s %s", tc.in, a.Condition, a.Payload, tc.condition, tc.want)
			}
		})
	}
}
