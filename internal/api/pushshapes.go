package api

import (
	"encoding/json"
	"time"

	"signalbox/internal/push"
)

type pushCreate struct {
	To            rawTarget       `json:"to"`
	Type          string          `json:"type" minLength:"1" maxLength:"128" pattern:"^[A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)*$" doc:"Dotted name that the endpoint knows what to do with." example:"policy.refresh"`
	Payload       json.RawMessage `json:"payload,omitempty" doc:"Any JSON of at most 65536 bytes; it reaches the endpoint as it was written, without white space."`
	PayloadBase64 *string         `json:"payload_base64,omitempty" contentEncoding:"base64" doc:"Bytes instead of JSON, at most 65536 before the encoding."`
	TTL           *int64          `json:"ttl,omitempty" minimum:"0" maximum:"2419200" doc:"Seconds that it may wait; 0 means now or never. Absent: push.default_ttl of the configuration, a day."`
	Priority      *string         `json:"priority,omitempty" enum:"high,normal,low" default:"normal" doc:"Order among the pushes that wait for the endpoint."`
	Ack           *string         `json:"ack,omitempty" enum:"none,delivered,handled" default:"delivered" doc:"What counts as done."`
	CollapseKey   *string         `json:"collapse_key,omitempty" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9_-]+$" doc:"A newer push with the same key for the same endpoint replaces this one while it waits. With ttl 0 it replaces what waits and never waits itself."`
	NotBefore     *string         `json:"not_before,omitempty" format:"date-time" doc:"Earliest delivery, to the second; before the end of the ttl, which counts from the acceptance. Until then it neither holds up others nor goes before them; then it is in the order of its acceptance."`
	LateJoiners   *bool           `json:"late_joiners,omitempty" default:"false" doc:"With a group or labels: endpoints that come to match before the push expires become targets as well."`
}

// pushSelector is the field to that names a group, labels, or both.
type pushSelector struct {
	Group  *string           `json:"group,omitempty" minLength:"1" maxLength:"128" doc:"Endpoints in this group."`
	Labels map[string]string `json:"labels,omitempty" maxProperties:"64" doc:"Endpoints that have all of these labels; at least one, unless there is a group."`
}

type pushHeaders struct {
	IdempotencyKey string `header:"Idempotency-Key" minLength:"1" maxLength:"255" doc:"Printable ASCII; makes it safe to send the request again."`
	TTL            string `header:"TTL" doc:"RFC 8030 section 5.2, as the field ttl."`
	Urgency        string `header:"Urgency" doc:"RFC 8030 section 5.3: very-low and low are priority low, normal and high themselves."`
	Prefer         string `header:"Prefer" doc:"RFC 7240: wait=N, 1 to 60 seconds."`
	Topic          string `header:"Topic" doc:"RFC 8030 section 5.4, as the field collapse_key; up to 64 characters."`
}

type pushReceipt struct {
	_     struct{}   `additionalProperties:"true"`
	ID    string     `json:"id" example:"psh_0123456789abc"`
	State push.State `json:"state" enum:"accepted,sent,delivered,handled,failed,expired,replaced,cancelled,rejected"`
	To    string     `json:"to"`
}

type fanoutReceipt struct {
	_       struct{}       `additionalProperties:"true"`
	ID      string         `json:"id" example:"psh_0123456789abc"`
	Targets int            `json:"targets"`
	Counts  map[string]int `json:"counts" nullable:"false" doc:"How many targets are in which state; one that none is in is left out."`
}

type fanoutBody struct {
	_         struct{}       `additionalProperties:"true"`
	ID        string         `json:"id"`
	Type      string         `json:"type"`
	Targets   int            `json:"targets" doc:"How many were asked for."`
	Counts    map[string]int `json:"counts" nullable:"false" doc:"How many targets are in which state now. They are fewer than targets where endpoints were deleted, and where the request was interrupted: then it had no answer 202, and repeated with its Idempotency-Key it goes on."`
	TTL       int64          `json:"ttl" doc:"Seconds."`
	Priority  string         `json:"priority" enum:"high,normal,low"`
	Ack       string         `json:"ack" enum:"none,delivered,handled"`
	CreatedAt time.Time      `json:"created_at"`
	ExpiresAt time.Time      `json:"expires_at"`

	To          *pushSelector `json:"to,omitempty" doc:"The group and the labels that it was for; absent where it had a list."`
	LateJoiners bool          `json:"late_joiners,omitempty" doc:"Whether it still takes endpoints that come to match."`
	CollapseKey string        `json:"collapse_key,omitempty"`
	NotBefore   *time.Time    `json:"not_before,omitempty"`
}

func showFanout(f push.Fanout) fanoutBody {
	b := fanoutBody{
		ID: f.ID.String(), Type: f.Type, Targets: f.Targets, Counts: showCounts(f.Counts), TTL: int64(f.TTL / time.Second), Priority: f.Priority.String(),
		Ack: f.Ack.String(), CreatedAt: utc(f.Created), ExpiresAt: utc(f.Expires()), LateJoiners: f.Late, CollapseKey: f.CollapseKey, NotBefore: showTime(f.NotBefore),
	}
	if !f.Selector.Empty() {
		b.To = &pushSelector{Labels: f.Selector.Labels}
		if f.Selector.Group != "" {
			b.To.Group = &f.Selector.Group
		}
	}
	return b
}

// showTime leaves out a time that there is none of.
func showTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = utc(t)
	return &t
}

func showCounts(counts push.Counts) map[string]int {
	shown := make(map[string]int, len(counts))
	for state, n := range counts {
		shown[string(state)] = n
	}
	return shown
}

type deliveryBody struct {
	_       struct{}        `additionalProperties:"true"`
	ID      string          `json:"id" doc:"Of the target's own push."`
	To      string          `json:"to"`
	State   push.State      `json:"state" enum:"accepted,sent,delivered,handled,failed,expired,replaced,cancelled,rejected"`
	Reason  string          `json:"reason,omitempty" doc:"Of that state: unknown_endpoint, endpoint_disabled, queue_full or dropped_oldest where it is rejected."`
	History []pushChange    `json:"history" nullable:"false" doc:"Every state that it was in, the oldest first."`
	Result  json.RawMessage `json:"result,omitempty" doc:"What the endpoint answered."`
}

func showDelivery(st push.Status) deliveryBody {
	history := showHistory(st.History)
	return deliveryBody{ID: st.ID.String(), To: st.To.ID, State: st.State, Reason: history[len(history)-1].Reason, History: history, Result: st.Result}
}

type pushBody struct {
	_         struct{}        `additionalProperties:"true"`
	ID        string          `json:"id"`
	To        string          `json:"to"`
	Type      string          `json:"type"`
	State     push.State      `json:"state" enum:"accepted,sent,delivered,handled,failed,expired,replaced,cancelled,rejected"`
	History   []pushChange    `json:"history" nullable:"false" doc:"Every state that it was in, the oldest first."`
	Result    json.RawMessage `json:"result,omitempty" doc:"What the endpoint answered."`
	TTL       int64           `json:"ttl" doc:"Seconds."`
	Priority  string          `json:"priority" enum:"high,normal,low"`
	Ack       string          `json:"ack" enum:"none,delivered,handled"`
	CreatedAt time.Time       `json:"created_at"`
	ExpiresAt time.Time       `json:"expires_at"`
	Fanout    string          `json:"fanout,omitempty" doc:"Id of the push to several endpoints that this is a target of."`

	CollapseKey string     `json:"collapse_key,omitempty"`
	NotBefore   *time.Time `json:"not_before,omitempty" doc:"Earliest delivery."`
}

type pushChange struct {
	_      struct{}   `additionalProperties:"true"`
	State  push.State `json:"state" enum:"accepted,sent,delivered,handled,failed,expired,replaced,cancelled,rejected"`
	At     time.Time  `json:"at"`
	Reason string     `json:"reason,omitempty"`
	By     string     `json:"by,omitempty" doc:"Of replaced: the newer push."`
}

func showPush(st push.Status) pushBody {
	b := pushBody{
		ID: st.ID.String(), To: st.To.ID, Type: st.Type, State: st.State, History: showHistory(st.History), Result: st.Result, TTL: int64(st.TTL / time.Second),
		Priority: st.Priority.String(), Ack: st.Ack.String(), CreatedAt: utc(st.Created), ExpiresAt: utc(st.Expires()),
		CollapseKey: st.CollapseKey, NotBefore: showTime(st.NotBefore),
	}
	if st.Fanout != 0 {
		b.Fanout = st.Fanout.String()
	}
	return b
}

func showHistory(changes []push.Change) []pushChange {
	shown := make([]pushChange, 0, len(changes))
	for _, c := range changes {
		change := pushChange{State: c.State, At: utc(c.At), Reason: c.Reason}
		if c.By != 0 {
			change.By = c.By.String()
		}
		shown = append(shown, change)
	}
	return shown
}
