package accounts

import (
	"encoding/json"
	"fmt"

	"signalbox/internal/account"
	"signalbox/internal/store/direct"
)

type nodeStmts struct {
	find, save, delete, usage      *direct.Stmt
	itemBytes, addItem, deleteItem *direct.Stmt
	oldest, deleteSeq, deleteItems *direct.Stmt
}

const (
	selectNode = "SELECT n.name, n.items, n.bytes, n.config FROM node n"
	nodeNum    = "(SELECT num FROM node WHERE ep = ?1 AND name = ?2)"

	queryOldestItems = "SELECT seq, size, id FROM node_item INDEXED BY node_item_order WHERE node = " + nodeNum + " ORDER BY seq LIMIT ?3"
)

func newNodeStmts(p *direct.Preparer) nodeStmts {
	return nodeStmts{
		find: p.Prepare(selectNode + " WHERE n.ep = ? AND n.name = ?"),
		save: p.Prepare("INSERT INTO node (ep, name, items, bytes, config) VALUES (?, ?, ?, ?, ?)" +
			" ON CONFLICT (ep, name) DO UPDATE SET items = excluded.items, bytes = excluded.bytes, config = excluded.config"),
		delete:      p.Prepare("DELETE FROM node WHERE ep = ?1 AND name = ?2"),
		usage:       p.Prepare("SELECT count(*), coalesce(sum(bytes), 0) FROM node WHERE ep = ?"),
		itemBytes:   p.Prepare("SELECT size FROM node_item WHERE node = " + nodeNum + " AND id = ?3"),
		addItem:     p.Prepare("INSERT INTO node_item (node, id, at, publisher, size, payload) VALUES (" + nodeNum + ", ?3, ?4, ?5, ?6, ?7)"),
		deleteItem:  p.Prepare("DELETE FROM node_item WHERE node = " + nodeNum + " AND id = ?3"),
		oldest:      p.Prepare(queryOldestItems),
		deleteSeq:   p.Prepare("DELETE FROM node_item WHERE seq = ?"),
		deleteItems: p.Prepare("DELETE FROM node_item WHERE node = " + nodeNum),
	}
}

func (t *tx) Node(name string) (account.Node, bool, error) {
	row := t.row[:4]
	found, err := t.node.find.Row(row, t.ep, name)
	if err != nil || !found {
		return account.Node{}, false, err
	}
	n, err := nodeOf(direct.Text(row[0]), direct.Int(row[1]), direct.Int(row[2]), direct.Text(row[3]))
	return n, true, err
}

func (t *tx) SaveNode(n *account.Node) error {
	config, err := encodeNode(n)
	if err != nil {
		return err
	}
	return t.node.save.Run(t.ep, n.Name, int64(n.Items), int64(n.Bytes), config)
}

func (t *tx) DeleteNode(name string) error {
	if err := t.node.deleteItems.Run(t.ep, name); err != nil {
		return err
	}
	return t.node.delete.Run(t.ep, name)
}

func (t *tx) NodeUsage() (nodes, bytes int, err error) { return t.counts(t.node.usage, t.ep) }

func (t *tx) ItemBytes(node, id string) (bytes int, found bool, err error) {
	found, err = t.node.itemBytes.Row(t.row[:1], t.ep, node, id)
	if err != nil || !found {
		return 0, false, err
	}
	return int(direct.Int(t.row[0])), true, nil
}

func (t *tx) SaveItem(node string, i *account.NodeItem) error {
	if err := t.DeleteItem(node, i.ID); err != nil {
		return err
	}
	return t.node.addItem.Run(t.ep, node, i.ID, direct.Micros(i.At), i.Publisher, int64(len(i.Payload)), direct.Blob(i.Payload))
}

func (t *tx) DeleteItem(node, id string) error { return t.node.deleteItem.Run(t.ep, node, id) }

func (t *tx) DeleteOldest(node string, n int) (ids []string, bytes int, err error) {
	var gone []int64
	row := t.row[:3]
	err = t.node.oldest.Each(row, func() error {
		gone, ids = append(gone, direct.Int(row[0])), append(ids, direct.Text(row[2]))
		bytes += int(direct.Int(row[1]))
		return nil
	}, t.ep, node, int64(n))
	for _, seq := range gone {
		if err == nil {
			err = t.node.deleteSeq.Run(seq)
		}
	}
	return ids, bytes, err
}

// nodeConfig is how everything of a node is stored that no query asks for.
type nodeConfig struct {
	Access       string            `json:"access"`
	Groups       []string          `json:"groups,omitempty"`
	MaxItems     int               `json:"max_items"`
	Transient    bool              `json:"transient,omitempty"`
	SendLast     string            `json:"send_last"`
	Title        string            `json:"title,omitempty"`
	Affiliations map[string]string `json:"affiliations,omitempty"`
	Subscribers  []string          `json:"subscribers,omitempty"`
}

func encodeNode(n *account.Node) (string, error) {
	c := n.Config
	stored := nodeConfig{
		Access: c.Access.String(), Groups: c.Groups, MaxItems: c.MaxItems, Transient: c.Transient, SendLast: c.SendLast.String(), Title: c.Title, Subscribers: n.Subscribers,
	}
	if len(n.Affiliations) > 0 {
		stored.Affiliations = make(map[string]string, len(n.Affiliations))
		for jid, a := range n.Affiliations {
			stored.Affiliations[jid] = a.String()
		}
	}
	b, err := json.Marshal(stored)
	if err != nil {
		return "", fmt.Errorf("encode the node %q: %w", n.Name, err)
	}
	return string(b), nil
}

func nodeOf(name string, items, bytes int64, config string) (account.Node, error) {
	n := account.Node{Name: name, Items: int(items), Bytes: int(bytes)}
	var stored nodeConfig
	if err := json.Unmarshal([]byte(config), &stored); err != nil {
		return n, fmt.Errorf("read the node %q: %w", name, err)
	}
	access, okAccess := account.ParseAccess(stored.Access)
	sendLast, okSend := account.ParseSendLast(stored.SendLast)
	if !okAccess || !okSend {
		return n, fmt.Errorf("read the node %q: its configuration is not known", name)
	}
	n.Config = account.NodeConfig{
		Access: access, Groups: stored.Groups, MaxItems: stored.MaxItems, Transient: stored.Transient, SendLast: sendLast, Title: stored.Title,
	}
	n.Subscribers = stored.Subscribers
	for jid, text := range stored.Affiliations {
		a, ok := account.ParseAffiliation(text)
		if !ok {
			return n, fmt.Errorf("read the node %q: affiliation %q is not known", name, text)
		}
		if n.Affiliations == nil {
			n.Affiliations = make(map[string]account.Affiliation, len(stored.Affiliations))
		}
		n.Affiliations[jid] = a
	}
	return n, nil
}
