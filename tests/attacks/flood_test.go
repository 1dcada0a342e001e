package attacks

import (
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// TestRow71Floods: a technician who asks for channels without end gets a few, and whose endpoint says what nobody asked for is answered each time; nobody else notices, and the
// session itself goes on.
func TestRow71Floods(t *testing.T) {
	t.Parallel()
	st := newStage(t, "pc-1", "pc-2")
	flooded, calm := st.open("pc-1"), st.open("pc-2")
	ws, secret := st.attach(flooded)
	const wishes = 500
	for range wishes {
		if err := ws.Write(t.Context(), websocket.MessageText, []byte(`{"type":"relay","id":"`+flooded.ID+`","channel":"terminal","number":1}`)); err != nil {
			t.Fatal(err)
		}
	}
	other, _ := st.attach(calm)
	if got := st.exchange(other, `{"type":"relay","id":"`+calm.ID+`","channel":"terminal","number":1}`); !strings.Contains(got, `"url"`) {
		t.Errorf("beside a flood of another technician the relay answers %s", got)
	}
	if err := ws.Write(t.Context(), websocket.MessageText, []byte(`{"type":"end","id":"`+flooded.ID+`","reason":"technician_ended"}`)); err != nil {
		t.Fatal(err)
	}
	pairs := 0
	for got := st.hear(ws); !strings.Contains(got, "technician_ended"); got = st.hear(ws) {
		if !strings.Contains(got, `"type":"relay"`) {
			t.Fatalf("the technician got %s", got)
		}
		pairs++
	}
	if heard := strings.Count(st.ends["pc-1"].ping(), "<relay "); pairs == 0 || pairs > wishes/4 || heard != pairs {
		t.Errorf("%d wishes made %d pairs for the technician and %d for the endpoint, want as few, and as many", wishes, pairs, heard)
	}
	const words = 500
	end := st.ends["pc-2"]
	end.say(strings.Repeat("<iq type='set' id='f' to='"+domain+"'><candidate xmlns='urn:signalbox:session:1' id='"+calm.ID+"' peer='7' mid='0' line='0'>candidate:1 1 udp 1 192.0.2.1 5 typ host</candidate></iq>", words))
	if got := strings.Count(end.ping(), "id='f'"); got != words {
		t.Errorf("%d of %d messages were answered", got, words)
	}
	if got := st.exchange(other, `{"type":"end","id":"`+calm.ID+`","reason":"technician_ended"}`); !strings.Contains(got, "technician_ended") { // and nothing of the flood before that
		t.Errorf("the technician got %s", got)
	}
	st.wantRefusals(nil, secret)
}
