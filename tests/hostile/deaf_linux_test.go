package hostile

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"signalbox/internal/client"
)

// deaf returns a dialer whose connections take next to nothing that nobody reads.
func deaf(source string) *net.Dialer {
	return dialerWith(source, unix.SOL_SOCKET, unix.SO_RCVBUF, 4096)
}

// enterDeaf logs an endpoint in over such a connection.
func (s *stand) enterDeaf(ctx context.Context, id string) (*wire, error) {
	w, err := s.connectBy(ctx, deaf(hostileSource), s.addr("tls"))
	if err == nil {
		err = w.secure(ctx, s.tls)
	}
	if err == nil {
		err = w.login(id, s.secret(id))
	}
	return w, err
}

const deafMembers = 32

// TestDeafToAnswers: endpoints that ask for answers and read none.
func TestDeafToAnswers(t *testing.T) {
	s := newStand(t, settings{})
	ids := s.register("deaf", deafMembers)
	s.run(attack{members: len(ids), rest: askRest, most: peakNoise + deafMembers*3<<20, visit: func(ctx context.Context, member int, standing func()) error {
		w, err := s.enterDeaf(ctx, ids[member])
		if err != nil {
			return err
		}
		standing()
		_ = w.say(strings.Repeat(largePing, 1900)) // not yet a flood; the server may be gone before its end
		return w.awaitGone()
	}})
	m, err := s.metrics(t.Context())
	must(t, err)
	if m[`signalbox_endpoint_ended_total{reason="slow_reader"}`] == 0 {
		t.Error("no session ended as slow_reader")
	}
}

// awaitGone goes on asking, more slowly than a flood, until the server has closed: then writing fails. How much the kernel holds for one who does not read is the
// kernel's affair.
func (w *wire) awaitGone() error {
	for {
		err := w.say(strings.Repeat(largePing, 90))
		var late net.Error
		switch {
		case errors.As(err, &late) && late.Timeout():
			return err
		case err != nil:
			return nil
		}
		rest(context.Background(), askRest)
	}
}

const askRest = 500 * time.Millisecond

// largePing has an answer that is as large.
var largePing = "<iq type='get' id='" + strings.Repeat("x", 1000) + "'><ping xmlns='urn:xmpp:ping'/></iq>"

// TestDeafToPushes: endpoints that never read while pushes pile up for them.
func TestDeafToPushes(t *testing.T) {
	s := newStand(t, settings{})
	const each = 12
	ids := s.register("deaf", deafMembers)
	payload := []byte(`"` + strings.Repeat("&", 60<<10) + `"`) // five times as much on the wire
	for _, id := range ids {
		for range each {
			_, err := s.api.SendPush(t.Context(), client.NewPush{To: id, Type: "demo.large", Payload: payload})
			must(t, err)
		}
	}
	s.run(attack{members: len(ids), rest: askRest, most: peakNoise + deafMembers*4<<20, visit: func(ctx context.Context, member int, standing func()) error {
		w, err := s.enterDeaf(ctx, ids[member])
		if err == nil {
			err = w.say("<presence/>")
		}
		if err != nil {
			return err
		}
		rest(ctx, 2*askRest) // the pushes with which the server begins are work like any other
		standing()
		return w.awaitGone()
	}})
	for _, id := range ids[:4] {
		p, err := s.api.Presence(t.Context(), id)
		must(t, err)
		if p.QueuedPushes != each {
			t.Errorf("%d pushes wait for %s, want %d", p.QueuedPushes, id, each)
		}
	}
}

// TestNeverAcknowledges: endpoints that read, and acknowledge nothing by XEP-0198.
func TestNeverAcknowledges(t *testing.T) {
	s := newStand(t, settings{})
	ids := s.register("mute", deafMembers)
	s.run(attack{members: len(ids), rest: askRest, most: peakNoise + deafMembers*3<<20, visit: func(ctx context.Context, member int, standing func()) error {
		w, err := s.enter(ctx, hostileSource, ids[member])
		if err == nil {
			err = w.ask("<enable xmlns='"+nsSM+"' resume='true'/>", "<enabled")
		}
		if err != nil {
			return err
		}
		standing()
		return flood(w, strings.Repeat(largePing, 800), "resource-constraint") // half of it is too much already
	}})
}

// TestReceivesWithoutAcknowledging: pushes stop at the bound of what is not acknowledged, stay stored, and go on when it is.
func TestReceivesWithoutAcknowledging(t *testing.T) {
	s := newStand(t, settings{})
	id := s.register("mute", 1)[0]
	w, err := s.enter(t.Context(), hostileSource, id)
	must(t, err)
	must(t, w.ask("<presence/><enable xmlns='"+nsSM+"'/>", "<enabled"))
	const pushes = 20
	posted := make([]string, pushes)
	for i := range posted {
		r, err := s.api.SendPush(t.Context(), client.NewPush{To: id, Type: "demo.large", Payload: []byte(`"` + strings.Repeat("x", 60<<10) + `"`)})
		must(t, err)
		posted[i] = r.ID
	}
	const fit = 262144 / (60 << 10) // as many as xmpp.queue_bytes holds
	for _, p := range posted[:fit] {
		must(t, w.until("<push xmlns='urn:signalbox:push:1' id='"+p+"'"))
		must(t, w.until("</message>"))
		must(t, w.say(receipt(p)))
		s.awaitState(p, "delivered")
	}
	must(t, w.ask(pingText, "id='p'")) // the server has worked on all that we said
	p, err := s.api.Push(t.Context(), posted[fit+1])
	must(t, err)
	if p.State != "accepted" {
		t.Errorf("push %d is %s while %d bytes are not acknowledged, want accepted", fit+1, p.State, fit*60<<10)
	}
	for i, p := range posted[fit:] {
		must(t, w.say(fmt.Sprintf("<a xmlns='%s' h='%d'/>", nsSM, fit+1+i))) // the pushes, and the answer to our ping
		must(t, w.until("<push xmlns='urn:signalbox:push:1' id='"+p+"'"))
		must(t, w.say(receipt(p)))
	}
	s.awaitState(posted[pushes-1], "delivered")
}
