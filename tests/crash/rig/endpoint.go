package rig

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"signalbox/internal/push"
	"signalbox/xmpp/scan"
)

// ErrProtocol marks what a server does wrong, unlike a connection that ends because the server was killed.
var ErrProtocol = errors.New("wrong on the wire")

// Received is a push as an endpoint sees it.
type Received struct {
	ID      string
	Type    string
	Payload []byte
}

// Answer is what an endpoint tells the server of a push: Delivered is a receipt, Handled and Failed are results.
type Answer struct {
	Push  string
	State push.State
}

// Endpoint plays an endpoint. Its callbacks are called by the goroutine in Run.
type Endpoint struct {
	ID, Secret string

	// Push is called for every push that comes, and returns the answers to it.
	Push func(Received) []Answer
	// Confirmed is called for every answer that the server has counted (XEP-0198 section 4), which it must keep from then on.
	Confirmed func(Answer)
	// Again returns the answers to be given once more at the start of a session, as an agent does with results that were not confirmed. It may be nil.
	Again func() []Answer
	// Resume is whether a session whose connection is lost goes on with the next one (XEP-0198), if the server lets it.
	Resume bool

	lost    *visit // whose connection is lost, and which may be resumed
	resumed int
}

// Resumed returns how often a session was resumed. It must not be called while Run runs.
func (e *Endpoint) Resumed() int { return e.resumed }

// sentStanza is a stanza on the way: the server has it when it has counted this many.
type sentStanza struct {
	number uint32
	text   string
	answer Answer // zero: it is none
}

// visit is one session of an endpoint.
type visit struct {
	*Endpoint
	st       *stream
	out      []byte
	received uint32 // stanzas since <enabled/>
	sent     uint32
	open     []sentStanza // oldest first
	resume   string       // id of the session; empty: it cannot be resumed
}

// Run logs in at addr, takes pushes and answers them until the connection ends or ctx is done. It always returns an error.
// One that is ErrProtocol is the server's fault.
func (e *Endpoint) Run(ctx context.Context, addr string, cfg *tls.Config) error {
	conn, err := (&tls.Dialer{Config: cfg}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	st := newStream(conn)
	if err := st.authenticate(e.ID, e.Secret); err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	v, err := e.enter(st)
	if err != nil {
		return fmt.Errorf("begin a session: %w", err)
	}
	if e.Resume && v.resume != "" {
		e.lost = v
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return err
	}
	return v.serve()
}

// enter resumes the session that was lost, or begins a new one.
func (e *Endpoint) enter(st *stream) (*visit, error) {
	if v := e.lost; v != nil {
		ok, err := v.again(st)
		if err != nil || ok {
			return v, err
		}
		e.lost = nil
	}
	v := &visit{Endpoint: e, st: st}
	var err error
	if v.resume, err = st.bind(); err != nil {
		return nil, err
	}
	v.stanza("<presence/>", Answer{})
	if e.Again != nil {
		v.answer(e.Again())
	}
	return v, nil
}

// again resumes the session on another stream and says once more what the server has not counted. It is not ok if the server knows the session no longer.
func (v *visit) again(st *stream) (ok bool, err error) {
	if err := st.send(fmt.Sprintf("<resume xmlns='%s' previd='%s' h='%d'/>", nsManagement, v.resume, v.received)); err != nil {
		return false, err
	}
	ev, err := st.next()
	switch {
	case err != nil:
		return false, err
	case ev.Kind == scan.TopLevel && ev.Stanza.Is(nsManagement, "failed"):
		return false, nil
	case ev.Kind != scan.TopLevel || !ev.Stanza.Is(nsManagement, "resumed"):
		return false, fmt.Errorf("%w: got %q, want resumed", ErrProtocol, ev.Stanza.Raw)
	}
	if err := v.counted(&ev.Stanza); err != nil {
		return false, err
	}
	v.st, v.out = st, nil
	for _, s := range v.open {
		v.out = append(v.out, s.text...)
	}
	v.resumed++
	return true, nil
}

// serve reads until the connection ends. What it has to say goes out whenever nothing more is there to read.
func (v *visit) serve() error {
	for {
		ev, ok, err := v.st.buffered()
		if err == nil && !ok {
			if err = v.flush(); err == nil {
				err = v.st.fill()
			}
		} else if err == nil {
			err = v.take(ev)
		}
		if err != nil {
			return err
		}
	}
}

func (v *visit) take(ev scan.Event) error {
	st := &ev.Stanza
	switch {
	case ev.Kind != scan.TopLevel:
		return fmt.Errorf("%w: the server ended the stream", ErrProtocol)
	case st.Kind != scan.Nonza:
		v.received++
		if st.Kind == scan.Message {
			return v.message(st)
		}
	case st.Is(nsManagement, "r"):
		v.out = fmt.Appendf(v.out, "<a xmlns='%s' h='%d'/>", nsManagement, v.received)
	case st.Is(nsManagement, "a"):
		return v.counted(st)
	}
	return nil
}

func (v *visit) message(st *scan.Stanza) error {
	p := st.Element().Child(nsPush, "push")
	if !p.Exists() {
		return fmt.Errorf("%w: a message without a push: %s", ErrProtocol, st.Raw)
	}
	id, _ := p.Attr("id")
	typ, _ := p.Attr("type")
	r := Received{ID: string(id), Type: string(typ), Payload: []byte(p.Child("urn:xmpp:json:0", "json").Text())}
	if data := p.Child(nsPush, "data"); data.Exists() {
		var err error
		if r.Payload, err = base64.StdEncoding.DecodeString(data.Text()); err != nil {
			return fmt.Errorf("%w: push %s: %w", ErrProtocol, r.ID, err)
		}
	}
	if string(st.ID()) != r.ID {
		return fmt.Errorf("%w: push %s came in a message with id %s", ErrProtocol, r.ID, st.ID())
	}
	v.answer(v.Push(r))
	return nil
}

func (v *visit) answer(answers []Answer) {
	for _, a := range answers {
		body := "<received xmlns='urn:xmpp:receipts' id='" + a.Push + "'/>"
		switch a.State {
		case push.Handled:
			body = "<result xmlns='" + nsPush + "' id='" + a.Push + "' status='ok'><json xmlns='urn:xmpp:json:0'>{\"of\":\"" + a.Push + "\"}</json></result>"
		case push.Failed:
			body = "<result xmlns='" + nsPush + "' id='" + a.Push + "' status='failed'/>"
		}
		v.stanza("<message to='"+Domain+"'>"+body+"</message>", a)
	}
}

func (v *visit) stanza(text string, a Answer) {
	v.out = append(v.out, text...)
	v.sent++
	v.open = append(v.open, sentStanza{v.sent, text, a})
}

// counted tells which answers the server has.
func (v *visit) counted(st *scan.Stanza) error {
	text, _ := st.Element().Attr("h")
	h, err := strconv.ParseUint(string(text), 10, 32)
	if err != nil || uint32(h) > v.sent {
		return fmt.Errorf("%w: the server counted %q of %d stanzas", ErrProtocol, text, v.sent)
	}
	for len(v.open) > 0 && v.open[0].number <= uint32(h) {
		if a := v.open[0].answer; a != (Answer{}) {
			v.Confirmed(a)
		}
		v.open = v.open[1:]
	}
	return nil
}

// flush writes what there is to say, and asks how much of it counts.
func (v *visit) flush() error {
	if len(v.out) == 0 {
		return nil
	}
	if strings.Contains(string(v.out), "<message") {
		v.out = append(v.out, "<r xmlns='"+nsManagement+"'/>"...)
	}
	_, err := v.st.conn.Write(v.out)
	v.out = v.out[:0]
	return err
}
