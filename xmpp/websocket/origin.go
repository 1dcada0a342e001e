package websocket

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// allowed reports whether a request may open a stream: those of programs, which have no origin, those of pages that we serve ourselves, and those of pages that the
// operator listed. A page elsewhere could use the browser of somebody inside the network to reach us.
func (h *Handler) allowed(r *http.Request) bool {
	given := r.Header.Values("Origin")
	if len(given) == 0 {
		return true
	}
	if len(given) > 1 {
		return false
	}
	origin := strings.ToLower(given[0])
	return slices.Contains(h.origins, origin) || h.isOwn(origin, r.Host)
}

// asSent returns a configured origin as browsers write it: in lower case, without the port that its scheme has anyway.
func asSent(origin string) string {
	origin = strings.ToLower(origin)
	if strings.HasPrefix(origin, "https:") {
		return strings.TrimSuffix(origin, ":443")
	}
	return strings.TrimSuffix(origin, ":80")
}

// isOwn reports whether an origin is the address at which we were asked, by a name of ours.
func (h *Handler) isOwn(origin, host string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "https" || origin != "https://"+u.Host {
		return false
	}
	name, port := splitHost(u.Host)
	asked, askedPort := splitHost(strings.ToLower(host))
	return name == asked && port == askedPort && slices.Contains(h.names, name)
}

// splitHost returns name and port, 443 if none is there.
func splitHost(host string) (name, port string) {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return host, "443"
	}
	return name, port
}
