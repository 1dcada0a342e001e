package peer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pion/webrtc/v3"

	"signalbox/internal/channel"
)

// Bounds of the channels of a connection.
const (
	MaxChannels = 16 // at the same time
	openBurst   = 32 // opened by the other side within openWindow
	openWindow  = 10 * time.Second
	maxOpened   = 1024 // ever: the library keeps something of each until its end
)

// errTooMany is what the other side is told that opens more channels than it may.
var errTooMany = &channel.Error{Code: "failed", Detail: "too many channels"}

// Open opens a channel. Its methods wait until the connection is there.
func (p *Peer) Open(l Label) (channel.Conn, error) {
	if err := p.admit(time.Now(), true); err != nil {
		return nil, err
	}
	d, err := p.pc.CreateDataChannel(l.String(), nil)
	if err != nil {
		p.left()
		return nil, fmt.Errorf("open channel %s: %w", l, err)
	}
	c := newConn(p, d)
	d.OnOpen(func() { c.attach() })
	return c, nil
}

// incoming takes a channel that the other side opens.
func (p *Peer) incoming(d *webrtc.DataChannel) {
	l, labelErr := ParseLabel(d.Label())
	admitErr := p.admit(time.Now(), false)
	c := newConn(p, d)
	d.OnOpen(func() {
		if !c.attach() {
			return
		}
		switch {
		case admitErr != nil:
			c.refuse(errTooMany)
		case labelErr != nil:
			c.refuse(&channel.Error{Code: "invalid", Detail: labelErr.Error()})
		case !d.Ordered() || d.MaxRetransmits() != nil || d.MaxPacketLifeTime() != nil:
			c.refuse(&channel.Error{Code: "invalid", Detail: "channels must be ordered and reliable"})
		case p.cfg.OnChannel == nil:
			c.refuse(&channel.Error{Code: "not_supported", Detail: "channels are opened by the other side alone"})
		default:
			p.cfg.OnChannel(l, c)
		}
	})
}

// admit counts a channel, if there may be another. Those of our own are not held against a rate.
func (p *Peer) admit(now time.Time, own bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.recent) > 0 && now.Sub(p.recent[0]) > openWindow {
		p.recent = p.recent[1:]
	}
	p.live++ // until it is closed, also where it is refused
	p.opened++
	if p.live > MaxChannels || p.opened > maxOpened || !own && len(p.recent) == openBurst {
		if own {
			p.live--
		}
		return errTooMany
	}
	if !own {
		p.recent = append(p.recent, now)
	}
	return nil
}

// left notes the end of a channel.
func (p *Peer) left() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.live--
}

// refuse says why a channel is not taken, and closes it.
func (c *conn) refuse(why *channel.Error) {
	text, err := json.Marshal(map[string]any{"error": why})
	if err == nil {
		_, err = c.raw.WriteDataChannel(text, true)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		c.fail(err)
	}
	_ = c.Close() // there is nobody left to tell
}
