package hostile

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// floodRest is between two floods of one member.
const floodRest = 100 * time.Millisecond

// TestFloodBeforeLogin: strangers that send what is large, deep, or much. They learn why they are closed if they still read.
func TestFloodBeforeLogin(t *testing.T) {
	var attributes strings.Builder
	for i := range 40 {
		fmt.Fprintf(&attributes, " a%d='%s'", i, strings.Repeat("v", 200))
	}
	for name, text := range map[string]string{
		"one huge attribute":   "<auth mechanism='" + strings.Repeat("v", beyond),
		"many attributes":      "<auth" + attributes.String() + "/>",
		"many levels":          strings.Repeat("<a>", beyond/3),
		"many elements inside": "<auth>" + strings.Repeat("<a/>", beyond/4),
		"many elements":        strings.Repeat("<enable xmlns='"+nsSM+"'/>", beyond/32),
		"much white space":     strings.Repeat(" ", loginBytes+beyond),
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, settings{})
			s.run(attack{members: flooders(text), rest: floodRest, most: peakNoise + 16<<20, visit: s.stranger(func(w *wire) error { return flood(w, text, "policy-violation") })})
		})
	}
}

// stranger is a visit that begins inside an open stream before login.
func (s *stand) stranger(then func(*wire) error) func(context.Context, int, func()) error {
	return func(ctx context.Context, _ int, standing func()) error {
		w, err := s.connectTLS(ctx, hostileSource)
		if err == nil {
			err = w.ask(header, "</stream:features>")
		}
		if err != nil {
			return err
		}
		standing()
		return then(w)
	}
}

const (
	loginBytes = 160 << 10 // what a stranger may send in ten seconds: xmpp.max_login_bytes per second
	burstBytes = 10 << 20  // xmpp.bytes_per_second for ten seconds
	beyond     = 800 << 10 // sent beyond a limit: less than the server still reads while it says why it closes
)

// TestEndlessFlood: a million levels, attributes and stanzas without end, from strangers and from endpoints. The server does not read on for ever to be able to tell.
func TestEndlessFlood(t *testing.T) {
	for name, text := range map[string]string{"levels": strings.Repeat("<a>", 1<<20), "white space": strings.Repeat(" ", 4<<20), "attribute": "<a b='" + strings.Repeat("v", 4<<20)} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, settings{})
			ids := s.register("flood", 1)
			stranger := s.stranger(func(w *wire) error { return endless(w, text) })
			s.run(attack{members: 2 * len(ids), rest: 3 * floodRest, most: peakNoise + 32<<20, visit: func(ctx context.Context, member int, standing func()) error {
				if member >= len(ids) {
					return stranger(ctx, member, standing)
				}
				w, err := s.enter(ctx, hostileSource, ids[member])
				if err != nil {
					return err
				}
				standing()
				return endless(w, text)
			}})
		})
	}
}

// endless says text again and again until the server is gone.
func endless(w *wire, text string) error {
	said := make(chan struct{})
	go func() {
		defer close(said)
		for w.say(text) == nil {
		}
	}()
	got, err := w.outcome()
	w.abandon()
	<-said
	if err != nil && !errors.Is(err, errClosed) || err == nil && got != "policy-violation" {
		return fmt.Errorf("the stream ended with %q, %w", got, err)
	}
	return nil
}

// flooders is how many send a text at the same time: what is megabytes must not take all processors, or the test would only show that there are no more.
func flooders(text string) int {
	if len(text) > burstBytes {
		return 1
	}
	return 8
}

// flood says all of text, or what of it the server takes, while it reads, and waits for this outcome.
func flood(w *wire, text, condition string) error {
	said := make(chan struct{})
	go func() {
		defer close(said)
		_ = w.say(text) // the server may be gone before its end
	}()
	err := w.wantOutcome(condition)
	w.abandon()
	<-said
	return err
}

// comesBack is how many strangers whose time is over, and who come back, make their handshakes in a second: more take the processors for themselves, which would
// only show that there are no more.
const comesBack = 80

// TestHeldBeforeLogin: strangers that fill what they may before login, and keep it. The more there are, the longer they may stay.
func TestHeldBeforeLogin(t *testing.T) {
	n := crowdSize(t) / 2
	login := min(max(usualLogin, time.Duration(n/comesBack)*time.Second), 5*time.Minute) // what xmpp.login_timeout allows
	var attributes strings.Builder
	for i := range 30 {
		fmt.Fprintf(&attributes, " a%d='%s'", i, strings.Repeat("v", 400))
	}
	for name, text := range map[string]string{
		"attributes": "<auth" + attributes.String(),
		"levels":     strings.Repeat("<a b='"+strings.Repeat("v", 400)+"'>", 30),
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, settings{login: login})
			s.run(attack{members: n, most: int64(n)*heldBytes + peakNoise, lasts: login, visit: s.stranger(func(w *wire) error {
				if err := w.say(text); err != nil {
					return err
				}
				return w.wantOutcome("connection-timeout")
			})})
		})
	}
}

// heldBytes is what one stranger who holds 12 KiB may cost: a TLS connection with the buffers of one large record, the handshake's stack, the bytes themselves, and
// half as much again in garbage.
const heldBytes = 120 << 10

// TestFloodAfterLogin: endpoints with good credentials that send without end.
func TestFloodAfterLogin(t *testing.T) {
	large := "<message><body>" + strings.Repeat("x", 200<<10) + "</body></message>"
	for name, text := range map[string]string{
		"stanzas":       strings.Repeat("<message><body>x</body></message>", beyond/34),
		"pings":         strings.Repeat(pingText, beyond/len(pingText)),
		"white space":   strings.Repeat(" ", burstBytes+beyond),
		"acks asked":    strings.Repeat("<r xmlns='"+nsSM+"'/>", beyond/len(nsSM)/2),
		"acks given":    strings.Repeat("<a xmlns='"+nsSM+"' h='0'/>", beyond/len(nsSM)/3),
		"large stanzas": strings.Repeat(large, (burstBytes+beyond)/len(large)),
		"presences":     strings.Repeat("<presence/><presence type='unavailable'/>", beyond/41),
		"receipts":      strings.Repeat(receipt("psh_00000000000000000000000000"), 5000),
		"many levels":   strings.Repeat("<a>", beyond/3),
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, settings{})
			ids := s.register("flood", flooders(text))
			s.run(attack{members: len(ids), rest: floodRest, most: peakNoise + 32<<20, visit: func(ctx context.Context, member int, standing func()) error {
				w, err := s.enter(ctx, hostileSource, ids[member])
				if err == nil {
					err = w.ask("<enable xmlns='"+nsSM+"'/>", "<enabled")
				}
				if err != nil {
					return err
				}
				standing()
				return flood(w, text, "policy-violation")
			}})
		})
	}
}
