package client

import (
	"context"
	"time"

	"signalbox/internal/channel"
)

// System is a channel of channel.System. Its methods may be called concurrently.
type System struct {
	*asker[channel.SystemAnswer]
}

// NewSystem takes a channel; Close must be called.
func NewSystem(conn channel.Conn) *System {
	return &System{newAsker(conn, channel.DecodeSystemAnswer, func(a channel.SystemAnswer) (int, *channel.Error) { return a.ID, a.Error })}
}

// Info returns what the endpoint is.
func (s *System) Info(ctx context.Context) (channel.SystemInfo, error) {
	var info channel.SystemInfo
	err := s.ask(ctx, func(id int) any {
		return channel.SystemRequest{ID: id, Info: &channel.Nothing{}}
	}, func(a channel.SystemAnswer) (bool, error) {
		if a.System != nil {
			info = *a.System
		}
		return true, refused(a.Error)
	})
	return info, err
}

// Ping returns how long a round trip took.
func (s *System) Ping(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	err := s.ask(ctx, func(id int) any {
		return channel.SystemRequest{ID: id, Ping: &channel.Nothing{}}
	}, func(a channel.SystemAnswer) (bool, error) { return true, refused(a.Error) })
	return time.Since(began), err
}
