package agent

import (
	"testing"
	"testing/synctest"
	"time"

	"signalbox/internal/identity"
)

// Whoever doubts that the server is there has it asked at once: a server that answers keeps its session, one that does not loses it within seconds.
func TestDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p := remoteAgent(t, identity.Generate())
		synctest.Wait() // the agent says its presence before the session is the one that can be doubted
		r.agent.doubt()
		p.until("<iq type='get' id='alive-0'")
		p.until("</iq>")
		p.send("<iq type='result' id='alive-0' from='" + testDomain + "'/>")
		time.Sleep(2 * doubtWithin)
		p.send(ackRequest)
		p.until("<a xmlns='" + nsManagement + "'")
		p.until("/>")
		time.Sleep(time.Second) // what was heard is older than the doubt
		began := time.Now()
		r.agent.doubt()
		p.drain()
		again := r.next()
		if took := time.Since(began); took > doubtWithin+3*baseWait {
			t.Errorf("it came back after %v", took)
		}
		r.cancel()
		again.conn.Close()
		must(t, <-r.ended)
	})
}
