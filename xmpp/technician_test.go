package xmpp

import (
	"context"
	"encoding/base64"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"

	"signalbox/internal/endpoint"
	"signalbox/internal/signalling"
)

const (
	testSession = "ses_06d5wq2k40000"
	testSeat    = testSession + "@" + testDomain
	nsSession   = signalling.Namespace
)

// broker lets one technician in, with the token t0ken or the secret s3cret. It implements Technicians and Technician.
type broker struct {
	early    []signalling.Message // said before Attach returns
	takes    error
	attached []signalling.Attach
	from     netip.Addr
	send     func(signalling.Message) bool
	closed   func(string)
	taken    []signalling.Message
	refused  []signalling.Code
	detached int
}

func (b *broker) Attach(_ context.Context, a signalling.Attach, from netip.Addr, send func(signalling.Message) bool, closed func(string)) (Technician, error) {
	switch {
	case a.Token == "broken":
		return nil, errors.New("disk is gone")
	case a.ID != testSession || a.Token != "t0ken" && a.Reattach != "s3cret":
		return nil, signalling.ErrTokenRefused
	}
	b.attached, b.from, b.send, b.closed = append(b.attached, a), from, send, closed
	for _, m := range b.early {
		send(m)
	}
	return b, nil
}

func (b *broker) Take(_ context.Context, m signalling.Message) error {
	b.taken = append(b.taken, m)
	return b.takes
}

func (b *broker) Refused(code signalling.Code) { b.refused = append(b.refused, code) }

func (b *broker) Detach() { b.detached++ }

// technicianBench is a server on which technicians may log in.
func technicianBench(t testing.TB, change ...func(*Config)) (*bench, *broker) {
	t.Helper()
	b, side := newBench(t, change...), &broker{}
	b.deps.Technicians = side
	return b, side
}

func authTechnician(password string) string {
	return "<auth xmlns='" + nsSASL + "' mechanism='PLAIN'>" + base64.StdEncoding.EncodeToString([]byte("\x00"+testSession+"\x00"+password)) + "</auth>"
}

// seated returns a stream on which a technician is bound as viewer.
func (b *bench) seated(t testing.TB) *talk {
	t.Helper()
	k := b.connect(t)
	k.feed(header + authTechnician("t0ken") + header + strings.Replace(bindAgent, "agent", "viewer", 1))
	if got := k.wire.take(); !strings.HasSuffix(got, "<bind xmlns='"+nsBind+"'><jid>"+testSeat+"/viewer</jid></bind></iq>") {
		t.Fatalf("login of a technician: %s", got)
	}
	return k
}

func (b *bench) seats(t testing.TB) float64 {
	t.Helper()
	var m dto.Metric
	if err := b.metrics.seats.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetGauge().GetValue()
}

func state(s string) signalling.State {
	return signalling.State{About: signalling.About{ID: testSession}, State: s, Endpoint: "pc-1", Transport: signalling.TransportAuto}
}

func end() signalling.End {
	return signalling.End{About: signalling.About{ID: testSession}, Reason: "technician_ended"}
}

// TestTechnicianLogin: what a technician is offered is a seat and no session of an endpoint, and what is said to them before they have it waits.
func TestTechnicianLogin(t *testing.T) {
	b, side := technicianBench(t)
	restarted := signalling.Restarted{About: signalling.About{ID: testSession}}
	side.early = []signalling.Message{state("requested"), restarted, state("connecting")}
	k := b.connect(t)
	k.feed(header + authTechnician("t0ken") + header)
	_, offered, _ := strings.Cut(k.wire.take(), "<success")
	if !strings.Contains(offered, "<bind xmlns='"+nsBind+"'/>") || strings.Contains(offered, nsSM) || strings.Contains(offered, nsSession) {
		t.Errorf("after the login: %s, want bind, no stream management and nothing of the session yet", offered)
	}
	k.feed(enable + bindAgent)
	got := k.wire.take()
	failed, bound, waited := strings.Index(got, "<failed xmlns='"+nsSM+"'>"), strings.Index(got, "<jid>"+testSeat+"/agent</jid>"), strings.Index(got, "state='requested'")
	if failed != 0 || bound < failed || waited < bound || strings.Index(got, "state='connecting'") < waited {
		t.Errorf("after the bind: %s, want a refusal, the address and two states in order", got)
	}
	want := []signalling.Attach{{About: signalling.About{ID: testSession}, Token: "t0ken"}}
	if diff := cmp.Diff(want, side.attached); diff != "" || side.from != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("attached from %v (-want +got):\n%s", side.from, diff)
	}
	if b.changes.String() != "" || b.seats(t) != 1 {
		t.Errorf("changes: %q, %v seats; want no endpoint and one seat", b.changes, b.seats(t))
	}
	if !side.send(state("active")) || !strings.Contains(k.wire.take(), "to='"+testSeat+"/agent'><state xmlns='"+nsSession+"' id='"+testSession+"' state='active'") {
		t.Error("a message does not reach the technician")
	}
	told := "<message type='headline' from='" + testDomain + "' to='" + testSeat + "/agent'><restarted xmlns='" + nsSession + "' id='" + testSession + "'/></message>"
	if strings.Contains(got, "restarted") || !side.send(restarted) || k.wire.take() != told {
		t.Error("what need not be known does not reach the technician as a headline, or waited for them")
	}
}

func TestTechnicianComesBack(t *testing.T) {
	b, side := technicianBench(t)
	k := b.connect(t)
	k.feed(header + authTechnician("reattach:s3cret") + header + bindAgent)
	if want := []signalling.Attach{{About: signalling.About{ID: testSession}, Reattach: "s3cret"}}; !cmp.Equal(side.attached, want) || !strings.Contains(k.wire.take(), "<jid>") {
		t.Errorf("attached: %v, want %v", side.attached, want)
	}
}

// TestTechnicianBySASL2: the profile of XEP-0388 works, too; what is asked for in the same breath is not for technicians.
func TestTechnicianBySASL2(t *testing.T) {
	b, side := technicianBench(t)
	k := b.connect(t)
	initial := base64.StdEncoding.EncodeToString([]byte("\x00" + testSession + "\x00t0ken"))
	k.feed(header + request2(initial, client+bind2+wantToken+"<resume xmlns='"+nsSM+"' previd='x' h='0'/>"))
	got := k.wire.take()
	if !strings.Contains(got, "<success xmlns='"+nsSASL2+"'><authorization-identifier>"+testSeat+"</authorization-identifier></success><stream:features><bind xmlns='"+nsBind+"'/>") {
		t.Fatalf("answer: %s, want who they are, and bind", got)
	}
	k.feed(bindAgent)
	if got := k.wire.take(); !strings.Contains(got, "<jid>"+testSeat+"/agent</jid>") || len(side.attached) != 1 || b.changes.String() != "" {
		t.Errorf("after the bind: %s, changes %s", got, b.changes)
	}
}

func TestTechnicianRefused(t *testing.T) {
	for _, tc := range []struct {
		name, password, condition string
		none                      bool // nobody serves sessions
	}{
		{"wrong token", "wrong", "not-authorized", false},
		{"wrong secret", "reattach:t0ken", "not-authorized", false},
		{"secret as a token", "s3cret", "not-authorized", false},
		{"trouble", "broken", "temporary-auth-failure", false},
		{"no sessions are served", "t0ken", "not-authorized", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, side := technicianBench(t)
				if tc.none {
					b.deps.Technicians = nil
				}
				k := b.connect(t)
				k.feed(header + authTechnician(tc.password))
				if got := k.wire.take(); !strings.HasSuffix(got, "<failure xmlns='"+nsSASL+"'><"+tc.condition+"/></failure>") || side.attached != nil {
					t.Errorf("answer: %s, want %s", got, tc.condition)
				}
				k.feed(bindAgent)
				if got := k.wire.take(); !strings.Contains(got, "<not-authorized ") || !k.wire.ended() {
					t.Errorf("bind without a login: %s", got)
				}
			})
		})
	}
}

// TestSeatIsTaken: a technician who has logged in can bind a resource, and do nothing else.
func TestSeatIsTaken(t *testing.T) {
	bindAs := func(resource string) string { return strings.Replace(bindAgent, "agent", resource, 1) }
	for _, tc := range []struct {
		name, sent, want string
		ended            bool
	}{
		{"no resource of their own", strings.Replace(bindAgent, "<resource>agent</resource>", "", 1), "<jid>" + testSeat + "/", false},
		{"resource that is none", bindAs("\u2028"), "<jid-malformed ", false},
		{"resumption", "<resume xmlns='" + nsSM + "' previd='x' h='0'/>", "<failed ", false},
		{"message before", "<iq type='set' id='1'><end xmlns='" + nsSession + "' id='" + testSession + "' reason='a'/></iq>", "<not-authorized ", true},
		{"login again", authPC1, "<not-authorized ", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b, side := technicianBench(t)
			k := b.connect(t)
			k.feed(header + authTechnician("t0ken") + header)
			k.wire.take()
			k.feed(tc.sent)
			if got := k.wire.take(); !strings.Contains(got, tc.want) || k.wire.ended() != tc.ended || side.detached > 0 != tc.ended || len(side.taken) != 0 {
				t.Errorf("answer: %s, ended %v, %d times detached; want %s, %v", got, k.wire.ended(), side.detached, tc.want, tc.ended)
			}
		})
	}
	b, side := technicianBench(t)
	k := b.connect(t)
	k.feed(header + authTechnician("t0ken") + header)
	side.closed("management_ended") // in between
	if k.feed(bindAgent); !k.wire.ended() || strings.Contains(k.wire.take(), "<jid>") {
		t.Error("a seat of a session that is over is taken")
	}
	if k.seat.Load().bind(testSeat+"/agent", nil) || b.seats(t) != 0 {
		t.Error("a seat is taken by who asked just before the session was over")
	}
}

// TestTechnicianSays: messages of the session reach the broker; nothing else reaches anybody.
func TestTechnicianSays(t *testing.T) {
	const own = " id='" + testSession + "'"
	iq := func(payload string) string { return "<iq type='set' id='1'>" + payload + "</iq>" }
	refused := func(code string) string { return "code='" + code + "'" }
	for _, tc := range []struct {
		name, sent, want string
		takes            error
		taken            int
	}{
		{"message", iq("<end xmlns='" + nsSession + "'" + own + " reason='technician_ended'/>"), "<iq type='result' id='1' to='" + testSeat + "/viewer'></iq>", nil, 1},
		{"to the domain", "<iq type='set' id='1' to='" + testDomain + "'><end xmlns='" + nsSession + "'" + own + " reason='a'/></iq>", "<iq type='result' id='1' from='" + testDomain + "'", nil, 1},
		{"in no state for it", iq("<end xmlns='" + nsSession + "'" + own + " reason='a'/>"), "<unexpected-request ", signalling.ErrUnexpected, 1},
		{"trouble", iq("<end xmlns='" + nsSession + "'" + own + " reason='a'/>"), "<internal-server-error ", errors.New("disk is gone"), 1},
		{"of another session", iq("<end xmlns='" + nsSession + "' id='ses_06d5wq2k40001' reason='a'/>"), refused("not_party"), nil, 0},
		{"for endpoints to say", iq("<accept xmlns='" + nsSession + "'" + own + "/>"), refused("not_allowed"), nil, 0},
		{"malformed", iq("<end xmlns='" + nsSession + "'" + own + "/>"), refused("missing_member"), nil, 0},
		{"by get", "<iq type='get' id='1'><end xmlns='" + nsSession + "'" + own + " reason='a'/></iq>", "<service-unavailable ", nil, 0},
		{"to the endpoint itself", "<iq type='set' id='1' to='pc-1@" + testDomain + "'><end xmlns='" + nsSession + "'" + own + " reason='a'/></iq>", "<service-unavailable ", nil, 0},
		{"to themselves", "<iq type='set' id='1' to='" + testSeat + "'><end xmlns='" + nsSession + "'" + own + " reason='a'/></iq>", "<service-unavailable ", nil, 0},
		{"without id", "<iq type='set'><end xmlns='" + nsSession + "'" + own + " reason='a'/></iq>", "<bad-request ", nil, 0},
		{"two at once", iq(strings.Repeat("<end xmlns='"+nsSession+"'"+own+" reason='a'/>", 2)), "<bad-request ", nil, 0},
		{"ping", "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>", "<iq type='result' id='1'", nil, 0},
		{"discovery", "<iq type='get' id='1' to='" + testDomain + "'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>", "<service-unavailable ", nil, 0},
		{"roster", "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>", "<service-unavailable ", nil, 0},
		{"message stanza", "<message to='pc-1@" + testDomain + "'><body>x</body></message>", "<service-unavailable ", nil, 0},
		{"result of a push", receipt(1), "<service-unavailable ", nil, 0},
		{"presence", "<presence/>", "<service-unavailable ", nil, 0},
		{"answer", "<iq type='result' id='1'/>", "", nil, 0},
		{"error", "<message type='error'/>", "", nil, 0},
		{"stream management", enable, "<failed ", nil, 0},
		{"another's name", "<presence from='pc-1@" + testDomain + "'/>", "<invalid-from ", nil, 0},
		{"unknown element", "<x xmlns='urn:x'/>", "<unsupported-stanza-type ", nil, 0},
		{"element of streams", "<message><stream:x/></message>", "<invalid-xml ", nil, 0},
		{"long id", "<presence id='" + strings.Repeat("x", maxIDBytes+1) + "'/>", "<policy-violation ", nil, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b, side := technicianBench(t)
			side.takes = tc.takes
			online := b.connect(t) // whom a technician could reach
			online.feed(login1 + "<presence/>")
			online.wire.take()
			k := b.seated(t)
			k.feed(tc.sent)
			got := k.wire.take()
			if !strings.Contains(got, tc.want) || tc.want == "" && got != "" || len(side.taken) != tc.taken {
				t.Errorf("answer: %s, %d taken; want %s, %d", got, len(side.taken), tc.want, tc.taken)
			}
			if refused := strings.HasPrefix(tc.want, "code=") && tc.taken == 0; len(side.refused) == 1 != refused {
				t.Errorf("the broker is told that %q were refused, want one: %v", side.refused, refused)
			}
			if got := online.wire.take(); got != "" || b.changes.String() != "bound available" || len(b.answers.text) != 0 {
				t.Errorf("the endpoint got %s; changes %s; answers %v", got, b.changes, b.answers.text)
			}
		})
	}
}

// TestTechnicianEnds: each way in which a technician's stream ends is told to the broker once, and each end by the broker ends the stream.
func TestTechnicianEnds(t *testing.T) {
	for _, tc := range []struct {
		name     string
		do       func(*bench, *broker, *talk)
		last     string
		detached int
	}{
		{"connection lost", func(_ *bench, _ *broker, k *talk) { k.lose() }, "", 1},
		{"stream closed", func(_ *bench, _ *broker, k *talk) { k.feed("</stream:stream>") }, "</stream:stream>", 1},
		{"mistake", func(_ *bench, _ *broker, k *talk) { k.feed("<a></b>") }, "not-well-formed", 1},
		{"session over", func(_ *bench, s *broker, _ *talk) { s.closed("idle_limit") }, "</stream:stream>", 0},
		{"side taken", func(_ *bench, s *broker, _ *talk) { s.closed("replaced") }, "<conflict ", 0},
		{"too slow", func(_ *bench, s *broker, _ *talk) { s.closed("slow") }, "<policy-violation ", 0},
		{"server stops", func(b *bench, _ *broker, _ *talk) { b.Drain(context.Background(), time.Now()) }, "<system-shutdown ", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b, side := technicianBench(t)
			k := b.seated(t)
			tc.do(b, side, k)
			k.Closed(nil)
			if got := k.wire.take(); !strings.Contains(got, tc.last) || side.detached != tc.detached {
				t.Errorf("last words %q, %d times detached; want %q, %d", got, side.detached, tc.last, tc.detached)
			}
			if side.send(state("active")) || b.seats(t) != 0 || b.changes.String() != "" || b.Streams() != 0 {
				t.Errorf("%v seats, %d streams, changes %s: something is left", b.seats(t), b.Streams(), b.changes)
			}
			side.closed("idle_limit") // too late, and nothing comes of it
			if side.detached != tc.detached {
				t.Error("detached again")
			}
		})
	}
}

// TestTechnicianWhoNeverBinds: the token is used and the side taken, so it must be given back.
func TestTechnicianWhoNeverBinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, side := technicianBench(t)
		observed := &observed{}
		b.deps.Observer = observed
		run := b.start(t)
		defer run()
		k := b.connect(t)
		b.wheel.Set(&k.timer, b.cfg.LoginTimeout)
		k.feed(header + authTechnician("t0ken") + header)
		for n := 0; side.send(state("requested")); n++ {
			if n > maxUnseated {
				t.Fatal("what waits for a technician is not bounded")
			}
		}
		time.Sleep(b.cfg.LoginTimeout + time.Second)
		if got := k.wire.take(); !strings.Contains(got, "<connection-timeout ") || side.detached != 1 {
			t.Errorf("last words %s, %d times detached", got, side.detached)
		}
		k.Closed(nil)
		if side.detached != 1 || len(observed.failed) != 0 {
			t.Errorf("%d times detached, told of %v", side.detached, observed.failed)
		}
	})
}

// observed keeps what it is told. It implements Observer.
type observed struct {
	failed []Failure
	in     []endpoint.Key
}

func (o *observed) LoginFailed(f Failure)                     { o.failed = append(o.failed, f) }
func (o *observed) LoggedIn(k endpoint.Key, _ netip.AddrPort) { o.in = append(o.in, k) }

// TestTechnicianIsNoEndpoint: nobody who counts endpoints hears of a technician.
func TestTechnicianIsNoEndpoint(t *testing.T) {
	b, side := technicianBench(t)
	observed := &observed{}
	b.deps.Observer = observed
	k := b.seated(t)
	if _, ok := b.deps.Registry.Session(endpoint.Key{Domain: testDomain, ID: testSession}); ok || len(observed.in) != 0 {
		t.Errorf("the registry or the observer knows a technician: %v", observed.in)
	}
	again := b.connect(t)
	again.feed(header + authTechnician("t0ken") + header + bindAgent)
	if k.wire.ended() || again.wire.ended() {
		t.Error("a second technician ends the first, which is for the broker to decide")
	}
	k.lose()
	if len(observed.failed) != 0 || side.detached != 1 {
		t.Errorf("told of %v, %d times detached", observed.failed, side.detached)
	}
}

// TestTechnicianWhoDoesNotRead: what cannot be sent is said to the broker, which decides.
func TestTechnicianWhoDoesNotRead(t *testing.T) {
	b, side := technicianBench(t)
	k := b.seated(t)
	k.wire.full = true
	if side.send(state("active")) {
		t.Error("a full queue took a message")
	}
	k.wire.full = false
	if side.send(signalling.Offer{About: signalling.About{ID: testSession}, Grant: "g"}) || side.send(signalling.End{}) || k.wire.take() != "" {
		t.Error("a message was sent that no technician may get, or that cannot be written")
	}
	if !side.send(end()) || !strings.Contains(k.wire.take(), "<end ") {
		t.Error("the next message is not sent")
	}
}

// TestTechnicianIsPinged: silence is found out as with endpoints.
func TestTechnicianIsPinged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, side := technicianBench(t, func(c *Config) { c.PingAfter, c.Liveness = 20*time.Second, 30*time.Second })
		run := b.start(t)
		defer run()
		k := b.seated(t)
		time.Sleep(21 * time.Second)
		if got := k.wire.take(); !strings.Contains(got, "to='"+testSeat+"/viewer'><ping xmlns='urn:xmpp:ping'/></iq>") {
			t.Fatalf("after the silence: %q, want a ping", got)
		}
		time.Sleep(11 * time.Second)
		if got := k.wire.take(); !strings.Contains(got, "<connection-timeout ") || side.detached != 1 {
			t.Errorf("after more of it: %q, %d times detached", got, side.detached)
		}
	})
}
