package feature

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"mellium.im/xmpp/stanza"

	"signalbox/internal/endpoint"
	"signalbox/internal/signalling"
	"signalbox/xmpp/scan"
)

const testSession = "ses_06d5wq2k40000"

var pc1 = endpoint.Key{Domain: "x.test", ID: "pc-1"}

// takes keeps what endpoints say. It implements Sessions.
type takes struct {
	said    []string
	refused string // the last, and why
	err     error
}

func (s *takes) RefusedEndpoint(k endpoint.Key, session string, code signalling.Code) {
	s.refused = fmt.Sprintf("%s %s %s", k.ID, session, code)
}

func (s *takes) FromEndpoint(_ context.Context, k endpoint.Key, m signalling.Message) error {
	s.said = append(s.said, fmt.Sprintf("%s %s %s", k.ID, m.Name(), m.SessionID()))
	if d, ok := m.(signalling.Deny); ok {
		s.said = append(s.said, d.Reason+": "+d.Detail)
	}
	return s.err
}

// remoteSessions returns what is tested, with these clients.
func remoteSessions(log *zap.Logger, clients ...Client) (*RemoteSessions, *takes, *Set) {
	host, sessions := &fakeHost{clients: clients}, &takes{}
	r := NewRemoteSessions("x.test", host.Clients, log)
	return r, sessions, NewSet(nil, r.Feature(sessions))
}

func TestEndpointsSay(t *testing.T) {
	const id = " xmlns='urn:signalbox:session:1' id='" + testSession + "'"
	for _, tc := range []struct {
		name, from, payload string
		err                 error
		condition           stanza.Condition
		code                string
		said                int
	}{
		{"accept", "pc-1", "<accept" + id + "><capability>terminal</capability></accept>", nil, "", "", 1},
		{"unknown session", "pc-1", "<accept" + id + "/>", fmt.Errorf("x: %w", signalling.ErrUnknownSession), stanza.ItemNotFound, "unknown_session", 1},
		{"session of others", "pc-1", "<accept" + id + "/>", signalling.ErrNotParty, stanza.Forbidden, "not_party", 1},
		{"in no state for it", "pc-1", "<accept" + id + "/>", signalling.ErrUnexpected, stanza.UnexpectedRequest, "unexpected", 1},
		{"token", "pc-1", "<accept" + id + "/>", signalling.ErrTokenRefused, stanza.NotAuthorized, "token_refused", 1},
		{"later", "pc-1", "<accept" + id + "/>", signalling.ErrTryLater, stanza.ResourceConstraint, "try_later", 1},
		{"trouble", "pc-1", "<accept" + id + "/>", errors.New("disk is gone"), stanza.InternalServerError, "", 1},
		{"malformed", "pc-1", "<deny" + id + "/>", nil, stanza.BadRequest, "missing_member", 0},
		{"for technicians to say", "pc-1", "<attach" + id + " token='t'/>", nil, stanza.Forbidden, "not_allowed", 0},
		{"for the server to say", "pc-1", "<offer" + id + "><grant>g</grant></offer>", nil, stanza.Forbidden, "not_allowed", 0},
		{"too large", "pc-1", "<end" + id + " reason='a' detail='" + strings.Repeat("x", signalling.MaxMessage) + "'/>", nil, stanza.PolicyViolation, "too_large", 0},
		{"unknown", "pc-1", "<stop" + id + "/>", nil, stanza.ServiceUnavailable, "", 0},
		{"the server itself", "", "<accept" + id + "/>", nil, stanza.Forbidden, "", 0},
		{"a component", "@bot.x.test", "<accept" + id + "/>", nil, stanza.Forbidden, "", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			core, logs := observer.New(zap.ErrorLevel)
			_, sessions, set := remoteSessions(zap.New(core))
			sessions.err = tc.err
			st, err := scan.Parse([]byte(tc.payload), scan.Limits{Bytes: 1 << 20})
			if err != nil {
				t.Fatal(err)
			}
			k := endpoint.Key{Domain: "x.test", ID: tc.from}
			if id, domain, ok := strings.Cut(tc.from, "@"); ok {
				k = endpoint.Key{Domain: domain, ID: id}
			}
			a := set.Answer(t.Context(), &Query{Set: true, Payload: st.Element(), To: Server, From: someone{key: k}})
			if a.Condition != tc.condition || len(a.Payload) != 0 || len(sessions.said) != tc.said || strings.Contains(a.Detail, "code='"+tc.code+"'") != (tc.code != "") {
				t.Errorf("answer %+v, said %v; want %q with %q, %d", a, sessions.said, tc.condition, tc.code, tc.said)
			}
			if want := "pc-1 " + testSession + " " + tc.code; (sessions.refused == want) != (tc.code != "" && tc.said == 0) {
				t.Errorf("what was refused is told as %q, want %q where it was refused here", sessions.refused, want)
			}
			if a.Detail != "" {
				if st, err := scan.Parse([]byte(a.Detail), scan.Limits{}); err != nil || !st.Is(signalling.Namespace, "refused") {
					t.Errorf("detail %s: %v", a.Detail, err)
				}
			}
			if logged := logs.Len() > 0; logged != (tc.condition == stanza.InternalServerError) {
				t.Errorf("logged: %v", logs.All())
			}
		})
	}
}

// TestSessionsAreNotRoutedBetweenAccounts: what is said goes to the server; at accounts nobody answers it.
func TestSessionsAreNotRoutedBetweenAccounts(t *testing.T) {
	_, sessions, set := remoteSessions(zap.NewNop())
	st, err := scan.Parse([]byte("<end xmlns='urn:signalbox:session:1' id='"+testSession+"' reason='a'/>"), scan.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []*Query{{Set: true, To: Own}, {Set: true, To: Another}, {To: Server}} {
		q.Payload, q.From = st.Element(), someone{key: pc1}
		if a := set.Answer(t.Context(), q); a.Condition != stanza.ServiceUnavailable || len(sessions.said) != 0 {
			t.Errorf("to %v by set %v: %v, said %v", q.To, q.Set, a, sessions.said)
		}
	}
	if info := string(set.Answer(t.Context(), &Query{Payload: discoInfo(t), To: Server}).Payload); !strings.Contains(info, "var='urn:signalbox:session:1'") {
		t.Errorf("not advertised: %s", info)
	}
}

func discoInfo(t *testing.T) scan.Element {
	t.Helper()
	st, err := scan.Parse([]byte("<query xmlns='http://jabber.org/protocol/disco#info'/>"), scan.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return st.Element()
}

// TestTell: a message goes to the client that leads, and only one that the server may say to an endpoint.
func TestTell(t *testing.T) {
	about := signalling.About{ID: testSession}
	end := signalling.End{About: about, Reason: "idle_limit"}
	leading, other, gone, full := newFake("pc-1"), newFake("pc-1"), newFake("pc-2"), newFake("pc-3")
	gone.gone, full.gone = true, true
	gone.State().Set(Detached, true)
	r, _, _ := remoteSessions(zap.NewNop(), leading, other, gone, full)
	if err := r.Tell(pc1, end); err != nil || len(other.sent) != 0 {
		t.Fatalf("Tell = %v, the other client got %v", err, other.sent)
	}
	sent := leading.take()
	if len(sent) != 1 {
		t.Fatalf("sent %v", sent)
	}
	st := parsed(t, sent[0])
	got, err := signalling.ParseXML(slices.Collect(st.Element().Children())[0], signalling.ToEndpoint)
	if diff := cmp.Diff(signalling.Message(end), got); err != nil || diff != "" || string(st.Type()) != "set" || len(st.ID()) < 20 || string(st.From()) != "x.test" || string(st.To()) != "pc-1@x.test/r" {
		t.Errorf("sent %s: %v (-want +got):\n%s", sent[0], err, diff)
	}
	for _, tc := range []struct {
		name string
		to   string
		m    signalling.Message
		want error
	}{
		{"no session", "pc-9", end, endpoint.ErrOffline},
		{"session that cannot be resumed", "pc-2", end, endpoint.ErrOffline},
		{"offer to it", "pc-2", signalling.Offer{About: about, Grant: "g"}, endpoint.ErrOffline},
		{"session that is full", "pc-3", end, endpoint.ErrFull},
		{"for technicians to hear", "pc-1", signalling.State{About: about}, &signalling.Error{Code: signalling.NotAllowed}},
		{"that cannot be written", "pc-1", signalling.End{About: about}, &signalling.Error{Code: signalling.WrongValue}},
	} {
		if err := r.Tell(endpoint.Key{Domain: "x.test", ID: tc.to}, tc.m); !errors.Is(err, tc.want) {
			t.Errorf("%s: Tell = %v, want %v", tc.name, err, tc.want)
		}
	}
	if len(leading.sent) != 0 {
		t.Errorf("sent %v", leading.sent)
	}
}

// TestOfferThatIsNotUnderstood: an endpoint that answers with an error denies the session; one that takes the offer says nothing by that.
func TestOfferThatIsNotUnderstood(t *testing.T) {
	for _, tc := range []struct {
		name, answer string
		err          error
		want         []string
		logged       int
	}{
		{"taken", "<iq type='result' id='ID'/>", nil, nil, 0},
		{"error", "<iq type='error' id='ID'><error type='cancel'><service-unavailable xmlns='" + stanza.NSError + "'/></error></iq>", nil,
			[]string{"pc-1 deny " + testSession, "not_supported: the endpoint answered the offer with an error: service-unavailable"}, 0},
		{"error without a condition", "<iq type='error' id='ID'/>", nil, []string{"pc-1 deny " + testSession, "not_supported: the endpoint answered the offer with an error"}, 0},
		{"error after it was over", "<iq type='error' id='ID'/>", signalling.ErrUnknownSession, []string{"pc-1 deny " + testSession, "not_supported: the endpoint answered the offer with an error"}, 0},
		{"error and trouble", "<iq type='error' id='ID'/>", errors.New("disk is gone"), []string{"pc-1 deny " + testSession, "not_supported: the endpoint answered the offer with an error"}, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			core, logs := observer.New(zap.ErrorLevel)
			c := newFake("pc-1")
			r, sessions, _ := remoteSessions(zap.New(core), c)
			sessions.err = tc.err
			if err := r.Tell(pc1, signalling.Offer{About: signalling.About{ID: testSession}, Grant: "g"}); err != nil {
				t.Fatal(err)
			}
			id := string(parsed(t, c.take()[0]).ID())
			c.State().Answered(t.Context(), "x.test", parsed(t, strings.Replace(tc.answer, "ID", id, 1)))
			if diff := cmp.Diff(tc.want, sessions.said); diff != "" || logs.Len() != tc.logged {
				t.Errorf("logged %v, said (-want +got):\n%s", logs.All(), diff)
			}
		})
	}
}
