package account

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"signalbox/internal/endpoint"
)

// Node is a node of an account. Whoever has it does not change it.
type Node struct {
	Name         string
	Config       NodeConfig
	Affiliations map[string]Affiliation // by bare JID; at most MaxListed
	Subscribers  []string               // JIDs with an explicit subscription, in order; at most MaxListed
	Items        int                    // how many are kept
	Bytes        int                    // of their payloads
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

func checkNode(name string) error {
	if name == "" {
		return fmt.Errorf("%w: the node has no name", ErrInvalid)
	}
	return checkBytes("the name of a node", len(name), MaxNameBytes)
}
