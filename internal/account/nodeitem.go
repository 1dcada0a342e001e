package account

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"signalbox/internal/endpoint"
)

// NodeItem is one item of a node.
type NodeItem struct {
	ID        string // at most MaxNameBytes; Publish makes one where it is empty
	Payload   []byte // one XML element, or nothing
	Publisher string // bare JID
	At        time.Time
}

// Published is what a publication did.
type Published struct {
	Node    Node     // after it
	Item    NodeItem // as it is stored, with its id
	Created bool     // the node was not there before
	Evicted []string // ids of the items that gave way; nobody needs to be told
}

// Publish publishes an item, in place of one with the same id. A node that does not exist is created (XEP-0163 section 3), configured as o says; of one that exists
// o must hold. The caller has asked Node.MayPublish. Errors: ErrPrecondition, ErrInvalid, ErrTooLarge, ErrFull where the account's nodes or their bytes would be too
// many.
func (s *Service) Publish(ctx context.Context, k endpoint.Key, node string, item NodeItem, o Options) (Published, error) {
	if err := checkNode(node); err != nil {
		return Published{}, err
	}
	if err := checkBytes("the id of an item", len(item.ID), MaxNameBytes); err != nil {
		return Published{}, err
	}
	if err := checkBytes("the payload", len(item.Payload), MaxPayloadBytes); err != nil {
		return Published{}, err
	}
	if item.ID == "" {
		item.ID = rand.Text()
	}
	var p Published
	err := s.change(ctx, k, holdsNodes, func(tx Tx) (err error) {
		p = Published{Item: item}
		if p.Created, err = s.nodeFor(tx, &p.Node, node, o); err != nil {
			return err
		}
		p.Evicted, err = s.keepItem(tx, &p.Node, &item)
		return err
	})
	if err != nil {
		return Published{}, err
	}
	return p, nil
}

// nodeFor finds or makes the node of a publication.
func (s *Service) nodeFor(tx Tx, n *Node, name string, o Options) (created bool, err error) {
	var found bool
	if *n, found, err = tx.Node(name); err != nil {
		return false, err
	}
	if !found {
		*n, err = s.newNode(tx, name, o)
		return true, err
	}
	if !s.met(n.Config, o) {
		return false, ErrPrecondition
	}
	return false, nil
}

// keepItem stores a node with one more item, unless it keeps none, and trims it.
func (s *Service) keepItem(tx Tx, n *Node, item *NodeItem) (evicted []string, err error) {
	if n.Config.Transient {
		return nil, tx.SaveNode(n)
	}
	old, replaces, err := tx.ItemBytes(n.Name, item.ID)
	if err != nil {
		return nil, err
	}
	_, bytes, err := tx.NodeUsage()
	if err != nil {
		return nil, err
	}
	if bytes-old+len(item.Payload) > s.cfg.NodeBytes {
		return nil, fmt.Errorf("%w: all items of an account may have %d bytes", ErrFull, s.cfg.NodeBytes)
	}
	if !replaces {
		n.Items++
	}
	n.Bytes += len(item.Payload) - old
	if err := tx.SaveNode(n); err != nil {
		return nil, err
	}
	if err := tx.SaveItem(n.Name, item); err != nil {
		return nil, err
	}
	if evicted, err = trim(tx, n, n.Config.MaxItems); err != nil || len(evicted) == 0 {
		return nil, err
	}
	return evicted, tx.SaveNode(n)
}

// trim deletes the oldest items beyond a number and returns their ids.
func trim(tx Tx, n *Node, keep int) ([]string, error) {
	if n.Items <= keep {
		return nil, nil
	}
	gone, bytes, err := tx.DeleteOldest(n.Name, n.Items-keep)
	n.Items -= len(gone)
	n.Bytes -= bytes
	return gone, err
}

// Retract deletes one item. Errors: ErrNoNode, ErrNoItem.
func (s *Service) Retract(ctx context.Context, k endpoint.Key, node, id string) (Node, error) {
	return s.changeNode(ctx, k, node, func(tx Tx, n *Node) error {
		bytes, found, err := tx.ItemBytes(node, id)
		if err != nil {
			return err
		}
		if !found {
			return ErrNoItem
		}
		n.Items--
		n.Bytes -= bytes
		return tx.DeleteItem(node, id)
	})
}

// Purge deletes all items of a node. Errors: ErrNoNode.
func (s *Service) Purge(ctx context.Context, k endpoint.Key, node string) (Node, error) {
	return s.changeNode(ctx, k, node, func(tx Tx, n *Node) error {
		_, err := trim(tx, n, 0)
		return err
	})
}

// Items returns up to limit items of a node, newest first. Errors: ErrNoNode.
func (s *Service) Items(ctx context.Context, k endpoint.Key, node string, limit int) ([]NodeItem, error) {
	return s.store.Items(ctx, k, node, min(max(limit, 0), MaxPage))
}

// Item returns one item of a node. Errors: ErrNoNode, ErrNoItem.
func (s *Service) Item(ctx context.Context, k endpoint.Key, node, id string) (NodeItem, error) {
	return s.store.Item(ctx, k, node, id)
}
