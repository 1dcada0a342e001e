package tests

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"signalbox/internal/config"
	"signalbox/tests/harness"
)

// TestUpload is a client's way (XEP-0363): it finds the service, asks for a slot, puts a file there, and another fetches it.
func TestUpload(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, func(c *config.Config) { c.Upload.Enabled, c.Upload.MaxBytes = true, 400_000 }, harness.Components)
	s.Call(t, "POST", "/v1/endpoints", `{"id":"pc-1","secret":"s3cret-1"}`, 201)
	pc := s.Connect(t, "pc-1")
	pc.Login("pc-1", "s3cret-1", "r")
	pc.Send("<iq type='get' id='info' to='" + harness.Domain + "'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>")
	pc.Want("<feature var='urn:xmpp:http:upload:0'/>", "<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'><value>urn:xmpp:http:upload:0</value></field>"+
		"<field var='max-file-size'><value>400000</value></field></x>")
	request := func(size string) {
		pc.Send("<iq type='get' id='slot' to='" + harness.Domain + "'><request xmlns='urn:xmpp:http:upload:0' filename='a &amp; b.bin' size='" + size + "'/></iq>")
	}
	request("400001")
	pc.Want("type='error'", "<not-acceptable", "<file-too-large xmlns='urn:xmpp:http:upload:0'><max-file-size>400000</max-file-size></file-too-large>")
	request("many")
	pc.Want("type='error'", "<bad-request")
	request("300000")
	found := regexp.MustCompile(`<put url='(https://[^']+/upload/[0-9a-f]{32}/a%20&amp;%20b\.bin)'/><get url='([^']+)'/>`).FindStringSubmatch(pc.Want("type='result'"))
	if found == nil || found[1] != found[2] {
		t.Fatalf("slot: %v", found)
	}
	address := strings.ReplaceAll(found[1], "&amp;", "&")
	if _, port, _ := net.SplitHostPort(s.Addr("tls")); !strings.HasPrefix(address, "https://"+harness.Domain+":"+port+"/") {
		t.Errorf("address %s", address)
	}
	cfg := s.TLS()
	cfg.NextProtos = nil
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: cfg, DialContext: (&toServer{s.Addr("tls")}).dial}}
	content := bytes.Repeat([]byte("0123456789"), 30_000)
	put := func() int {
		req, err := http.NewRequestWithContext(t.Context(), "PUT", address, bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	if got := put(); got != 201 {
		t.Fatalf("PUT = %d", got)
	}
	resp, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(got, content) || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("GET = %d, %d bytes, %v", resp.StatusCode, len(got), err)
	}
	if got := put(); got != 409 {
		t.Errorf("second PUT = %d, want 409", got)
	}
	component := s.ConnectComponent(t, "bot")
	component.Serve(bot)
	component.Send("<iq type='get' id='slot' from='pc-1@" + bot + "' to='" + harness.Domain + "'><request xmlns='urn:xmpp:http:upload:0' filename='a' size='1'/></iq>")
	component.Want("type='error'", "<forbidden")
}

// TestUploadIsOff: without the key there is nothing of it.
func TestUploadIsOff(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	r := dialWeb(t, s)
	if got := r.ask("PUT /upload/" + strings.Repeat("0", 32) + "/a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"); got != 404 {
		t.Errorf("PUT = %d, want 404", got)
	}
}
