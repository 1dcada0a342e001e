package feature

import (
	"context"
	"time"
)

// Time answers XEP-0202 for the server, in UTC.
func Time() Feature {
	const ns = "urn:xmpp:time"
	return Feature{Vars: []string{ns}, Requests: []Request{{Namespace: ns, Local: "time", To: Server, Get: func(context.Context, *Query) Answer {
		b := []byte("<time xmlns='" + ns + "'><tzo>+00:00</tzo><utc>")
		b = time.Now().UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
		return Answer{Payload: append(b, "</utc></time>"...)}
	}}}}
}
