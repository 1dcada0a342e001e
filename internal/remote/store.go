package remote

import (
	"context"
	"net/netip"

	"signalbox/internal/audit"
	"signalbox/internal/endpoint"
	"signalbox/internal/signalling"
	"signalbox/internal/turnsession"
)

// Store is durable storage of sessions. All methods may be called concurrently; what a method that writes has done is durable when it returns nil.
type Store interface {
	// CreateRemoteSession keeps a new session with its audit entry and an event of the entry's action, in one transaction.
	CreateRemoteSession(ctx context.Context, s Session, e audit.Entry) error
	// SaveRemoteSession writes a session as it is now, in one transaction with an audit entry (nil: none) and, where event is true, an event of the entry's action.
	// Errors: ErrUnknown.
	SaveRemoteSession(ctx context.Context, s Session, e *audit.Entry, event bool) error
	// RemoteSession returns one, or ErrUnknown.
	RemoteSession(ctx context.Context, domain string, id ID) (Session, error)
	// RemoteSessions returns up to q.Limit sessions, the newest first.
	RemoteSessions(ctx context.Context, q Query) ([]Session, error)
	// OpenRemoteSessions returns all that have not ended, of all domains.
	OpenRemoteSessions(ctx context.Context) ([]Session, error)
	// Endpoint returns an endpoint with its last presence, or endpoint.ErrUnknown.
	Endpoint(ctx context.Context, k endpoint.Key) (endpoint.Record, error)
}

// Audit keeps entries of what is no change of a session. audit.Log implements it.
type Audit interface {
	// Record takes an entry. Of what was refused it takes so much as can be written, counts the rest, and does not block.
	Record(ctx context.Context, e audit.Entry) error
}

// Presences tells which endpoints are online. endpoint.Registry implements it.
type Presences interface {
	// Live returns the presence of an endpoint that has a session here.
	Live(k endpoint.Key) (endpoint.Presence, bool)
}

// Endpoints tells endpoints something.
type Endpoints interface {
	// Tell puts a message into the queue of the endpoint's session, in the order of the calls. It does not block. Errors: endpoint.ErrOffline, endpoint.ErrFull.
	Tell(k endpoint.Key, m signalling.Message) error
}

// Relay joins WebSockets. All methods may be called concurrently and do not block.
type Relay interface {
	// Open makes room for the channels of a session, which may move so many bytes in all, in both directions; 0: no bound. over is called, not by Open, when they have moved
	// more. Opened again, the bound is another.
	Open(session string, quota int64, over func())
	// Pair returns the URLs of the two legs of one channel, each for one use within signalling.RelayTicketLife.
	Pair(session string) (technician, endpoint string, err error)
	// Close closes all channels of a session, and returns what they have moved from technician to endpoint (up) and back.
	Close(session string) (up, down int64)
}

// TURN opens sessions on the TURN server: the endpoint is side A, the technician side B. turnsession.Service implements it.
type TURN interface {
	// Open opens a session and returns it with the credentials of both sides. Errors: turnsession.ErrOff where there is no TURN server, others.
	Open(ctx context.Context, domain string, spec turnsession.Spec, by turnsession.Caller) (turnsession.Session, [2]turnsession.Credentials, error)
	// Renew makes new credentials for both sides.
	Renew(ctx context.Context, domain string, id turnsession.ID) (turnsession.Session, [2]turnsession.Credentials, error)
	// Observe says where the party of a side is seen that is no endpoint. It does not block.
	Observe(id turnsession.ID, side turnsession.Side, at netip.Addr)
	// Silence ends a session, if it has not ended before, and returns it with its final counters, without waiting for the store to write. Where the TURN server is on another host
	// that does not answer, it waits a few seconds for it. Errors: turnsession.ErrUnknown, others.
	Silence(ctx context.Context, domain string, id turnsession.ID) (turnsession.Session, error)
}
