package guard

import (
	"time"

	"go.uber.org/zap"

	"signalbox/internal/telemetry"
	"signalbox/turn/control"
	"signalbox/turn/session"
	"signalbox/turn/wire"
)

// user is who sends a request: one side of a session.
type user struct {
	name     string // as in USERNAME
	key      [16]byte
	side     *session.Side
	expires  time.Time // for new allocations
	implicit string    // id of the session, where credentials of another system opened it
}

// maxUsername bounds USERNAME: RFC 8489 section 14.3.
const maxUsername = 508

// authenticate finds out who sends a request, along RFC 8489 section 9.2.4. False: it has been refused. All ways to be wrong look alike from outside; metrics and
// debug lines tell them apart.
func (g *Guard) authenticate(x *exchange, held *allocation) bool {
	if _, signed := x.m.Get(wire.AttrMessageIntegrity); !signed {
		g.challenge(x, wire.CodeUnauthenticated, refusedNone)
		return false
	}
	name, hasName := x.m.Get(wire.AttrUsername)
	_, hasRealm := x.m.Get(wire.AttrRealm)
	nonce, hasNonce := x.m.Get(wire.AttrNonce)
	if !hasName || !hasRealm || !hasNonce {
		g.deny(x)
		return false
	}
	if !g.nonces.valid(nonce, x.from.Remote) {
		g.challenge(x, wire.CodeStaleNonce, refusedNonce)
		return false
	}
	if why := g.identify(x, name, held); why != "" {
		g.challenge(x, wire.CodeUnauthenticated, why)
		return false
	}
	x.key = x.user.key[:]
	return true
}

// challenge asks for credentials that are right: with a realm and a nonce, so that the client can try again.
func (g *Guard) challenge(x *exchange, code int, why refusal) {
	g.metrics.refusedUsers.WithLabelValues(string(why)).Inc()
	if !g.challenges.take(x.from) {
		g.metrics.drop(dropRate)
		return
	}
	if why != refusedNone {
		g.debug("credentials refused", x, string(why))
	}
	g.refuseWith(&x.origin, code, func(b *wire.Builder) {
		b.AddString(wire.AttrRealm, g.cfg.Realm)
		b.AddString(wire.AttrNonce, g.nonces.issue(x.from.Remote))
	})
}

// deny refuses a request that is signed but does not say by whom. The answer is not signed, as nobody is known who could check it.
func (g *Guard) deny(x *exchange) {
	g.metrics.refusedUsers.WithLabelValues(string(refusedIncomplete)).Inc()
	if !g.challenges.take(x.from) {
		g.metrics.drop(dropRate)
		return
	}
	g.refuse(&x.origin, wire.CodeBadRequest)
}

// identify fills in the user; otherwise it says why there is none.
func (g *Guard) identify(x *exchange, name []byte, held *allocation) refusal {
	if held != nil && held.user.name == string(name) && x.m.CheckIntegrity(held.user.key[:]) {
		x.user = held.user
		g.extend(&x.user)
		return ""
	}
	if len(name) > maxUsername {
		return refusedUsername
	}
	why := g.identifySession(x, string(name))
	if why == refusedUsername || why == refusedPassword {
		if rest := g.identifyREST(x, string(name)); rest != refusedUsername {
			why = rest
		}
	}
	if why != "" {
		return why
	}
	if x.method == allocate {
		g.challenges.give(x.from) // the 401 that told the nonce
	}
	if held == nil && g.now().After(x.user.expires) {
		return refusedExpired
	}
	return ""
}

// identifySession takes a username of our own. The password comes first: who does not know it learns nothing of sessions, not even by the time of the answer.
func (g *Guard) identifySession(x *exchange, name string) refusal {
	expires, id, side, ok := control.ParseUsername(name)
	if !ok {
		return refusedUsername
	}
	secrets := g.secrets()
	key, ok := g.proven(x, name, secrets.Current, secrets.Previous)
	if !ok {
		return refusedPassword
	}
	s := g.sessions.Side(id, side)
	if s == nil {
		return refusedSession
	}
	x.user = user{name: name, key: key, side: s, expires: expires}
	return ""
}

// proven returns the key with which the request is signed, if its password was made from one of the secrets.
func (g *Guard) proven(x *exchange, name string, secrets ...[]byte) (key [16]byte, ok bool) {
	for _, secret := range secrets {
		if len(secret) == 0 {
			continue
		}
		key = wire.LongTermKey(name, g.cfg.Realm, control.Password(secret, name))
		if x.m.CheckIntegrity(key[:]) {
			return key, true
		}
	}
	return key, false
}

func (g *Guard) debug(what string, x *exchange, reason string) {
	if ce := g.log.Check(zap.DebugLevel, what); ce != nil {
		ce.Write(telemetry.Remote(x.from.Remote), telemetry.Method(x.method.name()), telemetry.Reason(reason))
	}
}
