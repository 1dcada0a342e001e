package doctor

import (
	"context"
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
		x.warn(BadConfiguration, "turn.servers", "not all are checked: "+strings.ReplaceAll(err.Error(), "\n", "; "), "correct turn.servers, or ITSM_TURN_SERVERS in the environment")
	}
	answers, allocated := map[string]bool{}, map[string]bool{}
	for _, s := range services {
		check := "turn.servers " + place(s)
		if _, asked := answers[check]; !asked && ctx.Err() == nil {
			answers[check] = x.otherServer(ctx, check, s)
		}
		if strings.HasPrefix(s.Type, "turn") && answers[check] && !allocated[check] {
			allocated[check] = true
			x.allocateElsewhere(ctx, check, s)
		}
	}
}

// place is where one service is: STUN and TURN of one server are the same place.
func place(s feature.Service) string {
	transport := strings.ToUpper(s.Transport)
	if secure(s) {
		transport = "TLS"
	}
	return hostPort(s) + " " + transport
}

func hostPort(s feature.Service) string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

func secure(s feature.Service) bool { return strings.HasSuffix(s.Type, "s") && s.Transport == "tcp" }

// otherServer tells whether a server answers as it should, and reports it.
func (x *examination) otherServer(ctx context.Context, check string, s feature.Service) bool {
	mapped, err := x.askOther(ctx, s)
	switch {
	case isTimeout(err):
		x.wrong(TURNSilent, check, "does not answer a Binding in time", "see that the server runs, and that the firewalls in between pass it: clients are told of it all the same")
	case err != nil:
		x.wrong(TURNAway, check, "does not answer a Binding: "+err.Error(), "see that the server runs, or take it out of turn.servers (ITSM_TURN_SERVERS): clients are told of it all the same")
	case !mapped.Addr().IsGlobalUnicast() && !mapped.Addr().IsLoopback() || mapped.Port() == 0:
		x.wrong(TURNLies, check, "answers, and says that it sees us at "+mapped.String()+", where nobody is", "see what that server is: clients would take that for their address")
	default:
		x.well(check, "answers, and sees this machine at "+mapped.String(), "")
		return true
	}
	return false
}

// askOther asks one server.
func (x *examination) askOther(ctx context.Context, s feature.Service) (netip.AddrPort, error) {
	conn, err := x.connectOther(ctx, s)
	if err != nil {
		return netip.AddrPort{}, err
	}
	defer conn.Close()
	return x.bind(ctx, conn)
}
