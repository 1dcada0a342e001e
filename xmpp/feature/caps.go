package feature

import (
	"context"
	"crypto/sha1" //nolint:gosec // the only hash that all clients know, see XEP-0115 section 5.1; nothing rests on it but a cache
	"encoding/base64"
	"slices"
	"strings"
)

const (
	nsCaps   = "http://jabber.org/protocol/caps"
	capsNode = "https://signalbox.example/server"
)

// caps tells clients what the server offers by a hash (XEP-0115 section 6.3), so that they need not ask again, and answers who does not know the hash.
func caps(s *Set) Feature {
	ver := capsHash(serverIdentity, s.vars, s.forms...)
	node := capsNode + "#" + ver
	return Feature{
		Stream: "<c xmlns='" + nsCaps + "' hash='sha-1' node='" + capsNode + "' ver='" + ver + "'/>",
		Describe: func(_ context.Context, q *Query, asked string) (Answer, bool) {
			if q.To != Server || asked != node {
				return Answer{}, false
			}
			return Answer{Payload: appendInfo(nil, node, serverIdentity, s.vars, s.forms...)}, true
		},
	}
}

// capsHash is the verification string of XEP-0115 section 5.1, hashed. Vars are sorted.
func capsHash(identities []Identity, vars []string, forms ...Form) string {
	lines := make([]string, 0, len(identities))
	for _, id := range identities {
		lines = append(lines, id.Category+"/"+id.Type+"//"+id.Name)
	}
	slices.Sort(lines)
	sum := sha1.Sum([]byte(strings.Join(append(append(lines, vars...), capsLines(forms)...), "<") + "<"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
