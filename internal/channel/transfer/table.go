package transfer

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"signalbox/internal/channel"
)

// MaxTransfers is how many transfers run at a time on one channel.
const MaxTransfers = 8

// maxAnswers is more than the windows of all transfers can ask for.
const maxAnswers = 4 * MaxTransfers * channel.TransferWindow

// Table holds the transfers of one channel, by their numbers. Frame and Message are for the goroutine that reads the channel, and never wait for the other side: two sides
// that wait for each other would wait for ever. Everything else may be called at any time.
type Table struct {
	life    context.Context // of the channel: a message that is being sent ends with it, and not with its transfer, for on some ways that would be the end of the channel
	conn    channel.Conn
	answers chan []byte // what Run sends

	mu        sync.Mutex
	senders   map[int]*sender
	receivers map[int]*receiver
	closed    bool
}

// NewTable makes the table of a channel that lives as long as life; Run must run, and Close be called when the channel has ended.
func NewTable(life context.Context, conn channel.Conn) *Table {
	return &Table{life: life, conn: conn, answers: make(chan []byte, maxAnswers), senders: map[int]*sender{}, receivers: map[int]*receiver{}}
}

// Run sends answers until the channel ends.
func (t *Table) Run() error {
	for {
		select {
		case text := <-t.answers:
			if err := t.conn.Send(t.life, channel.Message{Text: true, Data: text}); err != nil {
				return err
			}
		case <-t.life.Done():
			return nil
		}
	}
}

// Answer has Run send a text message. It fails if the other side asks faster than it listens.
func (t *Table) Answer(message any) error {
	text, err := channel.Encode(message)
	if err != nil {
		return err
	}
	select {
	case t.answers <- text:
		return nil
	default:
		return fmt.Errorf("the other side has not taken %d answers", maxAnswers)
	}
}

// Outgoing is a file that is being sent.
type Outgoing struct {
	table  *Table
	sender *sender
}

// Send makes the transfer with this number; Run must be called.
func (t *Table) Send(number int, source Source) (*Outgoing, error) {
	s := newSender(t.life, t.conn, number, source)
	if err := t.add(func() { t.senders[number] = s }); err != nil {
		return nil, err
	}
	return &Outgoing{t, s}, nil
}

// Run sends the file, and returns its hash when the receiver has given it its name. An *channel.Error is the end of the transfer alone, and the other side knows it; any other
// error is that of the channel or of ctx. When ctx ends the transfer is given up so that it can be continued.
func (o *Outgoing) Run(ctx context.Context) (channel.Sum, error) {
	defer o.table.remove(o.sender.number)
	sum, err := o.sender.run(ctx)
	if err != nil && !o.sender.ended() {
		o.table.giveUp(ctx, o.sender.number, err, true)
	}
	return sum, err
}

// giveUp tells the other side of an end that it does not know.
func (t *Table) giveUp(ctx context.Context, number int, err error, keep bool) {
	m := failed(number, err)
	var refusal *channel.Error
	switch {
	case ctx.Err() != nil:
		m = channel.Transfer{Cancel: &channel.TransferCancel{Number: number, Keep: keep}}
	case !errors.As(err, &refusal):
		return // the channel has ended
	}
	_ = t.Answer(m) // a channel on which nothing gets on is about to end
}

// Incoming is a file that is being received.
type Incoming struct {
	table    *Table
	receiver *receiver
}

// Receive begins to receive a file as the transfer with this number. After an error the sink is as it was.
func (t *Table) Receive(number int, target Target) (*Incoming, error) {
	r := newReceiver(number, target)
	if err := t.add(func() { t.receivers[number] = r }); err != nil {
		blocks.Put(r.buf)
		return nil, err
	}
	return &Incoming{t, r}, nil
}

// Wait waits until the file has its name, and returns its hash. An *channel.Error is the end of the transfer alone. When ctx ends the transfer is given up; with keep what has
// arrived stays, for another to go on from. It is called once.
func (i *Incoming) Wait(ctx context.Context, keep bool) (channel.Sum, error) {
	r := i.receiver
	defer i.table.remove(r.number)
	select {
	case res := <-r.result:
		return res.sum, res.err
	case <-ctx.Done():
	}
	if r.end(context.Cause(ctx), keep) {
		i.table.giveUp(ctx, r.number, context.Cause(ctx), keep)
	}
	res := <-r.result
	return res.sum, res.err
}

func (t *Table) add(put func()) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed:
		return errClosed
	case len(t.senders)+len(t.receivers) >= MaxTransfers:
		return ErrBusy
	}
	put()
	return nil
}

func (t *Table) remove(number int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.senders, number)
	delete(t.receivers, number)
}

func (t *Table) find(number int) (*sender, *receiver) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.senders[number], t.receivers[number]
}

// Frame takes a binary message. What belongs to no transfer is dropped: it was on its way when that ended. An error is the end of the channel.
func (t *Table) Frame(data []byte) error {
	f, err := channel.ParseFrame(data)
	if err != nil {
		return err
	}
	_, r := t.find(f.Number)
	if r == nil {
		return nil
	}
	return t.tell(r.frame(f.Offset, f.Data))
}

// Message takes a text message about a transfer, likewise.
func (t *Table) Message(m channel.Transfer) error {
	s, r := t.find(m.Number())
	switch {
	case s != nil:
		s.take(m)
	case r != nil:
		return t.tell(r.take(m))
	}
	return nil
}

func (t *Table) tell(answer channel.Transfer) error {
	if answer == (channel.Transfer{}) {
		return nil
	}
	return t.Answer(answer)
}

// Close ends all transfers, so that they can be continued, and refuses new ones.
func (t *Table) Close() {
	t.mu.Lock()
	t.closed = true
	senders, receivers := t.senders, t.receivers
	t.senders, t.receivers = map[int]*sender{}, map[int]*receiver{}
	t.mu.Unlock()
	for _, s := range senders {
		s.end(errClosed)
	}
	for _, r := range receivers {
		r.end(errClosed, true)
	}
}
