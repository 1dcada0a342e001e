package feature

import (
	"context"
	"slices"
	"strings"

	"mellium.im/xmpp/disco"

	"signalbox/xmpp/scan"
)

// capabilities are what a client said that it can, and what of it the server has learned.
type capabilities struct {
	claim  string   // the <c/> of its presence, by which it was asked
	wishes []string // nodes of which it wants to be notified, in order
}

// claims notes what a client claims; false: it is what it claimed before.
func (s *State) claims(claim string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := s.caps.claim != claim
	s.caps.claim = claim
	return changed
}

// wish notes what the client with this claim wants to be notified of, and returns what of it is new. A claim that is not its last any more changes nothing.
func (s *State) wish(claim string, wishes []string) (added []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.caps.claim != claim || !s.presence.Available {
		return nil
	}
	for _, w := range wishes {
		if _, had := slices.BinarySearch(s.caps.wishes, w); !had {
			added = append(added, w)
		}
	}
	s.caps.wishes = wishes
	return added
}

// Wishes reports whether the client is available and wants to be notified of a node (XEP-0163 section 4.3).
func (s *State) Wishes(node string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, found := slices.BinarySearch(s.caps.wishes, node)
	return found
}

// AllWishes returns the nodes that the client wants to be notified of, in order. Nobody changes the list.
func (s *State) AllWishes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.caps.wishes
}

// clientCaps learns what clients want from their capabilities.
type clientCaps struct {
	domain string
	wanted func(context.Context, Client, []string)
	known  capsCache
}

// ClientCaps learns by XEP-0115 of which nodes clients want to be notified: a client is asked what its hash stands for, unless somebody's answer proved it before.
// wanted is told of the nodes that a client did not want before, once State.Wishes says so.
func ClientCaps(host Host, wanted func(context.Context, Client, []string)) Feature {
	cc := &clientCaps{domain: host.Domain(), wanted: wanted}
	return Feature{Present: cc.present}
}

// maxClaim bounds the hash, node and version of one client.
const maxClaim = 1023

// present looks at the <c/> of a presence. A client that sends none has said nothing new.
func (cc *clientCaps) present(ctx context.Context, c Client, presence *scan.Stanza) {
	el := presence.Element().Child(nsCaps, "c")
	hash, _ := el.Attr("hash")
	node, _ := el.Attr("node")
	ver, hasVer := el.Attr("ver")
	claim := string(hash) + " " + string(node) + "#" + string(ver)
	if !el.Exists() || !hasVer || len(claim) > maxClaim || !c.State().claims(claim) {
		return
	}
	if wishes, ok := cc.known.find(string(hash), string(ver)); ok {
		cc.learned(ctx, c, claim, wishes)
		return
	}
	query := scan.AppendAttribute([]byte("<query xmlns='"+disco.NSInfo+"'"), "node", string(node)+"#"+string(ver))
	kind, version := string(hash), string(ver) // the presence lives no longer than this call
	asked := Ask(c, cc.domain, false, append(query, "/>"...), func(ctx context.Context, el *scan.Stanza) {
		info := el.Element().Child(disco.NSInfo, "query")
		if string(el.Type()) == "result" && info.Exists() {
			cc.answered(ctx, c, claim, kind, version, info)
		}
	})
	if !asked { // its next presence has it asked again
		c.State().claims("")
	}
}

// answered keeps for all what proves the hash. Whatever else a client says holds for that client alone (section 5.4, attack row 35): one that claims an old-style
// version, or a wrong one, harms nobody but itself.
func (cc *clientCaps) answered(ctx context.Context, c Client, claim, hash, ver string, info scan.Element) {
	text, sound := verification(info)
	wishes := wishesOf(text)
	if sound && proves(text, hash, ver) {
		cc.known.add(hash, ver, wishes)
	}
	cc.learned(ctx, c, claim, wishes)
}

func (cc *clientCaps) learned(ctx context.Context, c Client, claim string, wishes []string) {
	if added := c.State().wish(claim, wishes); len(added) > 0 {
		cc.wanted(ctx, c, added)
	}
}

const (
	maxWishes     = 200
	maxWishesSize = 8192
)

// wishesOf returns the nodes whose notifications a verification string asks for. Since they are read from the very string that was hashed, two answers with one hash
// cannot wish for different things, however they are cut into features.
func wishesOf(text string) []string {
	var wishes []string
	size := 0
	for piece := range strings.SplitSeq(text, "<") {
		if node, ok := strings.CutSuffix(piece, "+notify"); ok && node != "" {
			wishes = append(wishes, strings.Clone(node))
			size += len(node)
		}
	}
	if len(wishes) > maxWishes || size > maxWishesSize {
		return nil // no client has so many
	}
	return sorted(wishes)
}
