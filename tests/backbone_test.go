package tests

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"signalbox/tests/harness"
)

// call speaks HTTP with the server's API as curl would.
func call(t *testing.T, s *harness.Server, method, path, body string, want int) map[string]any {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL()+path, bytes.NewBufferString(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.Token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != want {
		t.Fatalf("%s %s: status %d, want %d: %s", method, path, resp.StatusCode, want, text)
	}
	var answer map[string]any
	if len(text) > 0 {
		if err := json.Unmarshal(text, &answer); err != nil {
			t.Fatalf("%s %s: %v: %s", method, path, err, text)
		}
	}
	return answer
}

// TestPushIsHandled is the main job: HTTP in, XMPP out, receipt and result back.
func TestPushIsHandled(t *testing.T) {
	s := harness.Start(t)
	call(t, s, "POST", "/v1/endpoints", `{"id":"pc-1","secret":"s3cret-1"}`, 201)
	pc := s.Connect(t, "pc-1")
	pc.Login("pc-1", "s3cret-1", "agent")
	pc.Send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
	pc.Want("<enabled", "resume='true'")
	pc.Send("<presence/>")

	pushed := call(t, s, "POST", "/v1/pushes", `{"to":"pc-1","type":"demo.ping","payload":{"n":1},"ttl":60,"ack":"handled"}`, 202)
	id, _ := pushed["id"].(string)
	if !strings.HasPrefix(id, "psh_") {
		t.Fatalf("id of the push = %q", id)
	}
	pc.Want("id='"+id+"'", `{"n":1}`, "urn:xmpp:receipts")
	pc.Want("<r ")
	pc.Send("<a xmlns='urn:xmpp:sm:3' h='1'/>")
	pc.Send("<message to='" + harness.Domain + "'><received xmlns='urn:xmpp:receipts' id='" + id + "'/></message>")
	pc.Send("<message to='" + harness.Domain + "'><result xmlns='urn:signalbox:push:1' id='" + id + "' status='ok'><json xmlns='urn:xmpp:json:0'>{\"pong\":1}</json></result></message>")
	pc.Send("<r xmlns='urn:xmpp:sm:3'/>")
	for a := pc.Want("<a "); !strings.Contains(a, "h='3'"); { // presence, receipt and result; the last two only once they are durable
		a = pc.Want("<a ")
	}
	got := call(t, s, "GET", "/v1/pushes/"+id, "", 200)
	if got["state"] != "handled" {
		t.Errorf("state = %v, want handled: %v", got["state"], got)
	}
}
