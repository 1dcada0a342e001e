package app

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"signalbox/internal/diagnosis"
	"signalbox/internal/endpoint"
	"signalbox/internal/push"
)

// buildWhy builds what answers why an endpoint is not online and why a push is not done.
func (a *App) buildWhy() *diagnosis.Service {
	return diagnosis.New(diagnosis.Deps{
		Domain: a.cfg.Domain, Memory: a.attempts.memory, Endpoints: endpoint.NewDirectory(a.store, a.endpoint),
		Flows: flows{a.pushes}, Pushes: whyPushes{a}, Events: whyEvents{a}, Server: whyServer{a}, Management: whyManagement{a},
	})
}

// flows is diagnosis.Flows.
type flows struct{ pushes *push.Service }

// Flow implements diagnosis.Flows.
func (f flows) Flow(k endpoint.Key) (diagnosis.Flow, bool) {
	l, ok := f.pushes.Flow(k)
	return diagnosis.Flow{Available: !l.Away, Detached: l.Suspended, Stalled: l.Stalled, OnWay: l.OnWay, Window: l.Window}, ok
}

// whyEvents is diagnosis.Events.
type whyEvents struct{ app *App }

// EndpointEvents implements diagnosis.Events.
func (w whyEvents) EndpointEvents(ctx context.Context, k endpoint.Key, until time.Time, limit int) ([]diagnosis.StoredEvent, error) {
	stored, err := w.app.store.EndpointEvents(ctx, k, until, limit)
	all := make([]diagnosis.StoredEvent, len(stored))
	for i, e := range stored {
		all[i] = diagnosis.StoredEvent{Seq: e.Seq, At: e.At, Kind: string(e.Type), Data: e.Data}
	}
	return all, err
}

// whyServer is diagnosis.Server.
type whyServer struct{ app *App }

// Certificate implements diagnosis.Server.
func (w whyServer) Certificate(serverName string) diagnosis.Certificate {
	b := w.app.certs.Required()
	for _, other := range w.app.certs.Bundles() {
		if serverName != "" && slices.Contains(other.Names, strings.ToLower(serverName)) {
			b = other
			break
		}
	}
	return diagnosis.Certificate{Names: b.Names, From: b.NotBefore, Until: b.NotAfter}
}

// Closed implements diagnosis.Server.
func (w whyServer) Closed() string {
	if ok, why := w.app.certs.Serving(); !ok {
		return why.Error()
	}
	return ""
}

// Draining implements diagnosis.Server.
func (w whyServer) Draining() time.Time { return w.app.drainer.Draining().Since }

// Unwritable implements diagnosis.Server.
func (w whyServer) Unwritable(ctx context.Context) string { return causeText(w.app.store.Ready(ctx)) }

// whyPushes is diagnosis.Pushes.
type whyPushes struct{ app *App }

// Push implements diagnosis.Pushes.
func (w whyPushes) Push(ctx context.Context, text string) (*diagnosis.Push, *diagnosis.Fanout, error) {
	id, err := push.ParseID(text)
	if err != nil {
		return nil, nil, diagnosis.ErrUnknownPush
	}
	st, err := w.app.pushes.Status(ctx, w.app.cfg.Domain, id)
	if err == nil {
		p := whyPush(st)
		return &p, nil, nil
	}
	if !errors.Is(err, push.ErrUnknown) {
		return nil, nil, err
	}
	f, err := w.app.pushes.Fanout(ctx, w.app.cfg.Domain, id)
	switch {
	case errors.Is(err, push.ErrUnknown):
		return nil, nil, diagnosis.ErrUnknownPush
	case err != nil:
		return nil, nil, err
	}
	counts := make(map[string]int, len(f.Counts))
	for state, n := range f.Counts {
		counts[string(state)] = n
	}
	return nil, &diagnosis.Fanout{ID: f.ID.String(), Targets: f.Targets, Counts: counts, Created: f.Created, Expires: f.Expires()}, nil
}

// whyPush is a push as diagnosis knows it.
func whyPush(st push.Status) diagnosis.Push {
	p := diagnosis.Push{
		ID: st.ID.String(), To: st.To, Type: st.Type, State: string(st.State), Done: push.Final(st.State, st.Ack), Created: st.Created,
		Expires: st.Expires(), NotBefore: st.NotBefore, Result: st.Result, CollapseKey: st.CollapseKey, History: make([]diagnosis.Change, len(st.History)),
	}
	for i, c := range st.History {
		p.History[i] = diagnosis.Change{State: string(c.State), At: c.At, Reason: c.Reason}
		if c.By != 0 {
			p.History[i].By = c.By.String()
		}
	}
	switch {
	case st.Message:
		p.What = "a message of XMPP"
	case st.Type == push.ResyncType && st.CollapseKey == push.ResyncKey:
		p.What = "by which this server tells of pushes that it dropped"
	}
	return p
}

func whyAll(all []push.Status, err error) ([]diagnosis.Push, error) {
	ps := make([]diagnosis.Push, len(all))
	for i, st := range all {
		ps[i] = whyPush(st)
	}
	return ps, err
}

// Targets implements diagnosis.Pushes.
func (w whyPushes) Targets(ctx context.Context, fanout, state string, limit int) ([]diagnosis.Push, error) {
	id, err := push.ParseID(fanout)
	if err != nil {
		return nil, diagnosis.ErrUnknownPush
	}
	return whyAll(w.app.pushes.Deliveries(ctx, w.app.cfg.Domain, id, push.State(state), 0, limit))
}

// Created implements diagnosis.Pushes.
func (w whyPushes) Created(ctx context.Context, k endpoint.Key, until time.Time, limit int) ([]diagnosis.Push, error) {
	return whyAll(w.app.store.PushesCreated(ctx, k, until, limit))
}

// Sent implements diagnosis.Pushes.
func (w whyPushes) Sent(ctx context.Context, k endpoint.Key) (n int, oldest time.Time, err error) {
	const most = 1024 // the largest window
	all, err := w.app.pushes.List(ctx, k, push.Sent, 0, most)
	for _, st := range all {
		if at := st.History[len(st.History)-1].At; !push.Final(st.State, st.Ack) {
			if n++; oldest.IsZero() || at.Before(oldest) {
				oldest = at
			}
		}
	}
	return n, oldest, err
}

// Ahead implements diagnosis.Pushes.
func (w whyPushes) Ahead(ctx context.Context, p *diagnosis.Push) (int, error) {
	id, err := push.ParseID(p.ID)
	if err != nil {
		return 0, diagnosis.ErrUnknownPush
	}
	st, err := w.app.pushes.Status(ctx, w.app.cfg.Domain, id)
	if err != nil {
		return 0, err
	}
	return w.app.store.PushesAhead(ctx, st.To, st.Priority, st.ID)
}
