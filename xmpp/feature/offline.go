package feature

import (
	"context"
	"hash/maphash"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/account"
	"signalbox/internal/endpoint"
	"signalbox/internal/telemetry"
	"signalbox/xmpp/scan"
)

const offlinePage = 50 // messages that are read at once

// offline keeps messages for accounts without an available client (XEP-0160).
type offline struct {
	accounts *account.Service
	host     Host
	log      *zap.Logger
	seed     maphash.Seed
	turns    [64]chan struct{} // a token is in that of an account while its messages are delivered
}

// OfflineMessages offers XEP-0160.
func OfflineMessages(accounts *account.Service, host Host, log *zap.Logger) Feature {
	o := &offline{accounts: accounts, host: host, log: log, seed: maphash.MakeSeed()}
	for i := range o.turns {
		o.turns[i] = make(chan struct{}, 1)
	}
	return Feature{Vars: []string{"msgoffline"}, Stored: o.store, Arrived: o.deliver}
}

// store keeps what is worth it (section 3): what has a body, or says by a hint of XEP-0334 that it is. What is not, such as a chat state, is over with nobody there to
// see it. It waits for the disk, so that a message that its sender got no error for is not lost.
func (o *offline) store(ctx context.Context, m *Message) bool {
	switch {
	case m.NoStore, !m.Body && !m.Store && m.Type == "chat":
		return !m.Body
	case !m.Body && !m.Store && !m.Answers:
		return true
	}
	stored := make(chan error, 1)
	o.accounts.StoreOffline(m.To, account.Offline{Stanza: m.Raw(), At: time.Now().UTC(), Expires: expiry(m.Stanza.Element())}, func(err error) { stored <- err })
	select {
	case err := <-stored:
		if err != nil && !account.Refused(err) {
			o.log.Error("a message could not be kept", telemetry.Endpoint(m.To.JID()), telemetry.Cause(err))
		}
		if err == nil {
			o.overtaken(ctx, m.To)
		}
		return err == nil
	case <-ctx.Done():
		return false
	}
}

// overtaken gives what was just kept to a client that came meanwhile, and found nothing.
func (o *offline) overtaken(ctx context.Context, k endpoint.Key) {
	for _, c := range o.host.Clients(k) {
		if p := c.State().Presence(); p.Available && p.Priority >= 0 && !c.State().Has(Detached) {
			o.deliver(ctx, c)
			return
		}
	}
}

// deliver sends what was kept to a client that takes messages, with the time when it came (XEP-0203). What the client does not get stays kept.
func (o *offline) deliver(ctx context.Context, c Client) {
	if c.State().Presence().Priority < 0 {
		return
	}
	turn := o.turns[maphash.Comparable(o.seed, c.Key())%uint64(len(o.turns))]
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-ctx.Done():
		return
	}
	for after := account.OfflineID(0); ; {
		page, err := o.accounts.Offline(ctx, c.Key(), after, offlinePage)
		if err != nil {
			o.log.Error("kept messages could not be read", telemetry.Endpoint(c.Key().JID()), telemetry.Cause(err))
			return
		}
		sent := after
		for _, m := range page {
			if !c.SendMessage(o.delayed(m), NewCopies(1)) {
				break
			}
			sent = m.ID
		}
		if sent != after {
			o.forget(ctx, c.Key(), sent)
		}
		if len(page) < offlinePage || sent != page[len(page)-1].ID {
			return
		}
		after = sent
	}
}

// forget deletes what was delivered, and waits for that, so that it is not read and delivered once more.
func (o *offline) forget(ctx context.Context, k endpoint.Key, upTo account.OfflineID) {
	deleted := make(chan error, 1)
	o.accounts.DeleteOffline(k, upTo, func(err error) { deleted <- err })
	select {
	case err := <-deleted:
		if err != nil {
			o.accounts.DeleteOffline(k, upTo, nil) // waits until the disk takes it
		}
	case <-ctx.Done():
	}
}

// delayed stamps a message, unless it was stamped by us before.
func (o *offline) delayed(m account.Offline) []byte {
	el, err := scan.ParseInStream(m.Stanza, scan.Accepted)
	if err != nil {
		return m.Stanza // it was accepted when it came
	}
	for c := range el.Element().Children() {
		if from, _ := c.Attr("from"); c.Is(nsDelay, "delay") && string(from) == o.host.Domain() {
			return m.Stanza
		}
	}
	return scan.Edit{From: string(el.From()), Append: appendDelay(nil, o.host.Domain(), m.At)}.AppendTo(make([]byte, 0, len(m.Stanza)+128), &el)
}

const nsDelay = "urn:xmpp:delay"

// appendDelay appends XEP-0203.
func appendDelay(b []byte, from string, at time.Time) []byte {
	b = scan.AppendAttribute(append(b, "<delay xmlns='"+nsDelay+"'"...), "from", from)
	return append(scan.AppendAttribute(b, "stamp", at.UTC().Format("2006-01-02T15:04:05.000Z")), "/>"...)
}
