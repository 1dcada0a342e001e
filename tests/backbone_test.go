package tests

import (
	"strings"
	"testing"

	"signalbox/tests/harness"
)

// TestPushIsHandled is the main job: HTTP in, XMPP out, receipt and result back.
func TestPushIsHandled(t *testing.T) {
	s := harness.Start(t)
	s.Call(t, "POST", "/v1/endpoints", `{"id":"pc-1","secret":"s3cret-1"}`, 201)
	pc := s.Connect(t, "pc-1")
	pc.Login("pc-1", "s3cret-1", "agent")
	pc.Send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
	pc.Want("<enabled", "resume='true'")
	pc.Send("<presence/>")

	id := s.Submit(t, `{"to":"pc-1","type":"demo.ping","payload":{"n":1},"ttl":60,"ack":"handled"}`)
	if !strings.HasPrefix(id, "psh_") {
		t.Fatalf("id of the push = %q", id)
	}
	pc.Want("id='"+id+"'", "demo.ping", "urn:xmpp:receipts")
	pc.Want("<r ")
	pc.Send("<a xmlns='urn:xmpp:sm:3' h='1'/>")
	pc.Send("<message to='" + harness.Domain + "'><received xmlns='urn:xmpp:receipts' id='" + id + "'/></message>")
	pc.Send("<message to='" + harness.Domain + "'><result xmlns='urn:signalbox:push:1' id='" + id + "' status='ok'><json xmlns='urn:xmpp:json:0'>{\"pong\":1}</json></result></message>")
	pc.Send("<r xmlns='urn:xmpp:sm:3'/>")
	for a := pc.Want("<a "); !strings.Contains(a, "h='3'"); { // presence, receipt and result; the last two only once they are durable
		a = pc.Want("<a ")
	}
	if got := s.Push(t, id); got.State != "handled" {
		t.Errorf("state = %s, want handled: %v", got.State, got)
	}
}
