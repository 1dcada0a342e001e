package websocket

import (
	"encoding/json"
	"encoding/xml"
	"net/http/httptest"
	"testing"
)

const testURL = "wss://xmpp.example:8443/xmpp-websocket?a=1&b='2'"

func TestHostMeta(t *testing.T) {
	rec := httptest.NewRecorder()
	HostMeta(testURL).ServeHTTP(rec, httptest.NewRequest("GET", HostMetaPath, nil))
	wantHeaders(t, rec, "application/xrd+xml")
	var got struct {
		XMLName xml.Name `xml:"http://docs.oasis-open.org/ns/xri/xrd-1.0 XRD"`
		Link    []struct {
			Rel  string `xml:"rel,attr"`
			Href string `xml:"href,attr"`
		}
	}
	if err := xml.Unmarshal(rec.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Link) != 1 || got.Link[0].Rel != "urn:xmpp:alt-connections:websocket" || got.Link[0].Href != testURL {
		t.Errorf("host-meta = %s", rec.Body)
	}
}

func TestHostMetaJSON(t *testing.T) {
	rec := httptest.NewRecorder()
	HostMetaJSON(testURL).ServeHTTP(rec, httptest.NewRequest("GET", HostMetaJSONPath, nil))
	wantHeaders(t, rec, "application/json")
	var got struct {
		Links []struct{ Rel, Href string }
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Links) != 1 || got.Links[0].Rel != "urn:xmpp:alt-connections:websocket" || got.Links[0].Href != testURL {
		t.Errorf("host-meta.json = %s", rec.Body)
	}
}

// wantHeaders: pages of every origin may read it (XEP-0156 section 3).
func wantHeaders(t *testing.T, rec *httptest.ResponseRecorder, contentType string) {
	t.Helper()
	if got := rec.Header().Get("Content-Type"); got != contentType {
		t.Errorf("Content-Type: %s", got)
	}
	if got := rec.Header().Get("Access-Control-Allow-Origin"); got != "*" {
		t.Errorf("Access-Control-Allow-Origin: %s", got)
	}
}
