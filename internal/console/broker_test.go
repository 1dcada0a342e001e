package console

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"signalbox/internal/remote"
	"signalbox/internal/signalling"
)

// fakeBroker is a broker in memory, which fails on demand. It implements Sessions and Seats.
type fakeBroker struct {
	mu       sync.Mutex
	last     remote.ID
	all      map[remote.ID]*remote.Session
	specs    []remote.Spec // that were asked for
	ended    []string      // reasons, and by whom
	broken   error
	attached chan *fakeSeat
	refused  chan signalling.Code // of who has no seat
}

// fakeSeat is a technician's side. It implements Seat.
type fakeSeat struct {
	attach   signalling.Attach
	from     netip.Addr
	send     func(signalling.Message) bool
	closed   func(string)
	took     chan signalling.Message
	detached chan struct{}
	refused  chan signalling.Code
	broken   error
}

func newFakeBroker() *fakeBroker {
	return &fakeBroker{last: 1000, all: map[remote.ID]*remote.Session{}, attached: make(chan *fakeSeat, 100), refused: make(chan signalling.Code, 100)}
}

func (f *fakeBroker) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = err
}

func (f *fakeBroker) Open(_ context.Context, domain string, spec remote.Spec, by remote.Caller) (remote.Opened, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return remote.Opened{}, f.broken
	}
	f.specs = append(f.specs, spec)
	f.last++
	s := &remote.Session{ID: f.last, Domain: domain, Spec: spec, By: by, State: remote.Requested, Created: time.Now(), Expires: time.Now().Add(time.Hour)}
	f.all[s.ID] = s
	return f.openedLocked(s), nil
}

func (*fakeBroker) openedLocked(s *remote.Session) remote.Opened {
	return remote.Opened{Session: *s, Token: "token of " + s.ID.String(), TokenExpires: s.Created.Add(time.Minute)}
}

func (f *fakeBroker) Session(_ context.Context, domain string, id remote.ID) (remote.Session, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.all[id]
	if s == nil || s.Domain != domain {
		return remote.Session{}, remote.ErrUnknown
	}
	return *s, nil
}

func (f *fakeBroker) List(_ context.Context, q remote.Query) (some []remote.Session, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id := f.last; id > 0 && len(some) < q.Limit; id-- {
		s := f.all[id]
		if s == nil || q.Before != 0 && id >= q.Before || q.Technician != "" && s.Technician.ID != q.Technician || q.Open && !s.Open() || q.State != "" && s.State != q.State ||
			q.Endpoint != "" && s.Endpoint != q.Endpoint {
			continue
		}
		some = append(some, *s)
	}
	return some, nil
}

func (f *fakeBroker) End(_ context.Context, _ string, id remote.ID, reason string, by remote.Caller) (remote.Session, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = append(f.ended, reason+" by "+by.Name)
	f.all[id].State, f.all[id].Reason = remote.Ended, reason
	return *f.all[id], nil
}

func (f *fakeBroker) Renew(_ context.Context, _ string, id remote.ID, _ remote.Caller) (remote.Opened, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.all[id].Open() {
		return remote.Opened{}, &remote.EndedError{Reason: f.all[id].Reason}
	}
	return f.openedLocked(f.all[id]), nil
}

func (f *fakeBroker) asked() []remote.Spec {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.specs)
}

func (f *fakeBroker) Attach(_ context.Context, a signalling.Attach, from netip.Addr, send func(signalling.Message) bool, closed func(string)) (Seat, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return nil, f.broken
	}
	s := &fakeSeat{attach: a, from: from, send: send, closed: closed, took: make(chan signalling.Message, 1000), detached: make(chan struct{}), refused: make(chan signalling.Code, 1)}
	send(signalling.State{About: a.About, State: "requested", Endpoint: "pc-1", Transport: "auto", Expires: time.Unix(1767369600, 0).UTC()})
	f.attached <- s
	return s, nil
}

func (s *fakeSeat) Take(_ context.Context, m signalling.Message) error {
	if s.broken != nil {
		return s.broken
	}
	s.took <- m
	return nil
}

func (f *fakeBroker) Refused(from netip.Addr, code signalling.Code) {
	if from.IsLoopback() {
		f.refused <- code
	}
}

func (s *fakeSeat) Refused(code signalling.Code) { s.refused <- code }

func (s *fakeSeat) Detach() { close(s.detached) }
