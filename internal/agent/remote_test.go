package agent

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/internal/agent/capability"
	"signalbox/internal/agent/remote"
	"signalbox/internal/channel"
	"signalbox/internal/identity"
	"signalbox/internal/signalling"
)

// shell is a capability that nothing is opened of.
type shell struct{}

func (shell) Name() string                                { return channel.Terminal }
func (shell) Supported() error                            { return nil }
func (shell) Open(capability.Session) capability.Instance { return nil }

// sealed is an offer of a session, sealed with a key.
func sealed(t *testing.T, key identity.Key, endpoint string) signalling.Offer {
	t.Helper()
	text, err := signalling.Seal(key, signalling.Grant{
		ID: "ses_0123456789abc", Endpoint: endpoint, Technician: signalling.Technician{ID: "t1", Name: "Ada"}, Kinds: []string{channel.Terminal}, Permissions: []string{channel.MayType},
		Consent: signalling.ConsentMode{Mode: signalling.ModeNone}, Transport: signalling.TransportAuto, Issued: time.Now(), Expires: time.Now().Add(time.Hour), RelayHosts: []string{"wss://example.org/relay/"},
	})
	must(t, err)
	return signalling.Offer{About: signalling.About{ID: "ses_0123456789abc"}, Grant: text}
}

// tell sends a message about a remote session and takes the answer of the iq, if one is named.
func (p *peer) tell(m signalling.Message, from, answer string) {
	p.t.Helper()
	text, err := signalling.AppendXML(nil, m)
	must(p.t, err)
	p.send(fmt.Sprintf("<iq type='set' id='s1' from='%s' to='pc-1@%s'>%s</iq>", from, testDomain, text))
	if answer != "" {
		p.until("<iq type='" + answer + "' id='s1' to='" + from + "'>")
		p.until("</iq>")
	}
}

// accepted offers a session and returns how the agent accepts it. The answer to the offer itself may come before what the agent says, in between or after it.
func (p *peer) accepted(offer signalling.Offer) (accept string) {
	p.t.Helper()
	p.tell(offer, testDomain, "")
	var answered, asked bool
	for accept == "" || !answered {
		switch text := p.until("</iq>"); {
		case strings.Contains(text, "<iq type='result' id='s1' to='"+testDomain+"'>"):
			answered = true
		case !asked && strings.Contains(text, "'><consent xmlns='"+signalling.Namespace+"'"):
			asked = true
		case asked && strings.Contains(text, "'><accept xmlns='"+signalling.Namespace+"'"):
			accept = text
		default:
			p.t.Fatalf("the agent says %s, want consent, then accept, and the answer to the offer", text)
		}
	}
	return accept
}

// denied offers a session that is refused at once, and returns what the agent says.
func (p *peer) denied(offer signalling.Offer) string {
	p.t.Helper()
	p.tell(offer, testDomain, "")
	text := p.said("deny")
	p.until("<iq type='result' id='s1' to='" + testDomain + "'></iq>")
	return text
}

// said takes the next message about a remote session, whose name it must be.
func (p *peer) said(name string) string {
	p.t.Helper()
	p.until("<iq type='set' id='ses_0123456789abc.")
	text := p.until("</iq>")
	if !strings.Contains(text, "to='"+testDomain+"'><"+name+" xmlns='"+signalling.Namespace+"'") {
		p.t.Errorf("the agent says %s, want %s", text, name)
	}
	return text
}

func remoteAgent(t *testing.T, key identity.Key) (*run, *peer) {
	t.Helper()
	knows := func(a *Agent) { a.serverKey = key.Public() } // as with server_key, but for the proof at the login, which has tests of its own
	r := startAgent(t, testConfig(t), WithCapabilities(shell{}), WithConsent(remote.Nobody{}), knows)
	p := r.next().secure(nil)
	p.start()
	return r, p
}

// A session is offered by the server and by nobody else, goes on in the next XMPP session, and is over when the server does not know it.
func TestRemoteSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := identity.Generate()
		r, p := remoteAgent(t, key)
		offer := sealed(t, key, "pc-1@"+testDomain)
		p.tell(offer, "pc-2@"+testDomain, "error")
		p.tell(signalling.End{About: offer.About, Reason: "technician_ended"}, testDomain, "error")
		if text := p.accepted(offer); !strings.Contains(text, ">terminal<") {
			t.Errorf("accept without its capability: %s", text)
		}
		if all := r.agent.RemoteSessions(); len(all) != 1 || all[0].Technician.Name != "Ada" {
			t.Errorf("sessions = %+v", all)
		}
		p.conn.Close()
		p = r.next().secure(nil)
		p.start()
		if text := p.said("accept"); !strings.Contains(text, "resumed='true'") {
			t.Errorf("accept after the login: %s", text)
		}
		p.send("<iq type='error' id='ses_0123456789abc.9' from='" + testDomain + "'><error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>")
		p.send(ackRequest)
		p.until("/>")
		synctest.Wait()
		if len(r.agent.RemoteSessions()) != 0 {
			t.Error("a session that the server does not know goes on")
		}
		r.stopAnyhow(p)
	})
}

// Grants that are not for this endpoint, or not by this server, open nothing.
func TestForeignGrants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := identity.Generate()
		r, p := remoteAgent(t, key)
		for _, offer := range []signalling.Offer{sealed(t, identity.Generate(), "pc-1@"+testDomain), sealed(t, key, "pc-2@"+testDomain), {About: sealed(t, key, "x").About, Grant: "sbg1.e30.e30"}} {
			if text := p.denied(offer); !strings.Contains(text, "reason='grant_refused'") {
				t.Errorf("deny = %s", text)
			}
		}
		if r.agent.EndRemoteSession("ses_0123456789abc", "ann") || len(r.agent.RemoteSessions()) != 0 {
			t.Error("a session runs")
		}
		r.stopAnyhow(p)
	})
}

// An agent that does not know its server's key takes no session.
func TestNoServerKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startAgent(t, testConfig(t), WithCapabilities(shell{}))
		p := r.next().secure(nil)
		p.start()
		if text := p.denied(sealed(t, identity.Generate(), "pc-1@"+testDomain)); !strings.Contains(text, "server_key") {
			t.Errorf("deny = %s", text)
		}
		r.stopAnyhow(p)
	})
}

// The user's end reaches the server when it is back.
func TestUserEndsOffline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := identity.Generate()
		r, p := remoteAgent(t, key)
		p.accepted(sealed(t, key, "pc-1@"+testDomain))
		p.conn.Close()
		synctest.Wait()
		if !r.agent.EndRemoteSession("ses_0123456789abc", "ann") {
			t.Fatal("there is no session")
		}
		p = r.next().secure(nil)
		p.start()
		if text := p.said("end"); !strings.Contains(text, "reason='user_ended'") {
			t.Errorf("end = %s", text)
		}
		r.stopAnyhow(p)
	})
}
