package remote

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"signalbox/internal/channel"
	"signalbox/internal/endpoint"
	"signalbox/internal/signalling"
)

// refusals returns what the audit has of refusals, with their subjects.
func (f *fakeStore) refusals() (all []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.entries {
		if e.Action == "session.refused" {
			all = append(all, fmt.Sprintf("%s %s %s", e.Actor, e.Subject, e.Detail))
		}
	}
	return all
}

// TestMistakesAreTold: what breaks the rules of the protocol is in the audit once for each kind, party and session, whatever it was; what strangers send is there each time.
func TestMistakesAreTold(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o, s, secret := b.running()
		pc2 := endpoint.Key{Domain: domain, ID: "pc-2"}
		id := o.ID.String()
		for range 3 {
			for _, code := range []signalling.Code{signalling.Malformed, signalling.MissingMember, signalling.TooLarge, signalling.NotAllowed, signalling.NotParty} {
				s.Refused(code)
				b.RefusedEndpoint(pc1, id, code)
			}
			if err := s.Take(t.Context(), signalling.End{About: about(o.ID + 1)}); err != ErrMessage {
				t.Errorf("in the session of another: %v", err)
			}
			b.RefusedEndpoint(pc2, id, signalling.WrongValue) // not its session
			b.RefusedEndpoint(pc2, "<'\"\x00", signalling.Malformed)
			b.RefusedLeg(id, true)
			b.RefusedLeg(id, false)
			b.RefusedLeg((o.ID + 1).String(), false)
			b.RefusedStranger(home, signalling.UnknownMember)
			s.Detach()
			s, secret = b.returned(o.ID, secret)
		}
		want := slices.Repeat([]string{`stranger:198.51.100.7 signalling {"why":"malformed"}`}, 3)
		for _, who := range []string{"technician:ann", "endpoint:pc-1"} {
			for _, detail := range []string{`{"why":"malformed"}`, `{"why":"too_large"}`, `{"why":"message"}`, `{"why":"too_large","kind":"relay"}`} {
				want = append(want, who+" "+id+" "+detail)
			}
		}
		want = append(want, `endpoint:pc-2 signalling {"why":"malformed"}`)
		got := b.store.refusals()
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("the audit has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if n := testutil.ToFloat64(b.metrics.refused.WithLabelValues(refusedTooLarge)); n != 3*4 {
			t.Errorf("%v that were too large are counted, want all 12", n)
		}
	})
}

// TestEndpointBlocks: what an endpoint has refused to the technician is in the audit, once for each kind of channel and why, and only what there is of both.
func TestEndpointBlocks(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		early := b.opened(func(s *Spec) { s.Technician.ID = "bob" })
		b.hear(signalling.Blocked{About: about(early.ID), Channel: channel.Files, Why: signalling.BlockedPath})
		o, s, _ := b.running()
		id := o.ID.String()
		for range 3 {
			b.hear(signalling.Blocked{About: about(o.ID), Channel: channel.Files, Why: signalling.BlockedPath})
			b.hear(signalling.Blocked{About: about(o.ID), Channel: channel.Files, Why: signalling.BlockedPermission})
			b.hear(signalling.Blocked{About: about(o.ID), Channel: channel.System, Why: signalling.BlockedMalformed})
		}
		for _, m := range []signalling.Blocked{{About: about(o.ID), Channel: "x", Why: signalling.BlockedPath}, {About: about(o.ID), Channel: channel.Files, Why: "x"}} {
			if err := b.FromEndpoint(t.Context(), pc1, m); err != ErrMessage {
				t.Errorf("%+v: %v", m, err)
			}
		}
		want := []string{
			"endpoint:pc-1 " + id + ` {"why":"path","kind":"files"}`, "endpoint:pc-1 " + id + ` {"why":"permission","kind":"files"}`,
			"endpoint:pc-1 " + id + ` {"why":"malformed","kind":"system"}`,
		}
		if diff := cmp.Diff(want, b.store.refusals()); diff != "" {
			t.Errorf("audit (-want +got):\n%s", diff)
		}
		if got := s.take(); len(got) != 0 {
			t.Errorf("the technician got %q", names(got))
		}
	})
}

// TestRecent: what goes on is remembered as long as it does, and an hour beyond; what is remembered is bounded.
func TestRecent(t *testing.T) {
	var r recent
	at := time.Unix(1767369600, 0)
	for i := range 10 {
		if got := r.first("a", at.Add(time.Duration(i)*recently*2/3)); got != (i == 0) {
			t.Errorf("time %d is the first: %v", i, got)
		}
	}
	at = at.Add(9 * recently)
	if !r.first("a", at) {
		t.Error("it is remembered for ever")
	}
	for i := range 10 * maxRecent {
		r.first(fmt.Sprint(i), at)
	}
	if n := len(r.now) + len(r.before); n > 2*maxRecent {
		t.Errorf("%d are remembered", n)
	}
}
