package feature

import "signalbox/xmpp/scan"

// Version answers XEP-0092 for the server with its name and version, and nothing of the system that it runs on.
func Version(version string) Feature {
	const ns = "jabber:iq:version"
	payload := []byte("<query xmlns='" + ns + "'><name>Signalbox</name><version>")
	payload = append(scan.AppendEscaped(payload, version), "</version></query>"...)
	return Feature{Namespace: ns, Local: "query", Vars: []string{ns}, Answer: func(r *Request) Answer {
		if r.Set || !r.ToServer {
			return Unavailable()
		}
		return Answer{Payload: payload}
	}}
}
