package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// noDNS is what to do where DNS gives no answer at all.
const noDNS = "see that this machine reaches its DNS server (/etc/resolv.conf), then ask again"

// service is a kind of SRV record that clients look for, and the listener that answers it.
type service struct {
	name      string // as in the record, without the underscore
	key       string // of the listener
	standard  string // port that clients try without a record
	listeners []string
	records   []*net.SRV
	err       error
}

func (s service) record(domain string) string { return "_" + s.name + "._tcp." + domain }

// names is the step dns: do the names resolve by which clients find the server?
func (x *examination) names(ctx context.Context) {
	if !x.hasDomain() {
		return
	}
	x.ownNames(ctx)
	x.roleNames(ctx)
}

// ownNames looks up the names by which clients find the server, and its services.
func (x *examination) ownNames(ctx context.Context) {
	services := []service{
		{name: "xmpps-client", key: "listen.tls", standard: "443", listeners: x.Config.Listen.TLS}, // XEP-0368
		{name: "xmpp-client", key: "listen.xmpp", standard: "5222", listeners: x.Config.Listen.XMPP},
	}
	led := false // clients are led to a host, so that the domain needs no address
	for i := range services {
		s := &services[i]
		s.records, s.err = x.lookupSRV(ctx, s.name)
		led = led || offers(s.records)
	}
	x.host(ctx, x.Config.Domain, led)
	if public := publicHost(x.Config.XMPP.WebSocketURL); public != "" && public != x.Config.Domain {
		x.host(ctx, public, false)
	}
	for _, s := range services {
		x.service(ctx, s)
	}
}

// publicHost is the name of this server that clients are told in host-meta.
func publicHost(webSocketURL string) string {
	u, err := url.Parse(webSocketURL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// host says where a name leads. Without an address it is wrong, unless records lead elsewhere.
func (x *examination) host(ctx context.Context, host string, led bool) {
	addrs, err := x.lookupHost(ctx, host)
	switch {
	case err == nil:
		x.leads(ctx, host, addrs)
	case led && isNotFound(err):
		x.well(host, "has no address; its SRV records lead clients on", "")
	case isNotFound(err):
		x.wrong(NameUnknown, host, "does not resolve: no endpoint finds this server by that name", "add an A or AAAA record for "+host+" with the address of this server")
	default:
		x.wrong(NoDNS, host, "cannot be looked up: "+err.Error(), noDNS)
	}
}

// service compares the records of a service with its listener.
func (x *examination) service(ctx context.Context, s service) {
	name, ports := s.record(x.Config.Domain), portsOf(s.listeners)
	switch {
	case isNotFound(s.err) || s.err == nil && len(s.records) == 0:
		x.absent(s, ports)
	case s.err != nil:
		x.warn(NoDNS, name, "cannot be looked up: "+s.err.Error(), "see that this machine reaches its DNS server (/etc/resolv.conf), then ask again")
	case !offers(s.records) && len(s.listeners) == 0:
		x.well(name, "says that there is no such service, and "+s.key+" is empty", "")
	case !offers(s.records):
		x.wrong(ServiceDenied, name, `its target "." says that there is no such service, but `+s.key+" is open", "name this server in the record, or empty "+s.key)
	case len(s.listeners) == 0:
		x.wrong(ServiceClosed, name, "leads clients to "+targets(s.records)+", but "+s.key+" is empty", "remove the record, or open "+s.key)
	default:
		for _, r := range s.records {
			x.target(ctx, s, r, ports)
		}
	}
}

// absent judges that there is no record: then clients try the standard port of the domain itself.
func (x *examination) absent(s service, ports []string) {
	name := s.record(x.Config.Domain)
	hint := func(port string) string {
		return fmt.Sprintf("a record spares clients the guess: %s SRV 0 0 %s HOST", name, port)
	}
	switch {
	case len(s.listeners) == 0:
		x.well(name, "no such record, and "+s.key+" is empty", "")
	case slices.Contains(ports, s.standard):
		x.well(name, "no such record: clients try port "+s.standard+" of "+x.Config.Domain, hint(s.standard))
	default:
		x.warn(ServiceUnnamed, name, fmt.Sprintf("no such record: clients try port %s of %s, where %s is not", s.standard, x.Config.Domain, s.key),
			hint(cmp.Or(strings.Join(ports, ","), "PORT")))
	}
}

// target judges one record by where it leads.
func (x *examination) target(ctx context.Context, s service, r *net.SRV, ports []string) {
	name, host, port := s.record(x.Config.Domain), strings.TrimSuffix(r.Target, "."), strconv.Itoa(int(r.Port))
	if host == "" {
		return
	}
	where := net.JoinHostPort(host, port)
	_, err := x.lookupHost(ctx, host)
	switch {
	case err != nil && isNotFound(err):
		x.wrong(NameUnknown, name, "leads to "+where+", and "+host+" does not resolve", "add an A or AAAA record for "+host+", or correct the SRV record")
	case err != nil:
		x.wrong(NoDNS, name, "leads to "+where+", and "+host+" cannot be looked up: "+err.Error(), noDNS)
	case len(ports) > 0 && !slices.Contains(ports, port):
		x.warn(ServicePort, name, fmt.Sprintf("leads to %s, but %s is port %s", where, s.key, strings.Join(ports, ", ")),
			"correct the port in the record, unless a router in front of this server translates it")
	default:
		x.well(name, "leads to "+where, "")
	}
}

func (x *examination) lookupHost(ctx context.Context, host string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, x.patience)
	defer cancel()
	return x.dns.LookupHost(ctx, host)
}

func (x *examination) lookupSRV(ctx context.Context, name string) ([]*net.SRV, error) {
	ctx, cancel := context.WithTimeout(ctx, x.patience)
	defer cancel()
	_, records, err := x.dns.LookupSRV(ctx, name, "tcp", x.Config.Domain)
	return records, err
}

func isNotFound(err error) bool {
	var e *net.DNSError
	return errors.As(err, &e) && e.IsNotFound
}

// offers reports whether records name a server: the target "." says that there is none (RFC 2782).
func offers(records []*net.SRV) bool {
	return slices.ContainsFunc(records, func(r *net.SRV) bool { return r.Target != "." && r.Target != "" })
}

func targets(records []*net.SRV) string {
	var all []string
	for _, r := range records {
		all = append(all, net.JoinHostPort(strings.TrimSuffix(r.Target, "."), strconv.Itoa(int(r.Port))))
	}
	return strings.Join(all, ", ")
}

// portsOf returns the ports of listeners; those that take a free one cannot be known.
func portsOf(addrs []string) (ports []string) {
	for _, a := range addrs {
		if _, port, err := net.SplitHostPort(a); err == nil && port != "0" && !slices.Contains(ports, port) {
			ports = append(ports, port)
		}
	}
	return ports
}
