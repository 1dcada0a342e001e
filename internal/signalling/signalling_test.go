package signalling

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// bothSpellings writes a message in both spellings, and has both read as the same again.
func bothSpellings(t testing.TB, m Message) (inJSON, inXML []byte) {
	t.Helper()
	inJSON, err := AppendJSON(nil, m)
	if err != nil {
		t.Fatalf("AppendJSON(%#v): %v", m, err)
	}
	inXML, err = AppendXML(nil, m)
	if err != nil {
		t.Fatalf("AppendXML(%#v): %v", m, err)
	}
	fromJSON, err := ParseJSON(inJSON, way(m))
	if diff := cmp.Diff(m, fromJSON); err != nil || diff != "" {
		t.Fatalf("%s: %v (-want +got):\n%s", inJSON, err, diff)
	}
	fromXML, err := parseXML(t, inXML, way(m))
	if diff := cmp.Diff(m, fromXML); err != nil || diff != "" {
		t.Fatalf("%s: %v (-want +got):\n%s", inXML, err, diff)
	}
	return inJSON, inXML
}

// TestSpellings: every message comes back as it was, from both spellings, and each kind is among the samples.
func TestSpellings(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range samples() {
		bothSpellings(t, m)
		seen[m.Name()] = true
	}
	if len(seen) != len(rows) {
		t.Errorf("samples of %v, want all of %v", seen, Names())
	}
}

func TestSpellingsOfAnything(t *testing.T) {
	c := chance{rand.New(rand.NewPCG(1, 2))}
	for range 3000 {
		bothSpellings(t, c.message())
	}
}

// TestTags: the members are called by the tags of the fields, and have the values that encoding/json gives them, so that nobody is surprised who reads message.go alone.
func TestTags(t *testing.T) {
	read := func(data []byte) (members map[string]any) {
		if err := json.Unmarshal(data, &members); err != nil {
			t.Fatal(err)
		}
		return members
	}
	for _, m := range samples() {
		ours, err := AppendJSON(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		want := read(theirs)
		want["type"] = m.Name()
		for name, v := range want { // a list that is nil
			if v == nil {
				want[name] = []any{}
			}
		}
		if diff := cmp.Diff(want, read(ours), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-tags +ours):\n%s", m.Name(), diff)
		}
	}
}

// swap is a mistake: what stands in a good message, and what stands there instead.
type swap struct {
	name, message, old, new string
	code                    Code
	member                  string
}

func (s swap) check(t *testing.T, inXML bool) {
	t.Helper()
	var good []byte
	var from Message
	for _, m := range samples() {
		if from == nil && m.Name() == s.message {
			from = m
		}
	}
	write, read := AppendJSON, ParseJSON
	if inXML {
		write, read = AppendXML, func(data []byte, w Way) (Message, error) { return parseXML(t, data, w) }
	}
	good, err := write(nil, from)
	if err != nil || !strings.Contains(string(good), s.old) {
		t.Fatalf("%s: %v, want %s in it", good, err, s.old)
	}
	bad := strings.Replace(string(good), s.old, s.new, 1)
	got, err := read([]byte(bad), way(from))
	var e *Error
	if !errors.As(err, &e) || e.Code != s.code || e.Member != s.member || got != nil {
		t.Errorf("%s: %v, %v, want %s of %q", bad, got, err, s.code, s.member)
	}
}

func TestJSONIsReadStrictly(t *testing.T) {
	for _, s := range []swap{
		{"nothing", "end", `{"type":"end","id":"ses_06d5wq2k40000","reason":"technician_ended","detail":"done"}`, "", Malformed, ""},
		{"list", "end", `{"type":"end","id":"ses_06d5wq2k40000","reason":"technician_ended","detail":"done"}`, "[]", Malformed, ""},
		{"bytes behind it", "end", `"done"}`, `"done"} {}`, Malformed, ""},
		{"comma behind it", "end", `"done"}`, `"done"},`, Malformed, ""},
		{"half of it", "end", `"done"}`, `"do`, Malformed, ""},
		{"no UTF-8", "end", `done`, "\xff", Malformed, ""},
		{"control character", "end", `done`, "\x00", Malformed, ""},
		{"character that XML has not", "end", `done`, `\u0000`, WrongValue, "detail"},
		{"nested too deep", "end", `"done"`, strings.Repeat("[", 50) + strings.Repeat("]", 50), Malformed, ""},
		{"too large", "end", `{`, `{` + strings.Repeat(" ", MaxMessage), TooLarge, ""},
		{"no type", "end", `"type":"end",`, "", MissingMember, "type"},
		{"type is null", "end", `"end"`, "null", WrongType, "type"},
		{"unknown type", "end", `"end"`, `"stop"`, UnknownType, ""},
		{"name in another case", "end", `"id"`, `"ID"`, MissingMember, "id"},
		{"no id", "end", `"id":"ses_06d5wq2k40000",`, "", MissingMember, "id"},
		{"id of something else", "end", "ses_", "psh_", WrongValue, "id"},
		{"id in capitals", "end", "ses_06d5", "ses_06D5", WrongValue, "id"},
		{"id of another alphabet", "end", "ses_06d5", "ses_06u5", WrongValue, "id"},
		{"short id", "end", "ses_06d5", "ses_06d", WrongValue, "id"},
		{"long id", "end", "ses_06d5", "ses_06d50", WrongValue, "id"},
		{"unknown member", "end", `"detail"`, `"details"`, UnknownMember, "details"},
		{"unknown member of a strange name", "end", `"detail"`, `"\u0007"`, UnknownMember, `"\ufffd"`},
		{"member twice", "end", `"detail"`, `"reason"`, DuplicateMember, "reason"},
		{"type twice", "end", `"detail":"done"`, `"type":"end"`, DuplicateMember, "type"},
		{"number for a text", "end", `"done"`, `1`, WrongType, "detail"},
		{"null for a text", "end", `"done"`, `null`, WrongType, "detail"},
		{"sentence too long", "end", `done`, strings.Repeat("x", MaxSentence+1), WrongValue, "detail"},
		{"reason that is no name", "end", "technician_ended", "Technician ended", WrongValue, "reason"},
		{"empty reason", "end", "technician_ended", "", WrongValue, "reason"},
		{"reason too long", "end", "technician_ended", strings.Repeat("x", MaxName+1), WrongValue, "reason"},
		{"neither token", "attach", `,"token":"t0ken"`, ``, MissingMember, "token"},
		{"both tokens", "attach", `"t0ken"`, `"t0ken","reattach":"s3cret"`, MissingMember, "token"},
		{"token too long", "attach", "t0ken", strings.Repeat("x", MaxText+1), WrongValue, "token"},
		{"unknown state", "state", `"reconnecting"`, `"lost"`, WrongValue, "state"},
		{"time without zone", "state", `"2026-11-30T08:00:59Z"`, `"2026-11-30T08:00:59"`, WrongValue, "expires"},
		{"time of another zone", "state", `"2026-11-30T08:00:59Z"`, `"2026-11-30T08:00:59+01:00"`, WrongValue, "expires"},
		{"time that is none", "state", `"2026-11-30T08:00:59Z"`, `"2026-11-31T08:00:59Z"`, WrongValue, "expires"},
		{"text for a list", "state", `["terminal","files"]`, `"terminal"`, WrongType, "kinds"},
		{"number in a list", "state", `["terminal","files"]`, `["terminal",1]`, WrongType, "kinds/1"},
		{"no name in a list", "state", `["terminal","files"]`, `["terminal","A b"]`, WrongValue, "kinds/1"},
		{"list too long", "state", `["terminal","files"]`, `["a"` + strings.Repeat(`,"a"`, MaxList) + `]`, WrongValue, "kinds"},
		{"character in a list that XML has not", "state", `"Zoë"`, `"\u0000"`, WrongValue, "watchers/1"},
		{"list that is missing", "state", `"kinds":["terminal","files"],`, ``, MissingMember, "kinds"},
		{"text for a server", "ice", `{"urls":["stun:turn.example.com:3478"]}`, `"stun:turn.example.com:3478"`, WrongType, "ice_servers/0"},
		{"server without addresses", "ice", `{"urls":["stun:turn.example.com:3478"]}`, `{}`, MissingMember, "ice_servers/0/urls"},
		{"member of a server twice", "ice", `{"urls":["stun:turn.example.com:3478"]}`, `{"urls":[],"urls":[]}`, DuplicateMember, "urls"},
		{"unknown member of a server", "ice", `{"urls":["stun:turn.example.com:3478"]}`, `{"urls":[],"url":""}`, UnknownMember, "ice_servers/0/url"},
		{"address too long", "ice", `stun:turn`, strings.Repeat("x", MaxURL), WrongValue, "ice_servers/0/urls/0"},
		{"grant too long", "offer", "sbg1.e30", strings.Repeat("x", MaxGrant), WrongValue, "grant"},
		{"grant empty", "offer", "sbg1.e30.AAAA", "", WrongValue, "grant"},
		{"unknown consent", "consent", `"asking"`, `"maybe"`, WrongValue, "state"},
		{"text for a number", "consent", `30`, `"30"`, WrongType, "seconds"},
		{"fraction", "consent", `30`, `30.5`, WrongValue, "seconds"},
		{"exponent", "consent", `30`, `3e1`, WrongValue, "seconds"},
		{"zero with a sign", "consent", `30`, `-0`, WrongValue, "seconds"},
		{"negative", "consent", `30`, `-1`, WrongValue, "seconds"},
		{"too many seconds", "consent", `30`, `604801`, WrongValue, "seconds"},
		{"number beyond 64 bits", "consent", `30`, `36893488147419103232`, WrongValue, "seconds"},
		{"unknown desktop", "consent", `"active"`, `"gone"`, WrongValue, "desktop"},
		{"text for a boolean", "accept", `true`, `"true"`, WrongType, "resumed"},
		{"unknown kind", "sdp", `"offer"`, `"pranswer"`, WrongValue, "kind"},
		{"description too long", "sdp", `v=0`, strings.Repeat("x", MaxSDP), WrongValue, "sdp"},
		{"no description", "sdp", `"sdp":"v=0`, `"spd":"v=0`, MissingMember, "sdp"},
		{"peer of zero", "sdp", `"peer":1`, `"peer":0`, WrongValue, "peer"},
		{"peer too great", "sdp", `"peer":1`, `"peer":2147483648`, WrongValue, "peer"},
		{"candidate too long", "candidate", `candidate:1`, strings.Repeat("x", MaxCandidate), WrongValue, "candidate"},
		{"no mid", "candidate", `"mid":"0",`, ``, MissingMember, "mid"},
		{"line too great", "candidate", `"line":0`, `"line":65536`, WrongValue, "line"},
		{"unknown rung", "path", `"turn_tls"`, `"pigeon"`, WrongValue, "rung"},
		{"unknown rung that failed", "path", `"direct"`, `""`, WrongValue, "failed/0/rung"},
		{"no counter", "path", `"bytes_up":1,`, ``, MissingMember, "bytes_up"},
		{"counter that JavaScript cannot hold", "path", `"bytes_up":1`, `"bytes_up":9007199254740992`, WrongValue, "bytes_up"},
	} {
		t.Run(s.name, func(t *testing.T) { s.check(t, false) })
	}
}

func TestXMLIsReadStrictly(t *testing.T) {
	for _, s := range []swap{
		{"another namespace", "end", Namespace, "urn:x", Malformed, ""},
		{"no namespace", "end", " xmlns='" + Namespace + "'", "", Malformed, ""},
		{"too large", "end", "<end", "<end " + strings.Repeat(" ", MaxMessage), TooLarge, ""},
		{"unknown name", "end", "<end", "<stop", UnknownType, ""},
		{"no id", "end", "id='ses_06d5wq2k40000' ", "", MissingMember, "id"},
		{"id of something else", "end", "ses_", "psh_", WrongValue, "id"},
		{"unknown attribute", "end", "detail=", "details=", UnknownMember, "details"},
		{"attribute with a prefix", "end", "detail=", "xml:lang='en' detail=", UnknownMember, `xml:lang`},
		{"underscore instead of hyphen", "path", "rtt-ms", "rtt_ms", UnknownMember, "rtt_ms"},
		{"text", "end", "/>", ">text</end>", Malformed, ""},
		{"unknown element", "end", "/>", "><text/></end>", UnknownMember, "text"},
		{"element of another namespace", "end", "/>", "><kind xmlns='urn:x'/></end>", UnknownMember, "kind"},
		{"element for an attribute", "end", "reason='technician_ended' detail='done'/>", "><reason>technician_ended</reason></end>", MissingMember, "reason"},
		{"attribute for an element", "offer", "><grant>sbg1.e30.AAAA</grant>", " grant='sbg1.e30.AAAA'>", MissingMember, "grant"},
		{"element twice", "offer", "<grant>", "<grant>x</grant><grant>", DuplicateMember, "grant"},
		{"attribute of a text", "offer", "<grant>", "<grant x=''>", UnknownMember, "grant"},
		{"element in a text", "offer", "<grant>", "<grant><x/>", UnknownMember, "grant"},
		{"text in a server", "offer", "<ice-server>", "<ice-server>x", Malformed, "ice_servers/0"},
		{"unknown attribute of a server", "offer", "<ice-server>", "<ice-server x=''>", UnknownMember, "ice_servers/0/x"},
		{"element of another namespace in a server", "offer", "<ice-server>", "<ice-server><url xmlns='urn:x'/>", UnknownMember, "url"},
		{"attribute of an entry", "state", "<kind>", "<kind x=''>", UnknownMember, "kind"},
		{"element in a description", "sdp", "v=0", "<x/>v=0", UnknownMember, "x"},
		{"number with a sign", "consent", "'30'", "'+30'", WrongValue, "seconds"},
		{"number with a zero", "consent", "'30'", "'030'", WrongValue, "seconds"},
		{"number with a space", "consent", "'30'", "' 30'", WrongValue, "seconds"},
		{"empty number", "consent", "'30'", "''", WrongValue, "seconds"},
		{"boolean of a digit", "accept", "'true'", "'1'", WrongValue, "resumed"},
		{"list too long", "state", "<kind>", strings.Repeat("<kind>a</kind>", MaxList) + "<kind>", WrongValue, "kinds"},
	} {
		t.Run(s.name, func(t *testing.T) { s.check(t, true) })
	}
}

// TestXMLMeansTheSameHoweverItIsWritten: prefixes, quotes, sections and white space between elements are nobody's business.
func TestXMLMeansTheSameHoweverItIsWritten(t *testing.T) {
	want := Offer{About: About{testID}, Grant: "a<b", Servers: []ICEServer{{URLs: []string{"stun:x"}}}}
	for _, raw := range []string{
		`<offer xmlns='urn:signalbox:session:1' id='ses_06d5wq2k40000'><grant>a&lt;b</grant><ice-server><url>stun:x</url></ice-server></offer>`,
		`<s:offer xmlns:s="urn:signalbox:session:1" id="ses_06d5wq2k40000"><s:grant><![CDATA[a<b]]></s:grant><s:ice-server><s:url>stun:x</s:url></s:ice-server></s:offer>`,
		"<offer id='&#115;es_06d5wq2k40000' xmlns='urn:signalbox:session:1'>\n\t<ice-server>\r\n<url>stun:x</url></ice-server>\n <grant>a&#60;b</grant>\n</offer>",
	} {
		got, err := parseXML(t, []byte(raw), ToEndpoint)
		if diff := cmp.Diff(Message(want), got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", raw, err, diff)
		}
	}
}

// TestWays: who may say what, message by message.
func TestWays(t *testing.T) {
	for _, tc := range []struct {
		message Message
		ways    Way
	}{
		{Attach{Token: "t"}, FromTechnician},
		{State{}, ToTechnician},
		{Offer{}, ToEndpoint},
		{ICE{}, ToTechnician | ToEndpoint},
		{Consent{}, FromEndpoint | ToTechnician},
		{Accept{}, FromEndpoint | ToTechnician},
		{Deny{}, FromEndpoint | ToTechnician},
		{SDP{Kind: SDPOffer}, FromTechnician | ToEndpoint},
		{SDP{Kind: SDPAnswer}, FromEndpoint | ToTechnician},
		{Candidate{}, FromTechnician | FromEndpoint | ToTechnician | ToEndpoint},
		{Relay{}, FromTechnician},
		{Relay{URL: "wss://x/relay/1"}, ToTechnician | ToEndpoint},
		{Path{}, FromTechnician | FromEndpoint | ToTechnician | ToEndpoint},
		{End{}, FromTechnician | FromEndpoint | ToTechnician | ToEndpoint},
	} {
		for _, w := range []Way{FromTechnician, FromEndpoint, ToTechnician, ToEndpoint} {
			err := Allowed(tc.message, w)
			if may := tc.ways&w != 0; may != (err == nil) || !may && !errors.Is(err, &Error{Code: NotAllowed}) {
				t.Errorf("Allowed(%#v, %b) = %v, want allowed = %v", tc.message, w, err, may)
			}
		}
	}
}

// TestWaysAreHeld: what a party may not say is refused as it is read, in both spellings.
func TestWaysAreHeld(t *testing.T) {
	for _, m := range samples() {
		inJSON, inXML := bothSpellings(t, m)
		for _, w := range []Way{FromTechnician, FromEndpoint, ToTechnician, ToEndpoint} {
			_, errJSON := ParseJSON(inJSON, w)
			_, errXML := parseXML(t, inXML, w)
			if may := Allowed(m, w) == nil; (errJSON == nil) != may || (errXML == nil) != may || !may && !errors.Is(errJSON, &Error{Code: NotAllowed}) {
				t.Errorf("%s by way %b: %v and %v, want allowed = %v", inJSON, w, errJSON, errXML, may)
			}
		}
	}
}

// stranger is no message of this package.
type stranger struct{ About }

func (stranger) Name() string { return "end" }

// newcomer is another one, whose name is not known either.
type newcomer struct{ About }

func (newcomer) Name() string { return "stop" }

// TestNothingIsWrittenThatNobodyReads: a mistake of ours is an error here, not a riddle there; only sentences for people are cut.
func TestNothingIsWrittenThatNobodyReads(t *testing.T) {
	about := About{testID}
	for name, m := range map[string]Message{
		"no id":               End{Reason: "idle_limit"},
		"no reason":           End{About: about},
		"unknown state":       State{About: about, State: "gone", Endpoint: "pc-1", Transport: TransportAuto},
		"too many watchers":   State{About: about, State: "active", Endpoint: "pc-1", Transport: TransportAuto, Watchers: make([]string, MaxList+1)},
		"character":           SDP{About: about, Kind: SDPOffer, SDP: "v=0\x00", Peer: 1},
		"description":         SDP{About: about, Kind: SDPOffer, SDP: strings.Repeat("x", MaxSDP+1), Peer: 1},
		"long once escaped":   SDP{About: about, Kind: SDPOffer, SDP: strings.Repeat("\r&", MaxSDP/2), Peer: 1},
		"server without URLs": ICE{About: about, Servers: []ICEServer{{URLs: []string{""}}}},
		"year":                State{About: about, State: "active", Endpoint: "pc-1", Transport: TransportAuto, Expires: at(0).AddDate(9000, 0, 0)},
		"another type":        stranger{about},
		"another name":        newcomer{about},
		"pointer":             &End{About: about, Reason: "idle_limit"},
	} {
		var e *Error
		inJSON, errJSON := AppendJSON([]byte("before"), m)
		if string(inJSON) != "before" || !errors.As(errJSON, &e) {
			t.Errorf("%s: AppendJSON = %.100s, %v, want what stood there and an *Error", name, inJSON, errJSON)
		}
		inXML, errXML := AppendXML([]byte("before"), m)
		if string(inXML) != "before" || !errors.As(errXML, &e) {
			t.Errorf("%s: AppendXML = %.100s, %v, want what stood there and an *Error", name, inXML, errXML)
		}
	}
	inJSON, err := AppendJSON(nil, End{About: about, Reason: "idle_limit", Detail: "\x00\xff" + strings.Repeat("é", MaxSentence)})
	if err != nil {
		t.Fatal(err)
	}
	m, err := ParseJSON(inJSON, ToEndpoint)
	if err != nil || !strings.HasPrefix(m.(End).Detail, "\ufffd\ufffdé") || len(m.(End).Detail) > MaxSentence || len(m.(End).Detail) < MaxSentence-1 {
		t.Errorf("a detail that is too long became %v, %v", m, err)
	}
}

// TestWritingChangesNothing: what is written is shared by those who tell both parties, and is not touched though it is cut on the wire.
func TestWritingChangesNothing(t *testing.T) {
	long := strings.Repeat("x", MaxSentence+1)
	m := Path{About: About{testID}, Failed: []Failed{{RungDirect, long}}}
	inJSON, errJSON := AppendJSON(nil, m)
	inXML, errXML := AppendXML(nil, m)
	if errJSON != nil || errXML != nil || m.Failed[0].Why != long {
		t.Errorf("after it was written, it says %.20s... of %d bytes; %v, %v", m.Failed[0].Why, len(m.Failed[0].Why), errJSON, errXML)
	}
	for _, text := range [][]byte{inJSON, inXML} {
		if strings.Contains(string(text), long) || !strings.Contains(string(text), long[1:]) {
			t.Errorf("written: %s, want the sentence cut", text)
		}
	}
}
