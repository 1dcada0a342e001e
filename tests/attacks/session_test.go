package attacks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"signalbox/internal/channel"
	"signalbox/internal/console"
	"signalbox/internal/signalling"
	"signalbox/relay"
	"signalbox/tests/harness"
)

// stage is a server with endpoints that are online and do as a test says.
type stage struct {
	t    *testing.T
	s    *harness.Server
	ends map[string]*wire
	web  *http.Client
}

func newStage(t *testing.T, ids ...string) *stage {
	t.Helper()
	st := &stage{t: t, s: start(t, "managed", ids), ends: map[string]*wire{}}
	for _, id := range ids {
		st.ends[id] = online(t, st.s, id, "w")
	}
	trust := st.s.TLS()
	trust.NextProtos = []string{"http/1.1"}
	transport := &http.Transport{TLSClientConfig: trust, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, st.s.Addr(directTLS))
	}}
	t.Cleanup(transport.CloseIdleConnections)
	st.web = &http.Client{Transport: transport}
	return st
}

// base is where technicians find the server.
func (st *stage) base() string {
	_, port, err := net.SplitHostPort(st.s.Addr(directTLS))
	if err != nil {
		st.t.Fatal(err)
	}
	return "https://" + domain + ":" + port
}

// opened is a session with the technician's token, and the grant that its endpoint got.
type opened struct{ ID, Token, Grant string }

var grantText = regexp.MustCompile(`<grant>([^<]*)</grant>`)

// open opens a session, which the endpoint takes.
func (st *stage) open(endpoint string) (o opened) {
	st.t.Helper()
	o = st.asked(endpoint)
	st.say(endpoint, "<accept ID><capability>terminal</capability></accept>", o.ID, "result")
	return o
}

// asked opens a session, of which the endpoint only knows.
func (st *stage) asked(endpoint string) (o opened) {
	st.t.Helper()
	_, text := st.s.Call(st.t, "POST", "/v1/sessions", `{"endpoint":"`+endpoint+`","technician":{"id":"ann"},"kinds":["terminal"],"consent":{"mode":"none"}}`, http.StatusCreated)
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		st.t.Fatal(err)
	}
	found := grantText.FindStringSubmatch(st.ends[endpoint].until("</offer></iq>"))
	if found == nil {
		st.t.Fatal("the offer has no grant")
	}
	o.Grant = found[1]
	return o
}

// say has an endpoint say something of a session, which stands for ID, and returns the server's answer without what names this one request.
func (st *stage) say(endpoint, element, session, want string) string {
	st.t.Helper()
	element = strings.Replace(element, "ID", "xmlns='"+signalling.Namespace+"' id='"+session+"'", 1)
	w := st.ends[endpoint]
	w.say("<iq type='set' id='said' to='" + domain + "'>" + element + "</iq>")
	got := w.untilMatch(regexp.MustCompile(`<iq [^>]*id='said'[^>]*(/>|[^/]>.*?</iq>)`))
	if !strings.Contains(got, "type='"+want+"'") {
		st.t.Errorf("%s says %s: %s, want %s", endpoint, element, got, want)
	}
	return strings.ReplaceAll(got, session, "ID")
}

// seat opens a WebSocket for signalling, says something and returns the answer: a message, or how the WebSocket was closed.
func (st *stage) seat(message string) (ws *websocket.Conn, answer string) {
	st.t.Helper()
	ws, _, err := websocket.Dial(st.t.Context(), st.base()+console.SignalPath, &websocket.DialOptions{HTTPClient: st.web, Subprotocols: []string{"signalbox-session"}})
	if err != nil {
		st.t.Fatal(err)
	}
	ws.SetReadLimit(signalling.MaxMessage)
	st.t.Cleanup(func() { _ = ws.CloseNow() })
	return ws, st.exchange(ws, message)
}

func (st *stage) exchange(ws *websocket.Conn, message string) string {
	st.t.Helper()
	ctx, cancel := context.WithTimeout(st.t.Context(), patience)
	defer cancel()
	if err := ws.Write(ctx, websocket.MessageText, []byte(message)); err != nil {
		st.t.Fatal(err)
	}
	return st.hear(ws)
}

// hear returns the next message, or how the WebSocket was closed.
func (st *stage) hear(ws *websocket.Conn) string {
	st.t.Helper()
	ctx, cancel := context.WithTimeout(st.t.Context(), patience)
	defer cancel()
	_, data, err := ws.Read(ctx)
	var closed websocket.CloseError
	if errors.As(err, &closed) {
		return fmt.Sprintf("closed %d %s", closed.Code, closed.Reason)
	}
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// attach takes the technician's side with a token, and returns the secret to come back with.
func (st *stage) attach(o opened) (*websocket.Conn, string) {
	st.t.Helper()
	ws, text := st.seat(`{"type":"attach","id":"` + o.ID + `","token":"` + o.Token + `"}`)
	var state struct{ Type, Reattach string }
	if err := json.Unmarshal([]byte(text), &state); err != nil || state.Type != "state" || state.Reattach == "" {
		st.t.Fatalf("attach: %s", text)
	}
	return ws, state.Reattach
}

// refusals returns why the audit trail says that something was refused, the oldest first, and fails if it holds one of the secrets.
func (st *stage) refusals(secrets ...string) (all []string) {
	st.t.Helper()
	_, text := st.s.Call(st.t, "GET", "/v1/audit?action=session.refused&limit=500", "", http.StatusOK)
	var page struct {
		Items []struct {
			Actor, Subject string
			Detail         struct{ Why, Reason string }
		}
	}
	if err := json.Unmarshal([]byte(text), &page); err != nil {
		st.t.Fatal(err)
	}
	for _, e := range slices.Backward(page.Items) {
		kind, _, _ := strings.Cut(e.Actor, ":")
		all = append(all, kind+" "+e.Subject+" "+e.Detail.Why+e.Detail.Reason)
	}
	for _, secret := range secrets {
		if secret != "" && strings.Contains(text, secret) {
			st.t.Errorf("the audit trail holds a secret: %s", text)
		}
	}
	return all
}

// wantRefusals waits until the audit trail has these refusals, in any order.
func (st *stage) wantRefusals(want []string, secrets ...string) {
	st.t.Helper()
	slices.Sort(want)
	var got []string
	harness.Await(st.t, func() bool { // what strangers cause is written a little later
		got = st.refusals(secrets...)
		slices.Sort(got)
		return slices.Equal(got, want)
	}, func() string { return fmt.Sprintf("the audit trail has %q, want %q", got, want) })
}

// is waits until a session is in a state: what its parties say is worked on a little later.
func (st *stage) is(o opened, state string) {
	st.t.Helper()
	var text string
	harness.Await(st.t, func() bool {
		_, text = st.s.Call(st.t, "GET", "/v1/sessions/"+o.ID, "", http.StatusOK)
		return strings.Contains(text, `"state":"`+state+`"`)
	}, func() string { return "the session is " + text + ", want " + state })
}

// TestRow63TechnicianTokens: what is made up, used, or another session's lets nobody in, whether the session is there or not, with one answer; whoever has the side keeps it.
func TestRow63TechnicianTokens(t *testing.T) {
	t.Parallel()
	st := newStage(t, "pc-1", "pc-2")
	a, b := st.open("pc-1"), st.open("pc-2")
	ws, secret := st.attach(a)
	const unknown = "ses_06d5wq2k40000"
	var want []string
	for _, tc := range []struct{ name, session, kind, shown, why string }{
		{"made up", a.ID, "token", "x", "wrong_token"},
		{"used", a.ID, "token", a.Token, "used_token"},
		{"of another session", a.ID, "token", b.Token, "wrong_token"},
		{"of no session", unknown, "token", a.Token, "unknown_session"},
		{"to come back with", a.ID, "reattach", a.Token, "wrong_token"},
		{"a secret of another session", b.ID, "reattach", secret, "wrong_token"},
		{"a secret as a token", a.ID, "token", secret, "wrong_token"},
		{"a secret of no session", unknown, "reattach", secret, "unknown_session"},
	} {
		if _, got := st.seat(`{"type":"attach","id":"` + tc.session + `","` + tc.kind + `":"` + tc.shown + `"}`); got != "closed 4401 refused" {
			t.Errorf("%s: %s", tc.name, got)
		}
		want = append(want, "stranger "+tc.session+" "+tc.why)
	}
	st.wantRefusals(want, a.Token, b.Token, secret)
	if got := st.exchange(ws, `{"type":"end","id":"`+a.ID+`","reason":"technician_ended"}`); !strings.Contains(got, `"technician_ended"`) {
		t.Errorf("whoever has the side says the end: %s", got)
	}
	st.is(a, "ended")
	st.attach(b) // its token is still good
	if _, got := st.seat(`{"type":"attach","id":"` + a.ID + `","reattach":"` + secret + `"}`); strings.Contains(got, `"reattach"`) {
		t.Errorf("coming back to a session that has ended: %s", got)
	}
}

// tickets asks for a channel over the relay with pc-1.
func (st *stage) tickets(ws *websocket.Conn, o opened) (technician, endpoint string) {
	st.t.Helper()
	text := st.exchange(ws, `{"type":"relay","id":"`+o.ID+`","channel":"terminal","number":1}`)
	var m struct{ Type, URL string }
	if err := json.Unmarshal([]byte(text), &m); err != nil || m.Type != "relay" {
		st.t.Fatalf("the relay: %s", text)
	}
	_, endpoint, _ = strings.Cut(st.ends["pc-1"].until("</iq>"), relay.Path)
	endpoint, _, _ = strings.Cut(endpoint, "'")
	_, technician, _ = strings.Cut(m.URL, relay.Path)
	return technician, endpoint
}

// leg connects to the relay.
func (st *stage) leg(ticket string) *websocket.Conn {
	st.t.Helper()
	c, _, err := websocket.Dial(st.t.Context(), st.base()+relay.Path+ticket, &websocket.DialOptions{HTTPClient: st.web})
	if err != nil {
		st.t.Fatal(err)
	}
	st.t.Cleanup(func() { _ = c.CloseNow() })
	return c
}

// TestRow64RelayTickets: a ticket joins once, and what is made up, used or of a session that has ended gets one answer.
func TestRow64RelayTickets(t *testing.T) {
	t.Parallel()
	st := newStage(t, "pc-1")
	o := st.open("pc-1")
	ws, _ := st.attach(o)
	visit := func(ticket string) (c *websocket.Conn, status string) {
		t.Helper()
		c, resp, err := websocket.Dial(t.Context(), st.base()+relay.Path+ticket, &websocket.DialOptions{HTTPClient: st.web})
		if err == nil {
			t.Cleanup(func() { _ = c.CloseNow() })
			return c, "in"
		}
		if resp == nil {
			t.Fatal(err)
		}
		return nil, resp.Status
	}
	near, far := st.tickets(ws, o)
	first, got := visit(near)
	if got != "in" || near == far || far == "" {
		t.Fatalf("the technician's leg by %q, beside %q: %s", near, far, got)
	}
	const refused = "404 Not Found"
	if _, got := visit(near); got != refused {
		t.Errorf("used: %s", got)
	}
	if _, got := visit("AAAAAAAAAAAAAAAAAAAAAAAAAA"); got != refused {
		t.Errorf("made up: %s", got)
	}
	second, got := visit(far)
	if got != "in" {
		t.Fatalf("the endpoint's leg: %s", got)
	}
	if err := first.Write(t.Context(), websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, data, err := second.Read(t.Context()); err != nil || string(data) != "hello" {
		t.Errorf("through the relay: %q, %v", data, err)
	}
	near, far = st.tickets(ws, o)
	if got := st.exchange(ws, `{"type":"end","id":"`+o.ID+`","reason":"technician_ended"}`); !strings.Contains(got, `"technician_ended"`) {
		t.Fatalf("the end: %s", got)
	}
	for _, ticket := range []string{near, far} {
		if _, got := visit(ticket); got != refused {
			t.Errorf("of a session that has ended: %s", got)
		}
	}
	if _, _, err := second.Read(t.Context()); err == nil {
		t.Error("a leg goes on after the end of its session")
	}
	st.wantRefusals(slices.Repeat([]string{"stranger relay unknown_ticket"}, 4), near, far)
}

// TestRow66ForeignSessions: an endpoint that speaks in the session of another gets the answer for none, and the session does not notice.
func TestRow66ForeignSessions(t *testing.T) {
	t.Parallel()
	st := newStage(t, "pc-1", "pc-2")
	o := st.asked("pc-1")
	const unknown = "ses_06d5wq2k40000"
	var want []string
	for _, element := range []string{
		"<accept ID><capability>terminal</capability></accept>", "<deny ID reason='consent_denied'/>", "<end ID reason='user_ended'/>", "<consent ID state='allowed'/>",
		"<candidate ID peer='1' mid='0' line='0'>candidate:1 1 udp 1 192.0.2.1 5 typ host</candidate>", "<sdp ID kind='answer' peer='1'>v=0</sdp>",
	} {
		foreign, none := st.say("pc-2", element, o.ID, "error"), st.say("pc-2", element, unknown, "error")
		if foreign != none || !strings.Contains(foreign, "item-not-found") {
			t.Errorf("%s: %s, and of no session %s", element, foreign, none)
		}
		want = append(want, "endpoint "+o.ID+" foreign_endpoint")
	}
	for _, element := range []string{"<attach ID token='" + o.Token + "'/>", "<offer ID><grant>" + o.Grant + "</grant></offer>", "<relay ID channel='terminal' number='1'/>"} { // for others to say
		if got := st.say("pc-2", element, o.ID, "error"); !strings.Contains(got, "forbidden") {
			t.Errorf("%s: %s", element, got)
		}
	}
	want = append(want, "endpoint signalling message")
	st.wantRefusals(want, o.Token, o.Grant)
	st.is(o, "requested")
	if got := st.ends["pc-1"].ping(); got != "" {
		t.Errorf("the session's endpoint got %s", got)
	}
	st.say("pc-1", "<accept ID/>", o.ID, "result")
	st.is(o, "connecting")
}

// TestRow69Frames: what is malformed or too large ends the WebSocket that it came on, or is an error on the stream that lives on; the other party gets nothing of it. The audit trail
// has each kind of it once for each party of the session, however often it comes.
func TestRow69Frames(t *testing.T) {
	t.Parallel()
	st := newStage(t, "pc-1")
	o := st.open("pc-1")
	id := `"id":"` + o.ID + `"`
	for message, code := range map[string]string{
		``: "malformed", `{`: "malformed", `[]`: "malformed", `null`: "malformed", `{"type":"attach"}`: "missing_member", `{"type":"attach",` + id + `,"token":1}`: "wrong_type",
		`{"type":"attach",` + id + `,"token":"x","token":"x"}`: "duplicate_member", `{"type":"attach",` + id + `,"token":"x","more":1}`: "unknown_member",
		`{"type":"state",` + id + `}`: "missing_member", `{"type":"end",` + id + `,"reason":"technician_ended"}`: "unexpected", `{"type":"attach","id":"ses_1","token":"x"}`: "wrong_value",
	} {
		if _, got := st.seat(message); got != "closed 1008 "+code {
			t.Errorf("%q before anything else: %s, want 1008 %s", message, got, code)
		}
	}
	if _, got := st.seat("{\"type\":\"attach\"," + id + ",\"token\":\"\xff\"}"); !strings.HasPrefix(got, "closed ") {
		t.Errorf("no UTF-8 before anything else: %s", got)
	}
	if _, got := st.seat(`{"type":"attach",` + id + `,"token":"` + strings.Repeat("x", signalling.MaxMessage) + `"}`); !strings.HasPrefix(got, "closed 1009 ") {
		t.Errorf("too large before anything else: %s", got)
	}
	want := slices.Concat(slices.Repeat([]string{"stranger signalling malformed"}, 11), []string{"stranger signalling message", "stranger signalling too_large"})
	ws, secret := st.attach(o)
	for message, code := range map[string]string{`{"type":"sdp",` + id + `,"kind":"offer","sdp":"v=0","peer":-1}`: "wrong_value", `{"type":"accept",` + id + `}`: "missing_member", `<end/>`: "malformed",
		`{"type":"end",` + id + `,"reason":"a","detail":"` + strings.Repeat("x", signalling.MaxMessage) + `"}`: ""} {
		if got := st.exchange(ws, message); got != "closed 1008 "+code && (code != "" || !strings.HasPrefix(got, "closed 1009 ")) {
			t.Errorf("%.200s: %s, want 1008 %s, or 1009 for what is too large", message, got, code)
		}
		var state struct{ Reattach string }
		var text string
		ws, text = st.seat(`{"type":"attach",` + id + `,"reattach":"` + secret + `"}`)
		if err := json.Unmarshal([]byte(text), &state); err != nil || state.Reattach == "" {
			t.Fatalf("coming back after %.200s: %s", message, text)
		}
		secret = state.Reattach
	}
	st.ends["pc-1"].ping() // what it was told of the technician
	for element, condition := range map[string]string{
		"<deny ID/>": "bad-request", "<sdp ID kind='answer' peer='x'>v=0</sdp>": "bad-request", "<candidate ID peer='1' mid='0' line='0'><x/></candidate>": "bad-request",
		"<path ID rung='tunnel'/>": "bad-request", "<end ID reason='a' detail='" + strings.Repeat("x", signalling.MaxMessage/2) + "'/>": "bad-request", "<stop ID/>": "service-unavailable",
		"<end ID reason='a' detail='" + strings.Repeat("x", signalling.MaxMessage) + "'/>": "policy-violation", "<attach ID token='x'/>": "forbidden",
	} {
		if got := st.say("pc-1", element, o.ID, "error"); !strings.Contains(got, condition) {
			t.Errorf("%.200s: %s, want %s", element, got, condition)
		}
	}
	if got := st.ends["pc-1"].ping(); got != "" {
		t.Errorf("the endpoint got %s", got)
	}
	st.is(o, "connecting")
	if got := st.exchange(ws, `{"type":"end",`+id+`,"reason":"technician_ended"}`); !strings.Contains(got, `"technician_ended"`) {
		t.Errorf("of all that the endpoint said the technician got %s", got)
	}
	for who, all := range map[string][]string{"technician": {"malformed", "too_large"}, "endpoint": {"malformed", "too_large", "message"}} {
		for _, why := range all {
			want = append(want, who+" "+o.ID+" "+why)
		}
	}
	st.wantRefusals(want, o.Token, o.Grant, secret)
}

// TestRow69RelayFrames: a message that is too large ends its channel over the relay, the other side gets nothing of it, and the audit trail has it once for each side.
func TestRow69RelayFrames(t *testing.T) {
	t.Parallel()
	st := newStage(t, "pc-1")
	o := st.open("pc-1")
	ws, _ := st.attach(o)
	for i := range 4 {
		legs := [2]*websocket.Conn{}
		technician, endpoint := st.tickets(ws, o)
		for side, ticket := range []string{technician, endpoint} {
			legs[side] = st.leg(ticket)
		}
		from, to := legs[i%2], legs[1-i%2]
		_ = from.Write(t.Context(), websocket.MessageBinary, make([]byte, channel.MaxMessage+1)) // it may be cut meanwhile
		if got := st.hear(to); got != "closed 1009 too_large" {
			t.Errorf("the other side gets %.100q", got)
		}
	}
	st.wantRefusals([]string{"technician " + o.ID + " too_large", "endpoint " + o.ID + " too_large"}, o.Token)
}
