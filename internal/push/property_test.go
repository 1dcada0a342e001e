package push

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"signalbox/internal/endpoint"
)

const simWindow = 3

// sim is a world of a few endpoints whose sessions come, go, stall, acknowledge in any order, with a store that fails now and then. It notes every rule that
// is broken.
type sim struct {
	*rig
	wg     sync.WaitGroup
	epochs map[endpoint.Key]uint64 // owned by the script
	away   map[endpoint.Key]bool   // owned by the script

	mu        sync.Mutex
	broken    []string
	ids       []ID
	settled   map[ID]bool // holds no place in the window as far as the sessions know
	writes    map[ID]bool
	cancelled map[ID]bool
	answered  map[ID]bool
	logs      []*session
	unsure    int  // receipts that are not confirmed
	late      []ID // fan-outs that take late joiners
}

func (s *sim) breakf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = append(s.broken, fmt.Sprintf(format, args...))
}

// Send checks every rule about sending when it passes the push to the wire. It takes its time, as a goroutine that loses its processor does.
func (s *sim) Send(k endpoint.Key, epoch uint64, p Push, delayed bool, written func(time.Time)) error {
	time.Sleep(time.Duration(p.ID%3) * time.Millisecond)
	before := s.status(p.ID)
	err := s.wire.Send(k, epoch, p, delayed, func(at time.Time) {
		s.mu.Lock()
		s.writes[p.ID] = true
		if p.Ack == AckNone {
			s.settled[p.ID] = true
		}
		s.mu.Unlock()
		written(at)
	})
	if err != nil {
		return err
	}
	if before.State == Replaced || before.State == Rejected || time.Now().Before(before.NotBefore) {
		s.breakf("%s sent though it is %s, and due at %v", p.ID, before.State, before.NotBefore)
	}
	s.wire.mu.Lock()
	log := s.wire.sessions[k].log
	s.wire.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancelled[p.ID] {
		s.broken = append(s.broken, fmt.Sprintf("%s sent after it was cancelled", p.ID))
	}
	onWay := 0
	for _, m := range log {
		if !s.settled[m.push.ID] && !s.store.over(m.push.ID) {
			onWay++
		}
	}
	if onWay > simWindow {
		s.broken = append(s.broken, fmt.Sprintf("%d pushes on the way to %s", onWay, k))
	}
	return nil
}

// over reports whether a push has ended.
func (m *memory) over(id ID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.rows[id]
	return Final(r.State, r.Ack)
}

func (s *sim) post(k endpoint.Key, p Push) {
	s.wg.Go(func() {
		st, err := s.svc.Submit(s.t.Context(), Request{Push: p})
		switch {
		case errors.Is(err, ErrNoSpace), errors.Is(err, ErrQueueFull):
		case err != nil:
			s.breakf("Submit() = %v", err)
		default:
			s.mu.Lock()
			s.ids = append(s.ids, st.ID)
			s.mu.Unlock()
		}
	})
}

// fan posts a push for both endpoints.
func (s *sim) fan(p Push) {
	s.wg.Go(func() {
		f, err := s.svc.SubmitFanout(s.t.Context(), FanoutRequest{Push: p, To: []string{"pc-0", "pc-1"}})
		if errors.Is(err, ErrNoSpace) {
			return
		}
		all, errRead := s.svc.Deliveries(s.t.Context(), p.To.Domain, f.ID, "", 0, 2)
		if err != nil || errRead != nil || len(all) != 2 {
			s.breakf("SubmitFanout() = %v with %d targets, %v", err, len(all), errRead)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, st := range all {
			s.ids = append(s.ids, st.ID)
		}
	})
}

func (s *sim) session(k endpoint.Key) *session {
	s.wire.mu.Lock()
	defer s.wire.mu.Unlock()
	return s.wire.sessions[k]
}

// rebind opens a newer session; the older one's end is told before or after.
func (s *sim) rebind(k endpoint.Key, endFirst bool) {
	old := s.session(k)
	if old != nil && old.ended {
		old = nil
	}
	if old != nil && endFirst {
		s.end(k)
	}
	s.epochs[k]++
	s.wire.mu.Lock()
	s.wire.sessions[k] = &session{epoch: s.epochs[k], open: true}
	s.logs = append(s.logs, s.wire.sessions[k])
	s.wire.mu.Unlock()
	s.tell(endpoint.Bound, k, s.epochs[k])
	s.tell(endpoint.Available, k, s.epochs[k])
	s.away[k] = false
	if old != nil && !endFirst {
		s.tell(endpoint.Ended, k, old.epoch)
	}
}

// acknowledge confirms the nth push of the session's log, also one that was confirmed or not written yet.
func (s *sim) acknowledge(k endpoint.Key, nth int, result bool) {
	ss := s.session(k)
	if ss == nil {
		return
	}
	s.wire.mu.Lock()
	if len(ss.log) == 0 {
		s.wire.mu.Unlock()
		return
	}
	p := ss.log[nth%len(ss.log)].push
	s.wire.mu.Unlock()
	s.confirmPush(k, p, result)
}

func (s *sim) confirmPush(k endpoint.Key, p Push, result bool) {
	s.mu.Lock()
	s.settled[p.ID], s.answered[p.ID] = true, true
	s.unsure++
	s.mu.Unlock()
	done := func(err error) {
		if err != nil {
			s.breakf("done(%v)", err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.unsure--
	}
	if result {
		s.svc.Result(k, p.ID, true, []byte("{}"), done)
	} else {
		s.svc.Receipt(k, p.ID, done)
	}
}

func (s *sim) writeSome(k endpoint.Key, n int) {
	ss := s.session(k)
	if ss == nil {
		return
	}
	s.wire.mu.Lock()
	n = min(n, len(ss.queue))
	ms := ss.queue[:n]
	ss.queue = ss.queue[n:]
	s.wire.mu.Unlock()
	for _, m := range ms {
		m.written(time.Now())
	}
}

func (s *sim) cancel(nth int) {
	s.mu.Lock()
	if len(s.ids) == 0 {
		s.mu.Unlock()
		return
	}
	id := s.ids[nth%len(s.ids)]
	s.mu.Unlock()
	s.wg.Go(func() {
		_, err := s.svc.Cancel(s.t.Context(), pc1.Domain, id)
		if err != nil && !errors.Is(err, ErrState) && !errors.Is(err, ErrBusy) {
			s.breakf("Cancel() = %v", err)
		}
		if err == nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.cancelled[id] = true
		}
	})
}

// step is one thing that happens. Its numbers are drawn before the world runs, so that rapid can make a failing script smaller.
type step struct{ Kind, Who, A, B int }

func (s *sim) play(x step) {
	k := endpoint.Key{Domain: pc1.Domain, ID: fmt.Sprintf("pc-%d", x.Who)}
	ss := s.session(k)
	switch x.Kind {
	case 0, 1:
		for i := range 1 + x.A%4 {
			p := Push{To: k, Type: "t", TTL: time.Hour, Priority: Priority((x.B + i) % 3), Ack: Ack(x.B % 3)}
			if x.B%7 == 0 {
				p.TTL = time.Duration(x.A) * time.Second // 0: now or never
			}
			s.post(k, p)
		}
	case 2: // alone
		s.post(k, Push{To: k, Type: "t", TTL: time.Hour, Priority: Normal, Ack: Ack(x.B % 3)})
		time.Sleep(time.Duration(x.A*2) * time.Millisecond)
	case 3:
		s.rebind(k, x.A%2 == 0)
	case 4:
		if ss != nil && !ss.ended && x.A%2 == 0 {
			s.end(k)
		}
	case 5:
		if ss != nil && !ss.ended {
			s.setOpen(k, !ss.open)
		}
	case 6, 7:
		s.writeSome(k, x.A)
	case 8, 9:
		s.acknowledge(k, x.A, x.B%3 == 0)
	case 10:
		s.cancel(x.A)
	case 11:
		time.Sleep(time.Duration(x.A*x.A) * 10 * time.Millisecond)
	case 12:
		if ss != nil {
			s.wire.mu.Lock()
			ss.capacity = x.A % 3
			s.wire.mu.Unlock()
		}
	case 13:
		if ss != nil && !ss.ended {
			s.away[k] = !s.away[k]
			s.tell(map[bool]endpoint.ChangeKind{false: endpoint.Available, true: endpoint.Unavailable}[s.away[k]], k, ss.epoch)
		}
	case 15:
		s.fan(Push{To: endpoint.Key{Domain: pc1.Domain}, Type: "t", TTL: time.Duration(x.A) * time.Second, Priority: Priority(x.B % 3), Ack: Ack(x.B % 3)})
	case 16:
		p := Push{To: k, Type: "t", TTL: time.Hour, Priority: Priority(x.B % 3), Ack: Ack(x.B % 2), CollapseKey: fmt.Sprint("k", x.A%2)}
		if x.B%5 == 0 {
			p.TTL = 0
		}
		s.post(k, p)
	case 17:
		p := Push{To: k, Type: "t", TTL: time.Hour, Priority: Priority(x.B % 3), NotBefore: time.Now().Add(time.Duration(x.A) * time.Second)}
		if x.B%4 == 0 {
			p.CollapseKey = "k0"
		}
		s.post(k, p)
	case 18:
		s.batch(k, 1+x.A%3, Push{Type: "t", TTL: time.Hour, Priority: Priority(x.B % 3), CollapseKey: []string{"", "k1"}[x.B%2]})
	case 19:
		s.group(Push{To: endpoint.Key{Domain: pc1.Domain}, Type: "t", TTL: time.Hour, Priority: Priority(x.B % 3), CollapseKey: []string{"", "k1"}[x.B%2]})
	case 20:
		s.store.join(k.ID, []string{"lab", "other"}[x.A%2])
	case 14:
		s.store.fail(map[bool]error{true: ErrNoSpace}[x.A == 0])
	}
}

// quiesce heals the world and lets every endpoint take and confirm what is left.
func (s *sim) quiesce() {
	s.store.fail(nil)
	s.wg.Wait()
	for who := range 2 {
		k := endpoint.Key{Domain: pc1.Domain, ID: fmt.Sprintf("pc-%d", who)}
		switch ss := s.session(k); {
		case ss == nil || ss.ended:
			s.rebind(k, true)
		case !ss.open:
			s.setOpen(k, true)
		}
		s.tell(endpoint.Available, k, s.epochs[k])
		s.wire.mu.Lock()
		s.wire.sessions[k].capacity = 0
		s.wire.mu.Unlock()
	}
	confirmed := map[ID]bool{}
	for range 60 {
		time.Sleep(time.Second)
		for k := range s.epochs {
			s.writeSome(k, simWindow)
			s.wire.mu.Lock()
			log := s.wire.sessions[k].log
			s.wire.mu.Unlock()
			for _, m := range log {
				if !confirmed[m.push.ID] {
					confirmed[m.push.ID] = true
					s.confirmPush(k, m.push, true)
				}
			}
		}
	}
	time.Sleep(2 * NowGrace)
	synctest.Wait()
}

func (s *sim) check() {
	for _, ss := range s.logs {
		seen, last := map[ID]bool{}, map[Priority]ID{}
		for _, m := range ss.log {
			p := m.push
			if seen[p.ID] {
				s.breakf("%s sent twice in session %d", p.ID, ss.epoch)
			}
			seen[p.ID] = true
			if p.TTL == 0 {
				continue
			}
			if s.status(p.ID).Scheduled() { // it was not there when those behind it were sent
				continue
			}
			if p.ID < last[p.Priority] {
				text := ""
				for _, m := range ss.log {
					st := s.status(m.push.ID)
					text += fmt.Sprintf("\n%v %v %v %v %v %v", m.push.ID, m.push.Type, m.push.Priority, m.at.Format("05.000"), st.Ack, st.History)
				}
				s.breakf("%s sent after %s %s", p.ID, last[p.Priority], text)
			}
			last[p.Priority] = p.ID
		}
	}
	s.checkCollapsed()
	s.checkLate()
	for _, id := range s.ids {
		st := s.status(id)
		if !Final(st.State, st.Ack) && st.State != Delivered {
			s.breakf("%s is stuck: %v", id, st.History)
		}
		for _, c := range st.History {
			if c.State == Sent && !s.writes[id] && !s.answered[id] {
				s.breakf("%s claims to be sent and was neither written nor answered", id)
			}
		}
	}
	if s.unsure != 0 {
		s.breakf("%d receipts were never confirmed", s.unsure)
	}
	s.wantMetric("signalbox_push_inflight", 0)
	for _, l := range s.svc.allLanes() {
		if len(l.flights) != 0 || l.submitting != 0 || len(l.now) != 0 || l.owned || l.queued || l.waiting {
			s.breakf("lane is not at rest: %d flights, %d requests, owned %v, queued %v, waiting %v", len(l.flights), l.submitting, l.owned, l.queued, l.waiting)
		}
	}
}

func TestRulesHoldInEveryOrder(t *testing.T) {
	kinds := []int{0, 0, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 4, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 11, 12, 13, 14, 15, 15, 16, 16, 16, 17, 18, 19, 20}
	steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		return step{
			Kind: rapid.SampledFrom(kinds).Draw(t, "kind"), Who: rapid.IntRange(0, 1).Draw(t, "who"),
			A: rapid.IntRange(0, 9).Draw(t, "a"), B: rapid.IntRange(0, 20).Draw(t, "b"),
		}
	}), 10, 150)
	rapid.Check(t, func(rt *rapid.T) {
		script, tight := steps.Draw(rt, "script"), rapid.Bool().Draw(rt, "tight")
		var broken []string
		synctest.Test(t, func(t *testing.T) {
			s := &sim{
				rig:    idleRig(t),
				epochs: map[endpoint.Key]uint64{}, away: map[endpoint.Key]bool{}, settled: map[ID]bool{}, writes: map[ID]bool{}, cancelled: map[ID]bool{}, answered: map[ID]bool{},
			}
			s.store.read, s.store.lag = 3*time.Millisecond, time.Millisecond
			s.start(func(c *Config) {
				c.Window = simWindow
				if tight {
					c.QueueCount, c.QueuePolicy = 5, DropOldest
				}
			}, s)
			for _, x := range script {
				s.play(x)
			}
			s.quiesce()
			s.check()
			broken = s.broken
		})
		for _, rule := range broken {
			rt.Error(rule)
		}
	})
}
