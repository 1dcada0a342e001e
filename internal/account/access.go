package account

import (
	"slices"

	"signalbox/internal/endpoint"
)

// Access is who may read a node (XEP-0060 section 4.5). The zero value is the default of XEP-0163.
type Access uint8

// The access models.
const (
	AccessPresence  Access = iota // who gets the owner's presence
	AccessOpen                    // everybody
	AccessRoster                  // who gets the owner's presence and is in one of the node's groups
	AccessWhitelist               // members
)

var accessNames = []string{"presence", "open", "roster", "whitelist"}

// String returns the value of pubsub#access_model.
func (a Access) String() string { return accessNames[min(a, AccessWhitelist)] }

// ParseAccess reads what String returns; false for everything else.
func ParseAccess(text string) (Access, bool) {
	i := slices.Index(accessNames, text)
	return Access(max(i, 0)), i >= 0
}

// SendLast is when the last item is sent without a publication (XEP-0060 section 16.4.4). The zero value is the default of XEP-0163.
type SendLast uint8

// The values of pubsub#send_last_published_item.
const (
	SendOnPresence     SendLast = iota // to whoever becomes available or subscribes
	SendOnSubscription                 // to whoever subscribes
	SendNever
)

var sendLastNames = []string{"on_sub_and_presence", "on_sub", "never"}

// String returns the value of pubsub#send_last_published_item.
func (s SendLast) String() string { return sendLastNames[min(s, SendNever)] }

// ParseSendLast reads what String returns; false for everything else.
func ParseSendLast(text string) (SendLast, bool) {
	i := slices.Index(sendLastNames, text)
	return SendLast(max(i, 0)), i >= 0
}

// Affiliation is what a JID is to a node besides its owner, which the account itself is. The zero value is none.
type Affiliation uint8

// The affiliations.
const (
	NoAffiliation Affiliation = iota
	Member                    // may read
	Publisher                 // may read and publish
	Outcast                   // may not read, whatever the access model
)

var affiliationNames = []string{"none", "member", "publisher", "outcast"}

// String returns the value of the attribute affiliation.
func (a Affiliation) String() string { return affiliationNames[min(a, Outcast)] }

// ParseAffiliation reads what String returns; false for everything else.
func ParseAffiliation(text string) (Affiliation, bool) {
	i := slices.Index(affiliationNames, text)
	return Affiliation(max(i, 0)), i >= 0
}

// Admits reports whether an entity may read the node, which holds for every way of reading: items, discovery, notifications, subscription. who is its bare JID, in
// is what the owner's roster holds of it. The owner may always.
func (n *Node) Admits(owner endpoint.Key, who string, in Item) bool {
	affiliation := n.Affiliations[who]
	switch {
	case who == owner.JID(), affiliation == Member, affiliation == Publisher:
		return true
	case affiliation == Outcast:
		return false
	}
	hears := in.Subscription&From != 0
	switch n.Config.Access {
	case AccessOpen:
		return true
	case AccessPresence:
		return hears
	case AccessRoster:
		return hears && slices.ContainsFunc(in.Groups, func(g string) bool { return slices.Contains(n.Config.Groups, g) })
	}
	return false
}

// MayPublish reports whether an entity may publish to the node and retract from it.
func (n *Node) MayPublish(owner endpoint.Key, who string) bool {
	return who == owner.JID() || n.Affiliations[who] == Publisher
}
