package remote

import (
	"slices"
	"testing"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/signalling"
)

// TestTimes: what has to happen in time, and what becomes of a session in which it does not. The session is open up to a second before, and over a second after.
func TestTimes(t *testing.T) {
	asking := func(b *bench, o Opened) {
		b.hear(signalling.Consent{About: about(o.ID), State: signalling.ConsentAsking, Seconds: 20})
	}
	accept := func(b *bench, o Opened) { b.hear(signalling.Accept{About: about(o.ID)}) }
	attach := func(b *bench, o Opened) { b.attached(o) }
	for _, tc := range []struct {
		name  string
		do    []func(*bench, Opened)
		after time.Duration
		want  Reason
	}{
		{"the endpoint says nothing", []func(*bench, Opened){attach}, answerWithin, ReasonNoAnswer},
		{"its user says nothing, and it neither", []func(*bench, Opened){attach, asking}, 20*time.Second + answerGrace, ReasonConsentTimeout},
		{"it says that its user has an hour", []func(*bench, Opened){attach, func(b *bench, o Opened) {
			b.hear(signalling.Consent{About: about(o.ID), State: signalling.ConsentAsking, Seconds: 3600})
		}}, 30*time.Second + answerGrace, ReasonConsentTimeout},
		{"its user allows, and it says nothing more", []func(*bench, Opened){attach, asking, func(b *bench, o Opened) {
			b.hear(signalling.Consent{About: about(o.ID), State: signalling.ConsentAllowed})
		}}, answerWithin, ReasonNoAnswer},
		{"no technician", []func(*bench, Opened){accept}, signalling.AttachWithin, ReasonTechnicianAbsent},
		{"the technician goes", []func(*bench, Opened){accept, func(b *bench, o Opened) {
			s, _ := b.attached(o)
			s.Detach()
		}}, signalling.ReturnWithin, ReasonTechnicianLost},
		{"the endpoint goes", []func(*bench, Opened){attach, accept, func(b *bench, _ Opened) { b.presence(endpoint.Suspended) }}, signalling.ReturnWithin, ReasonEndpointLost},
		{"the endpoint goes before it answers", []func(*bench, Opened){attach, func(b *bench, _ Opened) { b.presence(endpoint.Ended) }}, signalling.ReturnWithin, ReasonEndpointLost},
		{"the endpoint comes back and knows nothing", []func(*bench, Opened){attach, accept, func(b *bench, _ Opened) {
			b.presence(endpoint.Ended, endpoint.Bound, endpoint.Available)
		}}, signalling.ReturnWithin, ReasonEndpointLost},
		{"the technician does nothing", []func(*bench, Opened){attach, accept}, 30 * time.Minute, ReasonIdleLimit},
	} {
		inBubble(t, func(t *testing.T, b *bench) {
			o := b.opened()
			for _, do := range tc.do {
				do(b, o)
			}
			after(tc.after - lookEvery)
			if r := b.record(o.ID); !r.Open() {
				t.Fatalf("%s: it ended too early, %s", tc.name, r.Reason)
			}
			after(3 * lookEvery)
			b.wantState(tc.name, o.ID, Ended, tc.want)
		})
	}
}

// TestDuration: a session ends when its time is over, whatever goes on in it.
func TestDuration(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o, s, _ := b.running()
		for range 59 {
			after(time.Minute)
			s.says(t, signalling.Path{About: about(o.ID), Rung: signalling.RungDirect})
		}
		b.wantState("an hour is not over", o.ID, Active)
		after(time.Minute + 2*lookEvery)
		b.wantState("an hour is over", o.ID, Ended, ReasonDurationLimit)
	})
}

// TestIdle: either party's word that the technician did something counts, from when they did.
func TestIdle(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o, s, _ := b.running()
		after(20 * time.Minute)
		s.says(t, signalling.Path{About: about(o.ID), Rung: signalling.RungDirect, Idle: 300})
		after(20 * time.Minute)
		b.hear(signalling.Path{About: about(o.ID), Rung: signalling.RungDirect, Idle: 3600}) // older than what is known
		b.wantState("25 minutes after something was done", o.ID, Active)
		after(6 * time.Minute)
		b.wantState("31 minutes after", o.ID, Ended, ReasonIdleLimit)
	})
}

// TestBytes: a session whose relay has moved what it may ends; the bound can be changed.
func TestBytes(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o, _, _ := b.running(func(s *Spec) { s.MaxBytes = 1000 })
		if got := b.relay.bounds()[o.ID.String()]; got != 1000 {
			t.Errorf("the relay may move %d", got)
		}
		more := int64(2000)
		if _, err := b.Change(t.Context(), domain, o.ID, Change{MaxBytes: &more}, management); err != nil {
			t.Fatal(err)
		}
		if got := b.relay.bounds()[o.ID.String()]; got != more || b.grants[len(b.grants)-1].MaxBytes != more {
			t.Errorf("the relay may move %d, the grant says %d", got, b.grants[len(b.grants)-1].MaxBytes)
		}
		b.relay.exceed(1301, 700)
		after(0)
		b.wantState("2001 bytes", o.ID, Ended, ReasonByteLimit)
		if r := b.record(o.ID); r.BytesUp != 1301 || r.BytesDown != 700 || len(b.relay.bounds()) != 0 {
			t.Errorf("the record says %d up, %d down; the relay has %v", r.BytesUp, r.BytesDown, b.relay.bounds())
		}
	})
}

// TestForgotten: why a session ended is said for a while to who comes back, then it is one of the store's.
func TestForgotten(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o, _, secret := b.running()
		b.end(o.ID, "", management)
		again := signalling.Attach{About: about(o.ID), Reattach: secret}
		if _, err := b.attach(again, home); err == nil || err.Error() != "the remote session has ended: management_ended" {
			t.Errorf("who comes back is told: %v", err)
		}
		after(rememberFor + 2*lookEvery)
		if n := len(b.all(func(*live) bool { return true })); n != 0 {
			t.Errorf("%d sessions are remembered", n)
		}
		if _, err := b.attach(again, home); err != ErrTicket {
			t.Errorf("who comes back late is told: %v", err)
		}
		if _, err := b.Renew(t.Context(), domain, o.ID, management); err == nil {
			t.Error("a session that is over has a new token")
		}
		b.wantState("in the store", o.ID, Ended, ReasonManagementEnded)
	})
}

// TestReasons: the catalogue has every reason once.
func TestReasons(t *testing.T) {
	var seen []string
	for _, r := range Reasons() {
		if slices.Contains(seen, r.Name) {
			t.Errorf("%s is there twice", r.Name)
		}
		seen = append(seen, r.Name)
		if found, ok := FindReason(r.Name); !ok || found != r {
			t.Errorf("%s is found as %+v", r.Name, found)
		}
	}
	if _, ok := FindReason("nonsense"); ok {
		t.Error("nonsense is a reason")
	}
}
