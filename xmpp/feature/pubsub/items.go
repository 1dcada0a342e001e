package pubsub

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"mellium.im/xmpp/stanza"

	"signalbox/internal/account"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
)

const (
	maxAnswerBytes = 256 << 10 // of the payloads in one answer, if it holds more than one
	maxNamed       = 100       // items that one request names, or JIDs that it changes
)

// items answers with items of a node, newest first (XEP-0060 section 6.5). What one answer does not hold is got page by page (XEP-0059).
func (s *Service) items(ctx context.Context, r *request) feature.Answer {
	n, refusal := s.readable(ctx, r)
	if refusal.Condition != "" {
		return refusal
	}
	limit := account.MaxPage
	if text, found := r.op.Attr("max_items"); found {
		var err error
		if limit, err = strconv.Atoi(string(text)); err != nil || limit < 1 {
			return feature.Refuse(stanza.Modify, stanza.BadRequest)
		}
	}
	named := slices.Collect(r.op.Children())
	if len(named) > maxNamed {
		return feature.Refuse(stanza.Modify, stanza.NotAcceptable)
	}
	var items []account.NodeItem
	var err error
	if len(named) > 0 {
		items, err = s.named(ctx, r, named)
	} else {
		items, err = s.accounts.Items(ctx, r.q.Account, r.node, limit)
	}
	if err != nil {
		return s.mistake(err, r.q.Account)
	}
	total := n.Items
	if len(named) > 0 || limit < total {
		total = len(items)
	}
	return answerItems(r, items, total)
}

// named returns the items that are asked for by id, as far as they are there.
func (s *Service) named(ctx context.Context, r *request, elements []scan.Element) (items []account.NodeItem, err error) {
	for _, el := range elements {
		item, err := s.accounts.Item(ctx, r.q.Account, r.node, attribute(el, "id"))
		switch {
		case err == nil:
			items = append(items, item)
		case !errors.Is(err, account.ErrNoItem):
			return nil, err
		}
	}
	return items, nil
}

// answerItems answers with a page of items.
func answerItems(r *request, items []account.NodeItem, total int) feature.Answer {
	set := r.q.Payload.Child(nsPaging, "set")
	page, index, refusal := cut(items, set)
	if refusal.Condition != "" {
		return refusal
	}
	b := append(appendOpen(nil, "items", r.node), '>')
	shown := 0
	for i := range page {
		if i > 0 && len(b)+len(page[i].Payload) > maxAnswerBytes {
			break
		}
		b = appendItem(b, &page[i], r.q.Account.JID())
		shown++
	}
	b = append(b, "</items>"...)
	if set.Exists() || shown < len(items) {
		b = appendPage(b, page[:shown], index, total)
	}
	return feature.Answer{Payload: wrap(nsPubSub, b)}
}

// cut returns the page that is asked for, and where it begins.
func cut(items []account.NodeItem, set scan.Element) (page []account.NodeItem, index int, refusal feature.Answer) {
	from, to, size, backwards := 0, len(items), len(items), false
	for c := range set.Children() {
		text := c.Text()
		at := slices.IndexFunc(items, func(it account.NodeItem) bool { return it.ID == text })
		switch name := string(c.Local()); {
		case name == "max":
			n, err := strconv.Atoi(text)
			if err != nil || n < 0 {
				return nil, 0, feature.Refuse(stanza.Modify, stanza.BadRequest)
			}
			size = min(n, size)
		case name == "before" && text == "":
			backwards = true
		case name != "before" && name != "after":
			continue
		case at < 0:
			return nil, 0, feature.Refuse(stanza.Cancel, stanza.ItemNotFound)
		case name == "before":
			to, backwards = at, true
		default:
			from = at + 1
		}
	}
	to = max(from, to)
	if backwards {
		from = max(from, to-size)
	}
	return items[from:min(to, from+size)], from, feature.Answer{}
}

func appendPage(b []byte, page []account.NodeItem, index, total int) []byte {
	b = append(b, "<set xmlns='"+nsPaging+"'>"...)
	if len(page) > 0 {
		b = append(scan.AppendAttribute(append(b, "<first"...), "index", strconv.Itoa(index)), '>')
		b = scan.AppendText(b, page[0].ID)
		b = scan.AppendText(append(b, "</first><last>"...), page[len(page)-1].ID)
		b = append(b, "</last>"...)
	}
	return append(strconv.AppendInt(append(b, "<count>"...), int64(total), 10), "</count></set>"...)
}
