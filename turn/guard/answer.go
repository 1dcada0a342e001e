package guard

import (
	"signalbox/turn/datapath"
	"signalbox/turn/wire"
)

// origin is what an answer needs of its request.
type origin struct {
	from   datapath.Client
	id     [12]byte // transaction id
	method method
	key    []byte // signs the answer; nil: it is not signed
	print  bool   // the request had a FINGERPRINT, so the answer has one
}

// answerRoom holds every answer of ours: the longest is an Allocate success with IPv6 addresses and a token, 120 bytes.
const answerRoom = 256

// reasons are the phrases of ERROR-CODE for people who look at packets. 401 and 438 have none: they go to whoever asks, and must stay small beside their request.
var reasons = map[int]string{
	wire.CodeBadRequest:           "Bad Request",
	wire.CodeForbidden:            "Forbidden",
	wire.CodeUnknownAttribute:     "Unknown Attribute",
	wire.CodeAllocationMismatch:   "Allocation Mismatch",
	wire.CodeFamilyNotSupported:   "Address Family not Supported",
	wire.CodeWrongCredentials:     "Wrong Credentials",
	wire.CodeTransportUnsupported: "Unsupported Transport Protocol",
	wire.CodePeerFamilyMismatch:   "Peer Address Family Mismatch",
	wire.CodeAllocationQuota:      "Allocation Quota Reached",
	wire.CodeServerError:          "Server Error",
	wire.CodeInsufficientCapacity: "Insufficient Capacity",
}

// succeed answers with success and what add adds.
func (g *Guard) succeed(o *origin, add func(*wire.Builder)) {
	var room [answerRoom]byte
	o.from.Answer(g.success(o, room[:0], add))
}

// succeedOnce is succeed for a request that may be repeated and must not be carried out again: the answer is kept, before anybody can repeat the request.
func (g *Guard) succeedOnce(o *origin, add func(*wire.Builder)) {
	var room [answerRoom]byte
	answer := g.success(o, room[:0], add)
	g.recent.put(o.transaction(), answer)
	o.from.Answer(answer)
}

func (g *Guard) success(o *origin, buf []byte, add func(*wire.Builder)) []byte {
	var b wire.Builder
	b.Begin(buf, o.method.success(), o.id)
	add(&b)
	g.metrics.request(o.method, 0)
	return o.seal(&b)
}

// refuse answers with an error.
func (g *Guard) refuse(o *origin, code int) { g.refuseWith(o, code, func(*wire.Builder) {}) }

// refuseWith answers with an error and what add adds.
func (g *Guard) refuseWith(o *origin, code int, add func(*wire.Builder)) {
	var room [answerRoom]byte
	var b wire.Builder
	b.Begin(room[:0], o.method.failure(), o.id)
	b.AddError(code, reasons[code])
	add(&b)
	g.metrics.request(o.method, code)
	o.from.Answer(o.seal(&b))
}

// seal ends an answer.
func (o *origin) seal(b *wire.Builder) []byte {
	if o.key != nil {
		b.AddIntegrity(o.key)
	}
	if o.print {
		b.AddFingerprint()
	}
	return b.Bytes()
}
