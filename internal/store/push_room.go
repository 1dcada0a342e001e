package store

import (
	"signalbox/internal/endpoint"
	"signalbox/internal/push"
	"signalbox/internal/store/outbox"
	"signalbox/internal/store/pushes"
)

// room is how a new push gets its place at an endpoint: what it puts an end to.
type room struct {
	t     *tx
	key   endpoint.Key
	bound push.Queue
	claim push.Claim

	older, dropped []push.ID
}

// find says why the endpoint does not take p, or nothing, and then what has to end for it. It changes nothing yet.
func (r *room) find(c pushes.Candidate, p *push.Push) (reason string, err error) {
	if c.Num != 0 && c.Enabled && p.CollapseKey != "" {
		found, err := r.t.push.Older(c.Num, p.CollapseKey)
		if err != nil {
			return "", err
		}
		for _, f := range found {
			if r.mayEnd(f.ID) {
				r.older = append(r.older, f.ID)
				c.Count, c.Bytes = c.Count-1, c.Bytes-f.Size
			}
		}
	}
	reason = refusal(c, p, r.bound)
	if reason != push.ReasonQueueFull || !r.bound.DropOldest {
		return reason, nil
	}
	return r.drop(c, p)
}

func (r *room) mayEnd(id push.ID) bool { return r.claim == nil || r.claim(r.key, id) }

// drop chooses waiting pushes until p finds room, from the lowest priority up to its own.
func (r *room) drop(c pushes.Candidate, p *push.Push) (reason string, err error) {
	resyncs, err := r.t.push.OpenOf(c.Num, push.ResyncKey)
	if err != nil {
		return "", err
	}
	c.Count -= resyncs // they do not count
	replaced := make(map[push.ID]bool, len(r.older))
	for _, id := range r.older {
		replaced[id] = true
	}
	reason = refusal(c, p, r.bound)
	for place := push.Low; reason != "" && place >= p.Priority; place-- {
		err := r.t.push.Droppable(c.Num, place, func(f pushes.Sized) bool {
			if !replaced[f.ID] && r.mayEnd(f.ID) {
				r.dropped = append(r.dropped, f.ID)
				c.Count, c.Bytes = c.Count-1, c.Bytes-f.Size
				reason = refusal(c, p, r.bound)
			}
			return reason != ""
		})
		if err != nil {
			return "", err
		}
		if place == 0 {
			break
		}
	}
	if reason != "" {
		r.dropped = nil
	}
	return reason, nil
}

// make ends what find found, because of the push newer, and returns it. What was dropped the endpoint is told of by one push that waits.
func (r *room) make(ep int64, newer push.ID) (ended []push.Ended, err error) {
	for _, id := range r.older {
		row, err := r.t.findPush(id)
		if err != nil {
			return nil, err
		}
		if err := replace(r.t, row, newer); err != nil {
			return nil, err
		}
		ended = append(ended, push.Ended{ID: id, Fanout: row.Fanout, State: push.Replaced})
	}
	for _, id := range r.dropped {
		row, err := r.t.findPush(id)
		if err != nil {
			return nil, err
		}
		if err := change(r.t, row, push.Rejected, r.t.now, push.ReasonDropped, nil); err != nil {
			return nil, err
		}
		ended = append(ended, push.Ended{ID: id, Fanout: row.Fanout, State: push.Rejected})
	}
	if len(r.dropped) > 0 {
		if err := r.resync(ep); err != nil {
			return nil, err
		}
	}
	if len(ended) == 0 {
		return nil, nil
	}
	return ended, r.t.writeRows() // the next push of the same operation counts anew
}

// resync adds the push that tells the endpoint of what was dropped, unless one waits already. One that is on its way may be done before the endpoint could know.
func (r *room) resync(ep int64) error {
	waiting, err := r.t.push.Older(ep, push.ResyncKey)
	if err != nil {
		return err
	}
	for _, w := range waiting {
		if r.mayEnd(w.ID) {
			return nil
		}
	}
	id, err := r.t.nextPush()
	if err != nil {
		return err
	}
	p := push.Push{ID: id, To: r.key, Type: push.ResyncType, Priority: push.High, TTL: push.MaxTTL, Created: r.t.now, CollapseKey: push.ResyncKey}
	if err := r.t.push.Insert(ep, &p); err != nil {
		return err
	}
	return r.t.insertEvent(outbox.Event{At: r.t.now.UnixMicro(), Kind: 0, Ep: ep, Push: id})
}
