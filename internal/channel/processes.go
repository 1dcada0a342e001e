package channel

import (
	"errors"
	"time"
)

// Signals of ProcessKill.
const (
	SignalTerm = "term" // asks the process to end; on Windows, which has no such thing, it is SignalKill
	SignalKill = "kill"
)

// MaxPiece is how many files or processes one message of a list has at most; there are fewer where they would not fit.
const MaxPiece = 200

// ProcessesRequest is a text message of a technician on a channel of Processes: ID and one more member.
type ProcessesRequest struct {
	ID   int          `json:"id"` // 1 to 2^31-1, of the technician's choice
	List *Nothing     `json:"list,omitempty"`
	Kill *ProcessKill `json:"kill,omitempty"`
}

// ProcessKill ends a process if it is still the one that was listed.
type ProcessKill struct {
	PID     int       `json:"pid"`
	Started time.Time `json:"started"` // as it was listed: another process may have the same number by now
	Signal  string    `json:"signal"`  // SignalTerm or SignalKill
}

// ProcessesAnswer is an endpoint's text message on a channel of Processes.
type ProcessesAnswer struct {
	ID        int       `json:"id,omitempty"` // of the request; 0: an error that belongs to none
	Error     *Error    `json:"error,omitempty"`
	Processes []Process `json:"processes,omitzero"` // by number
	More      bool      `json:"more,omitempty"`     // another message of this list follows
	Killed    bool      `json:"killed,omitempty"`
}

// Process is one process of the endpoint.
type Process struct {
	PID     int       `json:"pid"`
	Parent  int       `json:"parent"`
	Name    string    `json:"name"`
	User    string    `json:"user"`
	Command string    `json:"command"`           // with arguments, cut after 1,024 bytes
	CPU     float64   `json:"cpu"`               // percent of one core since the last list of this session; in the first, since it was started
	Memory  int64     `json:"memory"`            // bytes that are resident
	Started time.Time `json:"started"`           // to the millisecond
	Partial bool      `json:"partial,omitempty"` // the user that the agent runs as may not see all of it
}

// DecodeProcessesRequest reads a technician's text message; every error is an *Error with CodeInvalid.
func DecodeProcessesRequest(data []byte) (m ProcessesRequest, err error) {
	return m, decode(data, MaxRequest, &m)
}

// DecodeProcessesAnswer reads an endpoint's text message; every error is an *Error with CodeInvalid.
func DecodeProcessesAnswer(data []byte) (m ProcessesAnswer, err error) {
	return m, decode(data, MaxMessage, &m)
}

func (m *ProcessesRequest) check() error {
	if err := within("id", int64(m.ID), 1, maxNumber); err != nil {
		return err
	}
	if err := one(m.List != nil, m.Kill != nil); err != nil || m.Kill == nil {
		return err
	}
	if m.Kill.Signal != SignalTerm && m.Kill.Signal != SignalKill {
		return errors.New("signal must be term or kill")
	}
	if m.Kill.Started.IsZero() {
		return errors.New("started is missing")
	}
	return within("pid", int64(m.Kill.PID), 1, maxNumber)
}

func (m *ProcessesAnswer) check() error {
	if err := within("id", int64(m.ID), 0, maxNumber); err != nil {
		return err
	}
	return one(m.Error != nil, m.Processes != nil, m.Killed)
}
