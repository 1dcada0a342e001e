package app

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"

	"signalbox/internal/audit"
	"signalbox/internal/endpoint"
	"signalbox/internal/remote"
	"signalbox/internal/signalling"
	"signalbox/relay"
	"signalbox/xmpp"
	"signalbox/xmpp/feature"
)

// buildRemote builds the broker of remote sessions and the relay of their channels.
func (a *App) buildRemote() (err error) {
	if a.relays, err = relay.New(a.cfg.Relay, a.relayRefused, a.log, a.registry); err != nil {
		return err
	}
	a.signals = feature.NewRemoteSessions(a.cfg.Domain, xmpp.Clients(a.endpoint), a.log)
	a.remote = remote.New(a.cfg.Session, remote.Deps{
		Store: a.store, Audit: a.audit, Presences: a.endpoint, Endpoints: a.signals, TURN: a.turnSessions, Relay: legs{a.relays, a.technicianRelayURL, a.relayURL},
		Seal:     func(g signalling.Grant) (string, error) { return signalling.Seal(a.identity, g) },
		RelayURL: a.relayURL,
	}, a.log, a.registry)
	a.endpoint.Watch(a.remote)
	a.store.Deleted(a.remote.EndpointDeleted)
	if a.turn != nil {
		a.turn.OnReturn(a.remote.TURNRestarted)
	}
	return nil
}

// relayURL is what the URLs of the relay begin with for endpoints.
func (a *App) relayURL() string { return "wss" + strings.TrimPrefix(a.webURL(), "https") + relay.Path }

// technicianRelayURL is relayURL for technicians: where they find the console, for its pages may connect to nothing else and the relay takes no other origin's.
func (a *App) technicianRelayURL() string {
	return "wss" + strings.TrimPrefix(a.consoleURL(), "https") + relay.Path
}

// relayRefused has the audit trail tell of a ticket that opened nothing, and of a message that was too large. The first side of a pair is the technician's.
func (a *App) relayRefused(r relay.Refusal) {
	if r.Reason == relay.ReasonTooLarge {
		a.remote.RefusedLeg(r.Session, r.First)
		return
	}
	detail, err := json.Marshal(map[string]string{"why": string(r.Reason)})
	if err != nil {
		return // of a map of texts it never fails
	}
	_ = a.audit.Record(context.Background(), audit.Entry{ // of what strangers cause it waits for nothing, and tells its own trouble
		Domain: a.cfg.Domain, Actor: audit.Stranger(r.Source.Addr()), Action: audit.SessionRefused, Subject: "relay", Detail: detail,
	})
}

// legs is remote.Relay.
type legs struct {
	*relay.Server
	technician, endpoint func() string // what the URLs begin with
}

// Pair implements remote.Relay.
func (l legs) Pair(session string) (technician, endpoint string, err error) {
	first, second, err := l.Server.Pair(session)
	if err != nil {
		return "", "", err
	}
	return l.technician() + first, l.endpoint() + second, nil
}

// Close implements remote.Relay.
func (l legs) Close(session string) (up, down int64) {
	c := l.Server.Close(session)
	return c.Up, c.Down
}

// broker is the broker as the streams of endpoints and technicians see it: what it refuses are errors of signalling.
type broker struct{ *remote.Service }

// FromEndpoint implements feature.Sessions.
func (b broker) FromEndpoint(ctx context.Context, k endpoint.Key, m signalling.Message) error {
	return refusal(b.Service.FromEndpoint(ctx, k, m))
}

// Attach implements xmpp.Technicians.
func (b broker) Attach(ctx context.Context, a signalling.Attach, from netip.Addr, send func(signalling.Message) bool, closed func(string)) (xmpp.Technician, error) {
	t, err := b.Service.Attach(ctx, a, from, send, closed)
	if err != nil {
		return nil, refusal(err)
	}
	return technicianSide{t}, nil
}

// technicianSide is xmpp.Technician.
type technicianSide struct{ *remote.Technician }

// Take implements xmpp.Technician.
func (t technicianSide) Take(ctx context.Context, m signalling.Message) error {
	return refusal(t.Technician.Take(ctx, m))
}

// refusals of the broker in the words of the protocol. What is none of these is the server's trouble.
var refusalOf = []struct{ of, as error }{
	{remote.ErrUnknown, signalling.ErrUnknownSession},
	{remote.ErrEnded, signalling.ErrUnknownSession},
	{remote.ErrMessage, signalling.ErrUnexpected},
	{remote.ErrFlood, signalling.ErrTryLater},
	{remote.ErrUnavailable, signalling.ErrTryLater},
	{remote.ErrTicket, signalling.ErrTokenRefused},
	{remote.ErrReplaced, signalling.ErrNotParty},
}

func refusal(err error) error {
	for _, r := range refusalOf {
		if errors.Is(err, r.of) {
			return r.as
		}
	}
	return err
}
