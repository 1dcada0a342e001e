package client

import (
	"context"

	"signalbox/internal/channel"
)

// Processes is a channel of channel.Processes. Its methods may be called concurrently.
type Processes struct {
	*asker[channel.ProcessesAnswer]
}

// NewProcesses takes a channel; Close must be called.
func NewProcesses(conn channel.Conn) *Processes {
	return &Processes{newAsker(conn, channel.DecodeProcessesAnswer, func(a channel.ProcessesAnswer) (int, *channel.Error) { return a.ID, a.Error })}
}

// List returns the processes of the endpoint by number. A refusal is an *channel.Error.
func (p *Processes) List(ctx context.Context) ([]channel.Process, error) {
	var all []channel.Process
	err := p.ask(ctx, func(id int) any {
		return channel.ProcessesRequest{ID: id, List: &channel.Nothing{}}
	}, func(a channel.ProcessesAnswer) (bool, error) {
		all = append(all, a.Processes...)
		return !a.More, refused(a.Error)
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Kill ends a process that List returned; signal is channel.SignalTerm or channel.SignalKill. channel.CodeChanged: there is another process with its number.
func (p *Processes) Kill(ctx context.Context, which channel.Process, signal string) error {
	return p.ask(ctx, func(id int) any {
		return channel.ProcessesRequest{ID: id, Kill: &channel.ProcessKill{PID: which.PID, Started: which.Started, Signal: signal}}
	}, func(a channel.ProcessesAnswer) (bool, error) { return true, refused(a.Error) })
}

// refused makes an error of a refusal; nil: there is none.
func refused(e *channel.Error) error {
	if e == nil {
		return nil
	}
	return e
}
