package rig

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"signalbox/internal/client"
	"signalbox/internal/push"
)

// Order is one push of a load. Everything about it follows from its number, so that nothing of it need be written down.
type Order struct {
	N      int
	To     string
	Type   string // says the number
	Key    string // Idempotency-Key
	Ack    string
	Body   []byte // payload as it must arrive
	Binary bool
	End    push.State // in which it must end, if its endpoint is a played one
}

const (
	orderFamily = "load."
	orderPrefix = orderFamily + "n"
)

// NewOrder returns order n to this endpoint. Some want a result, of which some are failures; some bodies are binary.
func NewOrder(n int, to string) Order {
	o := Order{N: n, To: to, Type: orderPrefix + strconv.Itoa(n), Key: "order-" + strconv.Itoa(n), Ack: "delivered", End: push.Delivered}
	switch n % 4 {
	case 1, 2:
		o.Ack, o.End = "handled", push.Handled
	case 3:
		o.Ack, o.End = "handled", push.Failed
	}
	r := rand.New(rand.NewPCG(uint64(n), 1))
	o.Body = fmt.Appendf(nil, `{"n":%d,"fill":"%s"}`, n, strings.Repeat(strconv.Itoa(n%10)+"'é<&", r.IntN(300)))
	if n%8 == 5 {
		o.Binary = true
		for i := range o.Body {
			o.Body[i] ^= byte(r.Uint32())
		}
	}
	return o
}

// Number returns the number of the order that has this type.
func Number(typ string) (int, bool) {
	text, ok := strings.CutPrefix(typ, orderPrefix)
	n, err := strconv.Atoi(text)
	return n, ok && err == nil
}

// Post sends the order once.
func (o Order) Post(ctx context.Context, api *client.Client) (client.Receipt, error) {
	p := client.NewPush{To: o.To, Type: o.Type, Ack: o.Ack, IdempotencyKey: o.Key}
	if o.Binary {
		p.PayloadBase64 = o.Body
	} else {
		p.Payload = json.RawMessage(o.Body)
	}
	return api.SendPush(ctx, p)
}

// Answers returns what a played endpoint answers to the order's push.
func (o Order) Answers(id string) []Answer {
	answers := []Answer{{id, push.Delivered}}
	if o.End != push.Delivered {
		answers = append(answers, Answer{id, o.End})
	}
	return answers
}

// AllPushes reads every push that the server knows.
func AllPushes(ctx context.Context, api *client.Client) (all []client.Push, err error) {
	f := client.PushFilter{Limit: 500}
	for {
		page, err := api.Pushes(ctx, f)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if f.Cursor = page.Next; f.Cursor == "" {
			return all, nil
		}
	}
}

// CheckHistory returns what is wrong with the states that a push was in: SPEC section 7 allows each step, and the last is the state that it is in.
func CheckHistory(p client.Push) error {
	ack, err := push.ParseAck(p.Ack)
	if err != nil {
		return fmt.Errorf("push %s: %w", p.ID, err)
	}
	if len(p.History) == 0 || p.History[0].State != string(push.Accepted) || p.History[len(p.History)-1].State != p.State {
		return fmt.Errorf("push %s is %s, and was %v", p.ID, p.State, p.History)
	}
	for i := 1; i < len(p.History); i++ {
		if !push.Next(push.State(p.History[i-1].State), push.State(p.History[i].State), ack) {
			return fmt.Errorf("push %s went from %s to %s: %v", p.ID, p.History[i-1].State, p.History[i].State, p.History)
		}
	}
	return nil
}
