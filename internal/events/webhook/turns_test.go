package webhook

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"signalbox/internal/events"
)

// TestSetAsideHasItsTurn: an event that was refused is tried again though others come as fast as they go.
func TestSetAsideHasItsTurn(t *testing.T) {
	const most = 3000
	r := newRig(t)
	r.hook(t, "endpoint.created")
	refusals, added := 3, 0
	r.answer = func(p payload) int {
		if string(p.Data["endpoint"]) == `"bad"` {
			if refusals--; refusals >= 0 {
				return http.StatusBadRequest
			}
			return http.StatusOK
		}
		for range 2 { // more than is taken by this
			if added < most {
				added++
				r.add(0, event(events.EndpointCreated, fmt.Sprint("pc-", added)))
			}
		}
		return http.StatusOK
	}
	r.add(0, event(events.EndpointCreated, "bad"), event(events.EndpointCreated, "pc-0"))
	r.run()
	got := r.awaitTaken(t, most+2)
	if at := slices.IndexFunc(got, func(text string) bool { return strings.Contains(text, " bad ") }); at < 0 || at > most/2 {
		t.Errorf("the event that was set aside was taken as number %d of %d", at, len(got))
	}
}
