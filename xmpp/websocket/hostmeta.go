package websocket

import (
	"encoding/json"
	"io"
	"net/http"

	"signalbox/xmpp/scan"
)

// The paths of host-meta (RFC 6415 section 2 and appendix A).
const (
	HostMetaPath     = "/.well-known/host-meta"
	HostMetaJSONPath = "/.well-known/host-meta.json"
)

// relation is the kind of the link to a WebSocket (XEP-0156 section 2.1).
const relation = "urn:xmpp:alt-connections:websocket"

// HostMeta tells clients the URL of the WebSocket, in XML.
func HostMeta(url string) http.Handler {
	b := []byte("<?xml version='1.0' encoding='utf-8'?>\n<XRD xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'>\n  <Link rel='" + relation + "' href='")
	b = scan.AppendEscaped(b, url)
	return document("application/xrd+xml", string(append(b, "'/>\n</XRD>\n"...)))
}

// HostMetaJSON tells the same in JSON.
func HostMetaJSON(url string) http.Handler {
	type link struct {
		Rel  string `json:"rel"`
		Href string `json:"href"`
	}
	text, _ := json.Marshal(map[string][]link{"links": {{relation, url}}}) // strings can always be written
	return document("application/json", string(text)+"\n")
}

// document answers with a text that pages of every origin may read (XEP-0156 section 3).
func document(contentType, text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Access-Control-Allow-Origin", "*")
		_, _ = io.WriteString(w, text) // a client that is gone
	})
}
