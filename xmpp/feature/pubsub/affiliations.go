package pubsub

import (
	"context"
	"maps"
	"slices"

	"mellium.im/xmpp/stanza"

	"signalbox/internal/account"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
)

// affiliations tells the asker what it is to the account's nodes (XEP-0060 section 5.7). That it is shut out of one is not told.
func (s *Service) affiliations(ctx context.Context, r *request) feature.Answer {
	nodes, err := s.accounts.Nodes(ctx, r.q.Account)
	if err != nil {
		return s.mistake(err, r.q.Account)
	}
	b := append(appendOpen(nil, "affiliations", r.node), '>')
	for i := range nodes {
		n := &nodes[i]
		what := n.Affiliations[r.jid].String()
		switch {
		case r.node != "" && r.node != n.Name, r.blocked:
			continue
		case r.own:
			what = "owner"
		case n.Affiliations[r.jid] == account.NoAffiliation, n.Affiliations[r.jid] == account.Outcast:
			continue
		}
		b = append(scan.AppendAttribute(appendOpen(b, "affiliation", n.Name), "affiliation", what), "/>"...)
	}
	return feature.Answer{Payload: wrap(nsPubSub, append(b, "</affiliations>"...))}
}

// nodeAffiliations tells the owner what everybody is to a node (section 8.9.1).
func (s *Service) nodeAffiliations(ctx context.Context, r *request) feature.Answer {
	n, refusal := s.ownNode(ctx, r)
	if refusal.Condition != "" {
		return refusal
	}
	b := append(appendOpen(nil, "affiliations", r.node), '>')
	b = appendAffiliation(b, r.jid, "owner")
	for _, who := range slices.Sorted(maps.Keys(n.Affiliations)) {
		b = appendAffiliation(b, who, n.Affiliations[who].String())
	}
	return feature.Answer{Payload: wrap(nsOwner, append(b, "</affiliations>"...))}
}

func appendAffiliation(b []byte, who, what string) []byte {
	return append(scan.AppendAttribute(scan.AppendAttribute(append(b, "<affiliation"...), "jid", who), "affiliation", what), "/>"...)
}

// affiliate lets the owner change what others are to a node (section 8.9.2).
func (s *Service) affiliate(ctx context.Context, r *request) feature.Answer {
	if refusal := r.owned(); refusal.Condition != "" {
		return refusal
	}
	elements := slices.Collect(r.op.Children())
	if len(elements) > maxNamed {
		return feature.Refuse(stanza.Modify, stanza.NotAcceptable)
	}
	changes := make(map[string]account.Affiliation)
	for _, el := range elements {
		who, what, refusal := readAffiliation(el)
		if refusal.Condition != "" {
			return refusal
		}
		changes[who] = what
	}
	for _, who := range slices.Sorted(maps.Keys(changes)) {
		if _, err := s.accounts.Affiliate(ctx, r.q.Account, r.node, who, changes[who]); err != nil {
			return s.mistake(err, r.q.Account)
		}
	}
	return feature.Answer{}
}

func readAffiliation(el scan.Element) (who string, what account.Affiliation, refusal feature.Answer) {
	who, _, ok := parseJID(attribute(el, "jid"))
	if !ok || !el.Is(nsOwner, "affiliation") {
		return "", 0, feature.Refuse(stanza.Modify, stanza.BadRequest)
	}
	if what, ok = account.ParseAffiliation(attribute(el, "affiliation")); !ok {
		return "", 0, feature.Refuse(stanza.Modify, stanza.NotAcceptable)
	}
	return who, what, feature.Answer{}
}
