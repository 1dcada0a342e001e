package account

import (
	"context"
	"fmt"
	"slices"
	"strings"

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

// NodeConfig is the configuration of a node. Who publishes is always the owner and the publishers (pubsub#publish_model=publishers).
type NodeConfig struct {
	Access    Access
	Groups    []string // of AccessRoster; at most MaxGroups
	MaxItems  int      // that are kept, 1 to Config.NodeItems; the oldest give way
	Transient bool     // items are not kept: pubsub#persist_items=false
	SendLast  SendLast
	Title     string // at most MaxNameBytes
}

// DefaultNode returns the configuration of a node that is created by its first publication (XEP-0163 section 3).
func DefaultNode() NodeConfig { return NodeConfig{MaxItems: 1} }

// Options are the fields of a configuration that somebody names: a change of some fields, or the preconditions of a publication (publish-options, XEP-0060 section
// 7.1.5). Nil fields are not named.
type Options struct {
	Access    *Access
	Groups    *[]string
	MaxItems  *int // more than Config.NodeItems ("max") means that
	Transient *bool
	SendLast  *SendLast
	Title     *string
}

// Node is a node of an account. Whoever has it does not change it.
type Node struct {
	Name         string
	Config       NodeConfig
	Affiliations map[string]Affiliation // by bare JID; at most MaxListed
	Subscribers  []string               // JIDs with an explicit subscription, in order; at most MaxListed
	Items        int                    // how many are kept
	Bytes        int                    // of their payloads
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

// listBytes returns the length of all JIDs that a node names.
func (n *Node) listBytes() int {
	sum := bytesOf(n.Subscribers)
	for jid := range n.Affiliations {
		sum += len(jid)
	}
	return sum
}

// CreateNode creates a node with the default configuration, changed by what o names. Errors: ErrNodeExists, ErrInvalid, ErrTooLarge, ErrFull.
func (s *Service) CreateNode(ctx context.Context, k endpoint.Key, name string, o Options) (Node, error) {
	if err := checkNode(name); err != nil {
		return Node{}, err
	}
	var n Node
	err := s.change(ctx, k, holdsNodes, func(tx Tx) error {
		_, found, err := tx.Node(name)
		if err != nil {
			return err
		}
		if found {
			return ErrNodeExists
		}
		n, err = s.newNode(tx, name, o)
		if err != nil {
			return err
		}
		return tx.SaveNode(&n)
	})
	if err != nil {
		return Node{}, err
	}
	return n, nil
}

// newNode makes a node that is not stored yet.
func (s *Service) newNode(tx Tx, name string, o Options) (Node, error) {
	n := Node{Name: name, Config: DefaultNode()}
	if err := s.configure(&n.Config, o); err != nil {
		return Node{}, err
	}
	nodes, _, err := tx.NodeUsage()
	if err == nil && nodes >= s.cfg.Nodes {
		err = ErrFull
	}
	return n, err
}

// ConfigureNode changes what o names and returns the node after it; where it may keep fewer items now, the oldest go. Errors: ErrNoNode, ErrInvalid, ErrTooLarge.
func (s *Service) ConfigureNode(ctx context.Context, k endpoint.Key, name string, o Options) (Node, error) {
	return s.changeNode(ctx, k, name, func(tx Tx, n *Node) error {
		if err := s.configure(&n.Config, o); err != nil {
			return err
		}
		keep := n.Config.MaxItems
		if n.Config.Transient {
			keep = 0
		}
		_, err := trim(tx, n, keep)
		return err
	})
}

// DeleteNode deletes a node with its items and returns what it was: whoever subscribed to it is to be told. Errors: ErrNoNode.
func (s *Service) DeleteNode(ctx context.Context, k endpoint.Key, name string) (Node, error) {
	var n Node
	err := s.change(ctx, k, holdsNodes, func(tx Tx) (err error) {
		if n, err = mustNode(tx, name); err != nil {
			return err
		}
		return tx.DeleteNode(name)
	})
	if err != nil {
		return Node{}, err
	}
	return n, nil
}

// Affiliate sets what a bare JID is to a node; NoAffiliation removes it. An outcast's subscription ends. Errors: ErrNoNode, ErrInvalid, ErrTooLarge, ErrFull.
func (s *Service) Affiliate(ctx context.Context, k endpoint.Key, name, jid string, a Affiliation) (Node, error) {
	if err := checkContact(k, jid); err != nil {
		return Node{}, err
	}
	if a > Outcast {
		return Node{}, fmt.Errorf("%w: no such affiliation", ErrInvalid)
	}
	return s.changeNode(ctx, k, name, func(_ Tx, n *Node) error {
		delete(n.Affiliations, jid)
		if a == NoAffiliation {
			return nil
		}
		if len(n.Affiliations) >= MaxListed {
			return ErrFull
		}
		if n.Affiliations == nil {
			n.Affiliations = make(map[string]Affiliation)
		}
		n.Affiliations[jid] = a
		if n.listBytes() > maxListBytes {
			return ErrFull
		}
		if a == Outcast {
			n.Subscribers = slices.DeleteFunc(n.Subscribers, func(sub string) bool { return sub == jid || strings.HasPrefix(sub, jid+"/") })
		}
		return nil
	})
}

// Subscribe adds an explicit subscription of a JID, if it is not there; the caller has asked Node.Admits. Errors: ErrNoNode, ErrInvalid, ErrTooLarge, ErrFull.
func (s *Service) Subscribe(ctx context.Context, k endpoint.Key, name, jid string) (Node, error) {
	if err := checkJID(jid); err != nil {
		return Node{}, err
	}
	return s.changeNode(ctx, k, name, func(_ Tx, n *Node) error {
		i, found := slices.BinarySearch(n.Subscribers, jid)
		switch {
		case found:
			return nil
		case len(n.Subscribers) >= MaxListed || n.listBytes()+len(jid) > maxListBytes:
			return ErrFull
		}
		n.Subscribers = slices.Insert(n.Subscribers, i, jid)
		return nil
	})
}

// Unsubscribe removes the explicit subscription of a JID. Errors: ErrNoNode, ErrNoItem where there is none.
func (s *Service) Unsubscribe(ctx context.Context, k endpoint.Key, name, jid string) (Node, error) {
	return s.changeNode(ctx, k, name, func(_ Tx, n *Node) error {
		i, found := slices.BinarySearch(n.Subscribers, jid)
		if !found {
			return ErrNoItem
		}
		n.Subscribers = slices.Delete(n.Subscribers, i, i+1)
		return nil
	})
}

// Nodes returns all nodes of an account in the order of their names.
func (s *Service) Nodes(ctx context.Context, k endpoint.Key) ([]Node, error) {
	if s.lacks(k, holdsNodes) {
		return nil, nil
	}
	return s.store.Nodes(ctx, k)
}

// Node returns one node. Errors: ErrNoNode.
func (s *Service) Node(ctx context.Context, k endpoint.Key, name string) (Node, error) {
	return s.store.Node(ctx, k, name)
}

// changeNode changes a node that exists and returns it after the change.
func (s *Service) changeNode(ctx context.Context, k endpoint.Key, name string, step func(Tx, *Node) error) (Node, error) {
	var n Node
	err := s.change(ctx, k, holdsNodes, func(tx Tx) (err error) {
		if n, err = mustNode(tx, name); err != nil {
			return err
		}
		if err := step(tx, &n); err != nil {
			return err
		}
		return tx.SaveNode(&n)
	})
	if err != nil {
		return Node{}, err
	}
	return n, nil
}

func mustNode(tx Tx, name string) (Node, error) {
	n, found, err := tx.Node(name)
	if err == nil && !found {
		err = ErrNoNode
	}
	return n, err
}

// configure changes what o names, or refuses it and leaves c as it is.
func (s *Service) configure(c *NodeConfig, o Options) error {
	switch {
	case o.Access != nil && *o.Access > AccessWhitelist, o.SendLast != nil && *o.SendLast > SendNever, o.MaxItems != nil && *o.MaxItems < 1,
		o.Groups != nil && len(*o.Groups) > MaxGroups:
		return fmt.Errorf("%w: the configuration holds a value that is not offered", ErrInvalid)
	case o.Title != nil && len(*o.Title) > MaxNameBytes:
		return checkBytes("the title", len(*o.Title), MaxNameBytes)
	case o.Groups != nil:
		for _, g := range *o.Groups {
			if err := checkBytes("a group", len(g), MaxNameBytes); err != nil {
				return err
			}
		}
	}
	set(&c.Access, o.Access)
	set(&c.Groups, o.Groups)
	set(&c.MaxItems, o.MaxItems)
	set(&c.Transient, o.Transient)
	set(&c.SendLast, o.SendLast)
	set(&c.Title, o.Title)
	c.MaxItems = min(c.MaxItems, s.cfg.NodeItems)
	return nil
}

func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

// met reports whether everything that o names is as c has it.
func (s *Service) met(c NodeConfig, o Options) bool {
	same := c
	if err := s.configure(&same, o); err != nil {
		return false
	}
	return same.Access == c.Access && slices.Equal(same.Groups, c.Groups) && same.MaxItems == c.MaxItems && same.Transient == c.Transient &&
		same.SendLast == c.SendLast && same.Title == c.Title
}

func checkNode(name string) error {
	if name == "" {
		return fmt.Errorf("%w: the node has no name", ErrInvalid)
	}
	return checkBytes("the name of a node", len(name), MaxNameBytes)
}
