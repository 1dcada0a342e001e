package api

import (
	"net/netip"
	"strconv"
	"time"

	"signalbox/internal/turnsession"
)

type turnCreate struct {
	TTL            *int         `json:"ttl,omitempty" minimum:"1" maximum:"86400" doc:"Seconds after which it ends by itself; absent: 300."`
	AllowPeers     []string     `json:"allow_peers,omitempty" nullable:"false" maxItems:"16" doc:"Addresses and ranges of peers that both sides may reach, beside each other. What the TURN server denies everybody stays denied." example:"192.0.2.7"`
	Endpoints      *turnParties `json:"endpoints,omitempty" doc:"Endpoints whose sides they are: each gets the credentials of its side by XMPP (XEP-0215), and the address at which it is seen is a peer of the other side."`
	Technician     *string      `json:"technician,omitempty" maxLength:"64" doc:"On whose quota of allocations it goes, by a name that the management server chooses; absent: nobody's." example:"ann"`
	MaxAllocations *int         `json:"max_allocations,omitempty" minimum:"0" maximum:"1000" doc:"Allocations of both sides at the same time; 0 or absent: turn.session_allocations."`
	Rate           *int         `json:"rate,omitempty" minimum:"0" maximum:"1099511627776" doc:"Bytes per second, of both sides in both directions together; 0 or absent: turn.session_rate."`
}

type turnParties struct {
	A *string `json:"a,omitempty" maxLength:"256" doc:"Id of the endpoint of side a." example:"pc-1"`
	B *string `json:"b,omitempty" maxLength:"256" doc:"Id of the endpoint of side b."`
}

// spec makes what the domain takes of a request; bounds it leaves to the domain.
func (b *turnCreate) spec() (s turnsession.Spec, errs []FieldError) {
	s = turnsession.Spec{TTL: turnsession.DefaultTTL, Technician: value(b.Technician), MaxAllocations: value(b.MaxAllocations), Rate: int64(value(b.Rate))}
	if b.TTL != nil {
		s.TTL = time.Duration(*b.TTL) * time.Second
	}
	if b.Endpoints != nil {
		s.Endpoints = [2]string{turnsession.A: value(b.Endpoints.A), turnsession.B: value(b.Endpoints.B)}
	}
	for i, text := range b.AllowPeers {
		peers, ok := parsePeers(text)
		if !ok && len(errs) < maxFieldErrors {
			errs = append(errs, FieldError{Pointer: "/allow_peers/" + strconv.Itoa(i), Detail: "it is an address such as 192.0.2.7, or a range such as 192.0.2.0/24 or 2001:db8::/64"})
		}
		s.AllowPeers = append(s.AllowPeers, peers)
	}
	return s, errs
}

// parsePeers reads an address or a range.
func parsePeers(text string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Masked(), true
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}

type turnBody struct {
	_              struct{}          `additionalProperties:"true"`
	ID             string            `json:"id" example:"trn_0123456789abc"`
	State          turnsession.State `json:"state" enum:"open,ended"`
	Reason         string            `json:"reason,omitempty" doc:"Why it ended: requested, expired, server_stopping, server_restarted (the server ended without a word), not_opened."`
	OpenedBy       string            `json:"opened_by" doc:"Name of the API token."`
	Technician     string            `json:"technician,omitempty"`
	Endpoints      *turnParties      `json:"endpoints,omitempty"`
	AllowPeers     []string          `json:"allow_peers" nullable:"false"`
	MaxAllocations int               `json:"max_allocations,omitempty"`
	Rate           int64             `json:"rate,omitempty"`
	CreatedAt      time.Time         `json:"created_at"`
	ExpiresAt      time.Time         `json:"expires_at" doc:"When it ends by itself."`
	EndedAt        *time.Time        `json:"ended_at,omitempty" doc:"When its end was noted."`
	Counters       *turnCounters     `json:"counters,omitempty" doc:"What it has moved; absent: nothing was counted yet."`
	CountedAt      *time.Time        `json:"counted_at,omitempty" doc:"When the counters were taken. After server_restarted they are those of the last minute in which the server ran."`
}

type turnCounters struct {
	_               struct{}          `additionalProperties:"true"`
	Allocations     uint64            `json:"allocations" doc:"That were made."`
	OpenAllocations uint64            `json:"open_allocations" doc:"That there are now."`
	PacketsUp       uint64            `json:"packets_up" doc:"From clients of the TURN server to their peers."`
	PacketsDown     uint64            `json:"packets_down" doc:"From peers to clients."`
	BytesUp         uint64            `json:"bytes_up" doc:"Of the application's data, as all bytes here."`
	BytesDown       uint64            `json:"bytes_down"`
	Drops           map[string]uint64 `json:"drops" nullable:"false" doc:"Packets that went nowhere, by reason."`
	RefusedPeers    map[string]uint64 `json:"refused_peers" nullable:"false" doc:"What was refused, by the peer's address; others stands for those beyond sixteen."`
}

// turnGrantBody is what the opener of a session gets, once.
type turnGrantBody struct {
	_         struct{}  `additionalProperties:"true"`
	ID        string    `json:"id" example:"trn_0123456789abc"`
	Sides     turnSides `json:"sides" doc:"What each side needs. Its fields urls, username and credential are an ICE server as browsers take it."`
	ExpiresAt time.Time `json:"expires_at" doc:"When the session ends by itself."`
}

type turnSides struct {
	_ struct{}     `additionalProperties:"true"`
	A turnSideBody `json:"a"`
	B turnSideBody `json:"b"`
}

type turnSideBody struct {
	_          struct{}  `additionalProperties:"true"`
	Username   string    `json:"username"`
	Credential string    `json:"credential" doc:"The password."`
	URLs       []string  `json:"urls" nullable:"false" doc:"Where the TURN server is, as RFC 7065 writes it." example:"turn:turn.example.com:3478?transport=udp"`
	ExpiresAt  time.Time `json:"expires_at" doc:"Until when allocations can be made with it, see POST /v1/turn/sessions/{id}/credentials."`
}

func showGrant(s *turnsession.Session, both *[2]turnsession.Credentials) turnGrantBody {
	side := func(c *turnsession.Credentials) turnSideBody {
		return turnSideBody{Username: c.Username, Credential: c.Password, URLs: append([]string{}, c.URLs...), ExpiresAt: utc(c.Expires)}
	}
	return turnGrantBody{ID: s.ID.String(), ExpiresAt: utc(s.Expires), Sides: turnSides{A: side(&both[turnsession.A]), B: side(&both[turnsession.B])}}
}

func showTURNSession(s *turnsession.Session) turnBody {
	b := turnBody{
		ID: s.ID.String(), State: s.State(), Reason: s.Reason, OpenedBy: s.By.Name, Technician: s.Technician, AllowPeers: make([]string, len(s.AllowPeers)),
		MaxAllocations: s.MaxAllocations, Rate: s.Rate, CreatedAt: utc(s.Created), ExpiresAt: utc(s.Expires), EndedAt: showTime(s.Ended), CountedAt: showTime(s.Counted),
	}
	for i, p := range s.AllowPeers {
		b.AllowPeers[i] = p.String()
		if p.IsSingleIP() {
			b.AllowPeers[i] = p.Addr().String()
		}
	}
	if s.Endpoints != [2]string{} {
		b.Endpoints = &turnParties{A: orNil(s.Endpoints[turnsession.A]), B: orNil(s.Endpoints[turnsession.B])}
	}
	if !s.Counted.IsZero() {
		b.Counters = showCounters(&s.Counters)
	}
	return b
}

func showCounters(c *turnsession.Counters) *turnCounters {
	shown := &turnCounters{
		Allocations: c.Allocations, OpenAllocations: c.OpenAllocations, PacketsUp: c.PacketsUp, PacketsDown: c.PacketsDown, BytesUp: c.BytesUp, BytesDown: c.BytesDown,
		Drops: c.Drops, RefusedPeers: c.RefusedPeers,
	}
	if shown.Drops == nil {
		shown.Drops = map[string]uint64{}
	}
	if shown.RefusedPeers == nil {
		shown.RefusedPeers = map[string]uint64{}
	}
	return shown
}

// orNil leaves out a text that there is none of.
func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
