package accounts

import (
	"context"
	"database/sql"

	"signalbox/internal/account"
	"signalbox/internal/endpoint"
	"signalbox/internal/store/direct"
)

// Nodes implements account.Reader.
func (r *Reader) Nodes(ctx context.Context, k endpoint.Key) ([]account.Node, error) {
	rows, err := r.nodes.QueryContext(ctx, k.Domain, k.ID)
	return r.readNodes(rows, err)
}

// Node implements account.Reader.
func (r *Reader) Node(ctx context.Context, k endpoint.Key, name string) (account.Node, error) {
	rows, err := r.node.QueryContext(ctx, k.Domain, k.ID, name)
	found, err := r.readNodes(rows, err)
	if err != nil {
		return account.Node{}, err
	}
	if len(found) == 0 {
		return account.Node{}, account.ErrNoNode
	}
	return found[0], nil
}

func (r *Reader) readNodes(rows *sql.Rows, err error) ([]account.Node, error) {
	var found []account.Node
	err = r.each(rows, err, func(scan scan) error {
		var name, config string
		var items, bytes int64
		if err := scan(&name, &items, &bytes, &config); err != nil {
			return err
		}
		n, err := nodeOf(name, items, bytes, config)
		found = append(found, n)
		return err
	})
	return found, err
}

// Items implements account.Reader.
func (r *Reader) Items(ctx context.Context, k endpoint.Key, node string, limit int) ([]account.NodeItem, error) {
	rows, err := r.items.QueryContext(ctx, k.Domain, k.ID, node, limit)
	found, known, err := r.readItems(rows, err)
	if err == nil && !known {
		err = account.ErrNoNode
	}
	return found, err
}

// Item implements account.Reader.
func (r *Reader) Item(ctx context.Context, k endpoint.Key, node, id string) (account.NodeItem, error) {
	rows, err := r.item.QueryContext(ctx, k.Domain, k.ID, node, id)
	found, known, err := r.readItems(rows, err)
	switch {
	case err != nil:
		return account.NodeItem{}, err
	case !known:
		return account.NodeItem{}, account.ErrNoNode
	case len(found) == 0:
		return account.NodeItem{}, account.ErrNoItem
	}
	return found[0], nil
}

// readItems reads items, and whether their node is known: then there is a row even if it has none.
func (r *Reader) readItems(rows *sql.Rows, err error) (found []account.NodeItem, known bool, _ error) {
	err = r.each(rows, err, func(scan scan) error {
		known = true
		var id, publisher sql.NullString
		var at sql.NullInt64
		var i account.NodeItem
		err := scan(&id, &i.Payload, &publisher, &at)
		if i.ID, i.Publisher, i.At = id.String, publisher.String, direct.Time(at.Int64); id.Valid {
			found = append(found, i)
		}
		return err
	})
	return found, known, err
}
