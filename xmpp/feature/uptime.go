package feature

import (
	"context"
	"strconv"
	"time"
)

const nsLast = "jabber:iq:last"

// Uptime answers XEP-0012 section 5 for the server: the seconds since it started.
func Uptime(started time.Time) Feature {
	return Feature{Vars: []string{nsLast}, Requests: []Request{{Namespace: nsLast, Local: "query", To: Server, Get: func(context.Context, *Query) Answer {
		b := []byte("<query xmlns='" + nsLast + "' seconds='")
		b = strconv.AppendInt(b, int64(time.Since(started)/time.Second), 10)
		return Answer{Payload: append(b, "'/>"...)}
	}}}}
}
