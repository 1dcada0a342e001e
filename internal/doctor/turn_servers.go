package doctor

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"signalbox/xmpp/feature"
)

// otherServers asks each server of turn.servers over each of its transports at which address it sees us.
func (x *examination) otherServers(ctx context.Context) {
	services, err := x.Config.TURN.Services()
	if err != nil {
		x.warn("turn.servers", "not all are checked: "+strings.ReplaceAll(err.Error(), "\n", "; "), "correct turn.servers, or ITSM_TURN_SERVERS in the environment")
	}
	asked := map[string]bool{}
	for _, s := range services {
		if check := "turn.servers " + place(s); !asked[check] && ctx.Err() == nil {
			asked[check] = true
			x.otherServer(ctx, check, s)
		}
	}
}

// place is where one service is: STUN and TURN of one server are the same place.
func place(s feature.Service) string {
	transport := strings.ToUpper(s.Transport)
	if secure(s) {
		transport = "TLS"
	}
	return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) + " " + transport
}

func secure(s feature.Service) bool { return strings.HasSuffix(s.Type, "s") && s.Transport == "tcp" }

func (x *examination) otherServer(ctx context.Context, check string, s feature.Service) {
	mapped, err := x.askOther(ctx, s)
	switch {
	case isTimeout(err):
		x.wrong(check, "does not answer a Binding in time", "see that the server runs, and that the firewalls in between pass it: clients are told of it all the same")
	case err != nil:
		x.wrong(check, "does not answer a Binding: "+err.Error(), "see that the server runs, or take it out of turn.servers (ITSM_TURN_SERVERS): clients are told of it all the same")
	case !mapped.Addr().IsGlobalUnicast() && !mapped.Addr().IsLoopback() || mapped.Port() == 0:
		x.wrong(check, "answers, and says that it sees us at "+mapped.String()+", where nobody is", "see what that server is: clients would take that for their address")
	default:
		x.well(check, "answers, and sees this machine at "+mapped.String(), "")
	}
}

// askOther asks one server. Its certificate must be good for its name, as clients verify it.
func (x *examination) askOther(ctx context.Context, s feature.Service) (netip.AddrPort, error) {
	conn, err := x.connect(ctx, s.Transport, net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
	if err != nil {
		return netip.AddrPort{}, err
	}
	defer conn.Close()
	if !secure(s) {
		return x.bind(ctx, conn)
	}
	c := tls.Client(conn, &tls.Config{ServerName: s.Host, NextProtos: []string{alpnTURN}, MinVersion: tls.VersionTLS12})
	if err := c.HandshakeContext(ctx); err != nil {
		return netip.AddrPort{}, err
	}
	return x.bind(ctx, c)
}
