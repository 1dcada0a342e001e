package doctor

import (
	"context"
	"net"
	"testing"
)

// zone is what a DNS server knows: addresses by host, records by service. The name "broken" cannot be asked for.
type zone map[string][]*net.SRV

func (z zone) LookupHost(_ context.Context, host string) ([]string, error) {
	if _, ok := z[host]; ok {
		return []string{zoneAddress}, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: host != "broken.example"}
}

func (z zone) LookupSRV(_ context.Context, service, _, name string) (string, []*net.SRV, error) {
	if records, ok := z[service]; ok {
		return "", records, nil
	}
	return "", nil, &net.DNSError{Err: "no such record", Name: name, IsNotFound: name != "broken.example"}
}

// zoneAddress is where every name of a zone leads.
const zoneAddress = "192.0.2.1"

func to(host string, port uint16) []*net.SRV { return []*net.SRV{{Target: host + ".", Port: port}} }

func TestNames(t *testing.T) {
	const (
		direct   = "_xmpps-client._tcp." + domain
		startTLS = "_xmpp-client._tcp." + domain
	)
	here := []*net.SRV(nil) // an address, and nothing else
	for _, tc := range []struct {
		name      string
		zone      zone
		tls, xmpp []string
		public    string
		want      []string
	}{
		{"addresses alone", zone{domain: here}, []string{":443"}, []string{":5222"}, "", []string{
			"ok " + domain + ": resolves to 192.0.2.1",
			"ok " + direct + ": no such record: clients try port 443 of " + domain,
			"ok " + startTLS + ": no such record: clients try port 5222 of " + domain,
		}},
		{"other ports without records", zone{domain: here}, []string{":8443"}, []string{}, "", []string{
			"ok " + domain, "warning " + direct + ": no such record: clients try port 443 of " + domain + ", where listen.tls is not",
			"ok " + startTLS + ": no such record, and listen.xmpp is empty",
		}},
		{"records", zone{"host.example": here, "xmpps-client": to("host.example", 443), "xmpp-client": to("host.example", 5222)}, []string{":443"}, []string{":5222"}, "", []string{
			"ok " + domain + ": has no address; its SRV records lead clients on",
			"ok " + direct + ": leads to host.example:443", "ok " + startTLS + ": leads to host.example:5222",
		}},
		{"nothing", zone{}, []string{":443"}, []string{}, "", []string{"wrong " + domain + ": does not resolve", "ok " + direct, "ok " + startTLS}},
		{"a port that is another", zone{domain: here, "xmpps-client": to(domain, 444)}, []string{":443"}, []string{}, "", []string{
			"ok " + domain, "warning " + direct + ": leads to " + domain + ":444, but listen.tls is port 443", "ok " + startTLS,
		}},
		{"a port that is taken at the start", zone{domain: here, "xmpps-client": to(domain, 444)}, []string{":0"}, []string{}, "", []string{
			"ok " + domain, "ok " + direct + ": leads to " + domain + ":444", "ok " + startTLS,
		}},
		{"a target that is nowhere", zone{domain: here, "xmpps-client": to("gone.example", 443)}, []string{":443"}, []string{}, "", []string{
			"ok " + domain, "wrong " + direct + ": leads to gone.example:443, and gone.example does not resolve", "ok " + startTLS,
		}},
		{"a service that is denied", zone{domain: here, "xmpps-client": to("", 0), "xmpp-client": to("", 0)}, []string{":443"}, []string{}, "", []string{
			"ok " + domain, "wrong " + direct + `: its target "." says that there is no such service, but listen.tls is open`,
			"ok " + startTLS + ": says that there is no such service, and listen.xmpp is empty",
		}},
		{"a record for what is off", zone{domain: here, "xmpp-client": to(domain, 5222)}, []string{":443"}, []string{}, "", []string{
			"ok " + domain, "ok " + direct, "wrong " + startTLS + ": leads clients to " + domain + ":5222, but listen.xmpp is empty",
		}},
		{"the public host", zone{domain: here}, []string{}, []string{}, "wss://push.example/xmpp-websocket", []string{
			"ok " + domain, "wrong push.example: does not resolve", "ok " + direct, "ok " + startTLS,
		}},
		{"no DNS", zone{domain: here, "xmpps-client": to("broken.example", 443)}, []string{":443"}, []string{}, "wss://broken.example/x", []string{
			"ok " + domain, "wrong broken.example: cannot be looked up: ", "wrong " + direct + ": leads to broken.example:443, and broken.example cannot be looked up", "ok " + startTLS,
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x := example(t)
			x.dns, x.Config.Listen.TLS, x.Config.Listen.XMPP, x.Config.XMPP.WebSocketURL = tc.zone, tc.tls, tc.xmpp, tc.public
			x.take(t.Context(), []Step{DNS})
			wantLines(t, x, append([]string{"ok signalbox.yaml"}, tc.want...)...)
		})
	}
}
