// Package pubsub lets accounts publish what their contacts want to know: personal eventing (XEP-0163) with the part of publish-subscribe (XEP-0060) that it takes.
package pubsub

import (
	"context"

	"go.uber.org/zap"
	"mellium.im/xmpp/stanza"

	"signalbox/internal/account"
	"signalbox/internal/endpoint"
	"signalbox/internal/telemetry"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
)

const (
	nsPubSub = "http://jabber.org/protocol/pubsub"
	nsOwner  = nsPubSub + "#owner"
	nsEvent  = nsPubSub + "#event"
	nsErrors = nsPubSub + "#errors"
	nsData   = "jabber:x:data"
	nsPaging = "http://jabber.org/protocol/rsm"
)

// Service answers for the nodes of accounts and notifies who wants to know. It is safe for concurrent use.
type Service struct {
	accounts *account.Service
	host     feature.Host
	log      *zap.Logger
}

// New returns a service.
func New(accounts *account.Service, host feature.Host, log *zap.Logger) *Service {
	return &Service{accounts, host, log.Named("pubsub")}
}

// offered are the features of XEP-0060 section 16.1 that there are.
var offered = []string{
	"access-open", "access-presence", "access-roster", "access-whitelist", "auto-create", "auto-subscribe", "config-node", "config-node-max", "create-and-configure",
	"create-nodes", "delete-items", "delete-nodes", "filtered-notifications", "item-ids", "last-published", "manage-subscriptions", "member-affiliation",
	"modify-affiliations", "multi-items", "outcast-affiliation", "persistent-items", "presence-notifications", "presence-subscribe", "publish", "publish-options",
	"publisher-affiliation", "purge-nodes", "retract-items", "retrieve-affiliations", "retrieve-default", "retrieve-items", "retrieve-subscriptions", "rsm", "subscribe",
}

// Feature offers the service.
func (s *Service) Feature() feature.Feature {
	vars := []string{nsPubSub}
	for _, name := range offered {
		vars = append(vars, nsPubSub+"#"+name)
	}
	return feature.Feature{
		AccountVars: vars,
		Identities:  []feature.Identity{{Category: "pubsub", Type: "pep"}},
		Requests: []feature.Request{
			{Namespace: nsPubSub, Local: "pubsub", To: feature.Account, Get: s.handler(gets), Set: s.handler(sets)},
			{Namespace: nsOwner, Local: "pubsub", To: feature.Account, Get: s.handler(ownerGets), Set: s.handler(ownerSets)},
		},
		Knows:    s.knows,
		Describe: s.describe,
		List:     s.list,
		Revealed: s.revealed,
	}
}

// operations are what a request may ask for, by the name of the element that says so.
type operations map[string]func(*Service, context.Context, *request) feature.Answer

var (
	gets = operations{"items": (*Service).items, "subscriptions": (*Service).subscriptions, "affiliations": (*Service).affiliations}
	sets = operations{
		"publish": (*Service).publish, "retract": (*Service).retract, "create": (*Service).create, "subscribe": (*Service).subscribe, "unsubscribe": (*Service).unsubscribe,
	}
	ownerGets = operations{
		"configure": (*Service).configuration, "default": (*Service).defaults, "affiliations": (*Service).nodeAffiliations, "subscriptions": (*Service).nodeSubscriptions,
	}
	ownerSets = operations{
		"configure": (*Service).configure, "delete": (*Service).delete, "purge": (*Service).purge, "affiliations": (*Service).affiliate,
		"subscriptions": (*Service).changeSubscriptions,
	}
)

// handler answers by the first element that names an operation.
func (s *Service) handler(ops operations) func(context.Context, *feature.Query) feature.Answer {
	return func(ctx context.Context, q *feature.Query) feature.Answer {
		for c := range q.Payload.Children() {
			operation := ops[string(c.Local())]
			if operation == nil || string(c.Namespace()) != string(q.Payload.Namespace()) {
				continue
			}
			r := &request{q: q, op: c, node: attribute(c, "node")}
			var err error
			if r.asker, err = s.ask(ctx, q); err != nil {
				return s.mistake(err, q.Account)
			}
			return operation(s, ctx, r)
		}
		return feature.Refuse(stanza.Cancel, stanza.FeatureNotImplemented)
	}
}

// request is one operation that somebody asks for.
type request struct {
	q    *feature.Query
	op   scan.Element
	node string // that it names
	asker
}

// asker is what somebody is to the account that is asked.
type asker struct {
	jid     string       // bare
	own     bool         // the account's owner
	contact account.Item // what the owner's roster holds of others
	blocked bool
}

// stranger reports whether nothing may be told but what the asker may read: not what is missing, nor whether the account exists.
func (a *asker) stranger() bool {
	return !a.own && (a.blocked || a.contact.Subscription&account.From == 0)
}

// admitted is the one check of who may read a node, for all ways of reading it.
func (a *asker) admitted(owner endpoint.Key, n *account.Node) bool {
	return !a.blocked && n.Admits(owner, a.jid, a.contact)
}

func (s *Service) ask(ctx context.Context, q *feature.Query) (a asker, err error) {
	a.jid = q.From.Key().JID()
	if a.own = q.From.Key() == q.Account; a.own {
		return a, nil
	}
	a.blocked = s.accounts.IsBlocked(q.Account, q.From.JID())
	a.contact, _, err = s.accounts.Contact(ctx, q.Account, a.jid)
	return a, err
}

// mistake is the answer for an error of internal/account.
func (s *Service) mistake(err error, k endpoint.Key) feature.Answer {
	a, ok := feature.Mistake(err)
	if !ok {
		s.log.Error("nodes could not be read or changed", telemetry.Endpoint(k.JID()), telemetry.Cause(err))
	}
	return a
}
