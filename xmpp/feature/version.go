package feature

// Version answers XEP-0092 for the server with its name and version, and nothing of the system that it runs on.
func Version(version string) Feature {
	const ns = "jabber:iq:version"
	payload := []byte("<query xmlns='" + ns + "'>")
	payload = appendElement(appendElement(payload, "name", "Signalbox"), "version", version)
	payload = append(payload, "</query>"...)
	return Feature{Vars: []string{ns}, Requests: []Request{{Namespace: ns, Local: "query", To: Server, Get: constant(string(payload))}}}
}
