package config

import (
	"cmp"
	"slices"
	"strings"

	"signalbox/xmpp/websocket"
)

// seedName is a variable of the installations that Signalbox takes the place of.
type seedName struct {
	name string
	doc  string
}

// The names that decide about something.
const (
	seedBase     = "TIGASE_DOMAIN"
	seedDomain   = "XMPP_DOMAIN"
	seedXMPPHost = "ITSM_XMPP_HOST"
	seedXMPPIP   = "ITSM_XMPP_IP"
	seedWebHost  = "ITSM_WEB_HOST"
	seedWebIP    = "ITSM_WEB_IP"
	seedITSM     = "ITSM_DOMAIN"
	seedTURN     = "ITSM_TURN_SERVERS"
	// basePrefix makes the JID domain of a base domain.
	basePrefix = "xmpp."
)

// seedNames returns them in the order in which they are documented.
func seedNames() []seedName {
	return []seedName{
		{seedBase, "Base domain, as `base_domain`: the certificate bundle is named after it, and `" + basePrefix + "` before it is the domain if nothing else says which."},
		{seedDomain, "JID domain, if `domain` is not set."},
		{seedXMPPHost, "Public name of this server, that of `xmpp.websocket_url` if that is not set; the JID domain if neither `domain` nor XMPP_DOMAIN is set."},
		{seedXMPPIP, "Public address of this server, that of `turn.public_ip` if that is not set."},
		{seedWebHost, "Name of the management server, as `events.host`: events go there."},
		{seedITSM, "Another name for ITSM_WEB_HOST; both must say the same."},
		{seedWebIP, "Address of the management server if DNS does not know it, as `events.address`."},
		{seedTURN, "Other TURN servers to hand out, comma or space separated, if `turn.servers` is not set."},
	}
}

// Configures reports whether an environment variable of this name has a meaning for Load, so that a program with a configuration of its own can be kept from it.
func Configures(name string) bool {
	return strings.HasPrefix(name, envPrefix) || slices.ContainsFunc(seedNames(), func(s seedName) bool { return s.name == name })
}

// seedManagement takes the management server. Its address belongs to that name: where a key names another host, it means nothing.
func (l *loader) seedManagement(host, ip string) {
	to := &l.cfg.Events.Webhooks
	if to.Host == "" {
		to.Host = host
	}
	switch {
	case ip == "" || to.Address != "":
	case to.Host == "" || host != "" && to.Host != host:
		l.warn(seedWebIP, "is ignored: %s does not say whose address it is", seedWebHost)
	default:
		to.Address = ip
	}
}

// seed takes the seed's variables, a later rank over an earlier one; empty ones count as not given. They rank below the keys, wherever those are set.
func (l *loader) seed(ranks []map[string]string) {
	value := func(name string) (v string) {
		for _, r := range ranks {
			v = cmp.Or(strings.TrimSpace(r[name]), v)
		}
		return v
	}
	host := func(name string) string { return strings.TrimSuffix(strings.ToLower(value(name)), ".") }
	if l.cfg.BaseDomain == "" {
		l.cfg.BaseDomain = host(seedBase)
	}
	switch {
	case l.cfg.Domain != "":
	case value(seedDomain) != "":
		l.cfg.Domain = host(seedDomain)
	case value(seedXMPPHost) != "":
		l.cfg.Domain = host(seedXMPPHost)
	case l.cfg.BaseDomain != "":
		l.cfg.Domain = basePrefix + l.cfg.BaseDomain
	}
	if public := host(seedXMPPHost); public != "" && public != l.cfg.Domain && l.cfg.XMPP.WebSocketURL == "" {
		l.cfg.XMPP.WebSocketURL = "wss://" + public + websocket.Path
	}
	if a, b := host(seedITSM), host(seedWebHost); a != "" && b != "" && a != b {
		l.bad(seedITSM, "is %q, but %s is %q; both name the management server, leave one of them away", a, seedWebHost, b)
	}
	l.seedManagement(cmp.Or(host(seedWebHost), host(seedITSM)), value(seedWebIP))
	l.seedTURN(value(seedTURN))
	l.seedPublicIP(value(seedXMPPIP))
}
