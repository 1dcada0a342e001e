package feature

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/xmpp/scan"
)

func TestAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFake("pc-1")
		answers := 0
		ask := func() (id string, ok bool) {
			ok = Ask(c, "x.test", false, []byte("<q xmlns='urn:q'/>"), func(context.Context, *scan.Stanza) { answers++ })
			if sent := c.take(); len(sent) == 1 {
				id = string(parsed(t, sent[0]).ID())
			}
			return id, ok
		}
		answer := func(id, to string) int {
			answers = 0
			c.State().Answered(t.Context(), to, parsed(t, "<iq type='result' id='"+id+"'/>"))
			return answers
		}
		id, ok := ask()
		other, _ := ask()
		if !ok || len(id) < 20 || id == other {
			t.Fatalf("ids %q and %q, want random ones", id, other)
		}
		for _, tc := range []struct {
			name, id, to string
			want         int
		}{
			{"to another address", id, "pc-1@x.test", 0},
			{"to an id that was not asked", "1", "x.test", 0},
			{"the answer", id, "x.test", 1},
			{"the answer again", id, "x.test", 0},
		} {
			if got := answer(tc.id, tc.to); got != tc.want {
				t.Errorf("%s is taken %d times, want %d", tc.name, got, tc.want)
			}
		}
		time.Sleep(askedFor + time.Second)
		if answer(other, "x.test") != 0 {
			t.Error("an answer that comes too late is taken")
		}
		for range maxAsked {
			if _, ok := ask(); !ok {
				t.Fatal("a query was refused before too many waited")
			}
		}
		if id, ok := ask(); ok || id != "" {
			t.Error("a client that answers nothing is asked on")
		}
		time.Sleep(askedFor + time.Second)
		c.gone = true
		for range maxAsked + 1 { // a client without a connection leaves nothing unanswered
			ask()
		}
		c.gone = false
		if _, ok := ask(); !ok {
			t.Error("queries that were not sent count as unanswered")
		}
	})
}
