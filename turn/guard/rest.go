package guard

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"signalbox/internal/telemetry"
	"signalbox/turn/control"
)

// implicitLife is how long the session of a user of another system stays behind the last request: longer than any allocation can live without one.
const implicitLife = (MaxLifetime + 60) * time.Second

// implicitID returns the id of a user's session: names may have characters that ids have not, and may be longer.
func implicitID(name string) string {
	sum := sha256.Sum256([]byte(name))
	return "rest_" + hex.EncodeToString(sum[:16])
}

// identifyREST takes a username "expiry:name" of another system that shares a secret with us (draft-uberti-behave-turn-rest). All allocations of a name are one
// session, which opens with the first request and has no other party; its peers are those of turn.allow_peers.
func (g *Guard) identifyREST(x *exchange, name string) refusal {
	expiry, who, ok := strings.Cut(name, ":")
	seconds, err := strconv.ParseInt(expiry, 10, 64)
	if !ok || who == "" || err != nil || len(g.cfg.RESTSecret) == 0 {
		return refusedUsername
	}
	key, ok := g.proven(x, name, g.cfg.RESTSecret)
	if !ok {
		return refusedPassword
	}
	u := user{name: name, key: key, expires: time.Unix(seconds, 0), implicit: implicitID(who)}
	g.extend(&u)
	if u.side = g.sessions.Side(u.implicit, control.SideA); u.side == nil {
		return refusedSession
	}
	x.user = u
	return ""
}

// extend keeps an implicit session open, or opens it.
func (g *Guard) extend(u *user) {
	if u.implicit == "" {
		return
	}
	err := g.sessions.Open(control.Session{ID: u.implicit, Expires: g.now().Add(implicitLife)})
	if err != nil {
		g.log.Debug("cannot open the session of a user of another system", telemetry.Cause(err))
	}
}
