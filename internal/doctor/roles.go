package doctor

import (
	"context"
	"net"
	"net/url"
	"strings"
)

// Role says who looks names up: each needs others.
type Role string

// The roles. The names that endpoints and viewers need beside ours are those of the installations whose variables package config takes, below base_domain.
const (
	ForServer   Role = "server"
	ForEndpoint Role = "endpoint"
	ForViewer   Role = "viewer"
)

// Roles returns all of them.
func Roles() []Role { return []Role{ForServer, ForEndpoint, ForViewer} }

// neighbour is a part of an installation that is not ours, with the labels by which it is found below the base domain: any of them will do.
type neighbour struct {
	labels []string
	what   string
}

// neighbours returns what a role needs beside this server.
func neighbours(r Role) []neighbour {
	management := neighbour{[]string{"itsm"}, "the management server"}
	switch r {
	case ForEndpoint:
		return []neighbour{
			management, {[]string{"bip"}, "reports"}, {[]string{"rmm-api"}, "monitoring"}, {[]string{"auditlogs-api"}, "audit logs"}, {[]string{"rtdc-api"}, "remote control"},
			{[]string{"rtdc-relay-01"}, "the relay of remote control"}, {[]string{"plugins", "plugins-api"}, "plug-ins"},
		}
	case ForViewer:
		return []neighbour{management, {[]string{"dl"}, "downloads"}, {[]string{"rtdc-relay-01"}, "the relay of remote control"}}
	}
	return nil
}

// roleNames looks up what the role needs beside the names of this server.
func (x *examination) roleNames(ctx context.Context) {
	if x.Role == "" || x.Role == ForServer {
		x.serverNames(ctx)
		return
	}
	if x.Config.BaseDomain == "" {
		x.warn(NotChecked, "names for the "+string(x.Role), "not checked: base_domain is not set", "set base_domain, or TIGASE_DOMAIN in the environment")
		return
	}
	for _, n := range neighbours(x.Role) {
		x.neighbour(ctx, n)
	}
}

// serverNames looks up whom this server connects to, or tells clients of.
func (x *examination) serverNames(ctx context.Context) {
	if cfg := x.Config.Events.Webhooks; cfg.Host != "" && cfg.Address == "" {
		x.needed(ctx, cfg.ManagementName(), "the management server", "or set events.address, ITSM_WEB_IP in the environment")
	}
	if u, err := url.Parse(x.Config.TURN.Control.URL); err == nil && u.Hostname() != "" {
		x.needed(ctx, u.Hostname(), "the TURN server on another host", "or correct turn.control.url")
	}
	services, _ := x.Config.TURN.Services() // its mistakes are told by the step turn
	asked := map[string]bool{}
	for _, s := range services {
		if !asked[s.Host] {
			asked[s.Host] = true
			x.needed(ctx, s.Host, "a server of turn.servers, of which clients are told", "or correct turn.servers")
		}
	}
}

// needed looks a name up without which something does not work.
func (x *examination) needed(ctx context.Context, host, what, or string) {
	if net.ParseIP(host) != nil {
		return
	}
	addrs, err := x.lookupHost(ctx, host)
	switch {
	case err == nil:
		x.well(host, what+": resolves to "+strings.Join(addrs, ", "), "")
	case isNotFound(err):
		x.wrong(NameUnknown, host, what+": does not resolve", "add an A or AAAA record for "+host+" that this machine sees, "+or)
	default:
		x.wrong(NoDNS, host, what+": cannot be looked up: "+err.Error(), noDNS)
	}
}

// neighbour looks for a part that is not ours and may not be installed.
func (x *examination) neighbour(ctx context.Context, n neighbour) {
	var tried []string
	for _, label := range n.labels {
		host := label + "." + x.Config.BaseDomain
		addrs, err := x.lookupHost(ctx, host)
		if err == nil {
			x.well(host, n.what+": resolves to "+strings.Join(addrs, ", "), "")
			return
		}
		tried = append(tried, host)
	}
	x.warn(NameUnknown, strings.Join(tried, " or "), n.what+": does not resolve, so the "+string(x.Role)+" does not find it", "add an A or AAAA record with the address of that part, if it is installed")
}
