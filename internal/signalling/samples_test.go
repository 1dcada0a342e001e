package signalling

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"signalbox/xmpp/scan"
)

const testID = "ses_06d5wq2k40000"

func at(second int) time.Time { return time.Date(2026, 11, 30, 8, 0, second, 0, time.UTC) }

func ptr[T any](v T) *T { return &v }

// samples has one of each message with all fields, and some with none that can be left out.
func samples() []Message {
	about := About{testID}
	servers := []ICEServer{{URLs: []string{"stun:turn.example.com:3478"}}, {URLs: []string{"turn:turn.example.com:3478", "turns:turn.example.com:443"}, Username: "1796025600:trn_0:b", Credential: "s/+="}}
	return []Message{
		Attach{About: about, Token: "t0ken"},
		Attach{About: about, Reattach: "s3cret"},
		State{
			About: about, State: "reconnecting", Reason: "endpoint_lost", Detail: "the endpoint's \"connection\" <was> lost & is awaited\n", Endpoint: "pc-1", Technician: "Ann & Bob's",
			Kinds: []string{"terminal", "files"}, Permissions: []string{"terminal.type"}, Transport: TransportAuto, Consent: ConsentAsking, ConsentEnds: ptr(at(30)), Desktop: DesktopLocked,
			Expires: at(59), Returns: ptr(at(45)), Watchers: []string{"Ann", "Zoë"}, Peer: 7, Servers: servers, Reattach: "s3cret",
		},
		State{About: about, State: "requested", Endpoint: "pc-1", Transport: TransportTURNOnly, Expires: at(1)},
		Offer{About: about, Grant: "sbg1.e30.AAAA", Servers: servers},
		Offer{About: about, Grant: "sbg1.e30.AAAA"},
		ICE{About: about, Servers: servers},
		ICE{About: about},
		Consent{About: about, State: ConsentAsking, Seconds: 30, Desktop: DesktopActive},
		Consent{About: about, State: ConsentNotNeeded},
		Accept{About: about, Capabilities: []string{"terminal", "files", "processes", "system"}, Resumed: true, Peer: maxNumber},
		Accept{About: about},
		Deny{About: about, Reason: "consent_denied", Detail: "the user said no"},
		SDP{About: about, Kind: SDPOffer, SDP: "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\na=x:<&>\"'\\\t\r\n", Peer: 1},
		SDP{About: about, Kind: SDPAnswer, SDP: " v=0\n", Peer: maxNumber},
		Candidate{About: about, Candidate: "candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host", Mid: "0", Line: 0, Peer: 1},
		Candidate{About: about, Mid: "data", Line: 3, Peer: 2},
		Relay{About: about, Channel: "files", Number: 1},
		Relay{About: about, Channel: "terminal", Number: 0, URL: "wss://xmpp.example.com/relay/a?b=1&c=2"},
		Path{About: about, Rung: RungTURNTLS, RTT: 40, Up: 1, Down: maxCounter, Idle: 9, Failed: []Failed{{RungDirect, "no answer"}, {RungTURNUDP, ""}}},
		Path{About: about},
		Blocked{About: about, Channel: "files", Why: BlockedPath},
		Restarted{About: about},
		End{About: about, Reason: "technician_ended", Detail: "done"},
		End{About: about, Reason: "idle_limit"},
	}
}

// way returns a way that the message may go.
func way(m Message) Way {
	ways := waysOf(m)
	return ways & -ways
}

func parseXML(t testing.TB, raw []byte, w Way) (Message, error) {
	t.Helper()
	st, err := scan.Parse(raw, scan.Limits{Bytes: 1 << 20})
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return ParseXML(st.Element(), w)
}

// chance makes messages at random: all that may be said, and nothing else.
type chance struct{ *rand.Rand }

func (c chance) of(words ...string) string { return words[c.IntN(len(words))] }

func (c chance) word() string {
	return c.of("terminal", "files", "a", "x.y_z-0", strings.Repeat("n", MaxName))
}

func (c chance) text(low, high int) string {
	var b strings.Builder
	for n := low + c.IntN(high-low+1); b.Len() < n; {
		b.WriteString(c.of("a", "Z", " ", "\t", "\n", "\r", "<", "&", ">", "'", "\"", "\\", "é", "☃", "𝄞", "]]>", "\u2028", "/"))
	}
	return clip(b.String(), max(high, 1))
}

func (c chance) list(one func() string) (all []string) {
	for range c.IntN(MaxList + 1) {
		all = append(all, one())
	}
	return all
}

func (c chance) words() []string { return c.list(c.word) }

func (c chance) time() time.Time {
	return time.Unix(c.Int64N(1<<33), c.Int64N(1e9)).UTC()
}

func (c chance) servers() (all []ICEServer) {
	for range c.IntN(4) {
		all = append(all, ICEServer{URLs: c.list(func() string { return c.text(1, 40) }), Username: c.text(0, 40), Credential: c.text(0, 40)})
	}
	return all
}

func (c chance) message() Message {
	about := About{idPrefix + strings.Repeat(c.of(strings.Split(idAlphabet, "")...), idDigits)}
	consents := []string{ConsentNotNeeded, ConsentAsking, ConsentAllowed, ConsentDenied, ConsentTimedOut, ConsentNobody}
	desktops := []string{"", DesktopNone, DesktopLocked, DesktopActive, DesktopUnknown}
	rungs := []string{RungDirect, RungTURNUDP, RungTURNTCP, RungTURNTLS, RungRelay}
	switch c.of(Names()...) {
	case "attach":
		return Attach{About: about, Token: c.text(1, 60)}
	case "state":
		m := State{
			About: about, State: c.of("requested", "waiting_for_consent", "connecting", "active", "reconnecting", "ended"), Detail: c.text(0, 80), Endpoint: c.text(1, 20), Technician: c.text(0, 20),
			Kinds: c.words(), Permissions: c.words(), Transport: c.of(TransportAuto, TransportTURNOnly, TransportRelayOnly), Consent: c.of(append(consents, "")...), Desktop: c.of(desktops...),
			Expires: c.time(), Watchers: c.list(func() string { return c.text(0, 20) }), Servers: c.servers(), Reattach: c.text(0, 20), Reason: c.of("", c.word()), Peer: c.IntN(3),
		}
		if c.IntN(2) == 0 {
			m.ConsentEnds, m.Returns = ptr(c.time()), ptr(c.time())
		}
		return m
	case "offer":
		return Offer{About: about, Grant: c.text(1, 300), Servers: c.servers()}
	case "ice":
		return ICE{About: about, Servers: c.servers()}
	case "consent":
		return Consent{About: about, State: c.of(consents...), Seconds: c.IntN(maxSeconds), Desktop: c.of(desktops...)}
	case "accept":
		return Accept{About: about, Capabilities: c.words(), Resumed: c.IntN(2) == 0, Peer: c.IntN(3)}
	case "deny":
		return Deny{About: about, Reason: c.word(), Detail: c.text(0, MaxSentence)}
	case "sdp":
		return SDP{About: about, Kind: c.of(SDPOffer, SDPAnswer), SDP: c.text(1, 3000), Peer: 1 + c.IntN(maxNumber)}
	case "candidate":
		return Candidate{About: about, Candidate: c.text(0, MaxCandidate), Mid: c.text(0, 20), Line: c.IntN(maxLine + 1), Peer: 1 + c.IntN(maxNumber)}
	case "relay":
		return Relay{About: about, Channel: c.word(), Number: c.IntN(maxNumber), URL: c.text(0, 90)}
	case "path":
		m := Path{About: about, Rung: c.of(append(rungs, "")...), RTT: c.IntN(maxMillis), Up: c.Int64N(maxCounter), Down: c.Int64N(maxCounter), Idle: c.IntN(maxNumber)}
		for range c.IntN(6) {
			m.Failed = append(m.Failed, Failed{c.of(rungs...), c.text(0, 60)})
		}
		return m
	case "blocked":
		return Blocked{About: about, Channel: c.word(), Why: c.word()}
	case "restarted":
		return Restarted{About: about}
	}
	return End{About: about, Reason: c.word(), Detail: c.text(0, 60)}
}
