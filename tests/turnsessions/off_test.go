package turnsessions

import (
	"net/http"
	"strings"
	"testing"

	"signalbox/internal/client"
	"signalbox/tests/harness"
)

// TestOff: without a TURN server nothing is opened and nobody is told of one; what was recorded before can be read.
func TestOff(t *testing.T) {
	s := harness.StartTURN(t)
	made := open(t, s, client.NewTURNSession{})
	s.Stop()
	s.Config.Listen.TURN = nil
	s.Run()
	if _, text := s.Call(t, "POST", "/v1/turn/sessions", "", http.StatusServiceUnavailable); !strings.Contains(text, `"turn_off"`) {
		t.Errorf("answer %s", text)
	}
	if r := shown(t, s, made.ID); r.Reason != "server_stopping" {
		t.Errorf("session = %+v", r)
	}
	pc := s.Connect(t, "pc-1")
	login(t, s, pc, "pc-1")
	if got := services(pc); !strings.Contains(got, "service-unavailable") {
		t.Errorf("services = %s", got)
	}
}
