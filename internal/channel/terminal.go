package channel

import "fmt"

// Bounds of terminals.
const (
	MaxTerminals     = 8         // of one session
	ScrollBack       = 256 << 10 // bytes of output that a terminal keeps for who attaches
	maxSide          = 1000      // columns or rows
	maxTerminalName  = 16
	maxTerminalWords = 256 // bytes of a command's name
)

// TerminalRequest is a text message of a technician on a channel of Terminal: one member is set. Bytes are what is typed.
type TerminalRequest struct {
	Open   *TerminalOpen `json:"open,omitempty"`   // the first message, unless List is
	Resize *TerminalSize `json:"resize,omitempty"` // of the window that shows it
	List   *Nothing      `json:"list,omitempty"`   // may come at any time
	End    *Nothing      `json:"end,omitempty"`    // hang up: the shell is ended, Exit follows. The end of a channel alone leaves it running.
}

// TerminalOpen asks for a terminal. Who attaches to one that is shown on another channel takes it over: the other gets CodeChanged.
type TerminalOpen struct {
	Cols     int    `json:"cols"`     // 1 to 1000
	Rows     int    `json:"rows"`     // 1 to 1000
	Terminal string `json:"terminal"` // the id of one to attach to; empty: a new one
	From     int64  `json:"from"`     // bytes of its output that were seen already
}

// TerminalSize is the size of a window in characters.
type TerminalSize struct {
	Cols int `json:"cols"`
	Rows int `json:"rows"`
}

// TerminalAnswer is a text message of an endpoint on a channel of Terminal: one member is set. Bytes are output.
type TerminalAnswer struct {
	Opened    *TerminalOpened `json:"opened,omitempty"`
	Exit      *TerminalExit   `json:"exit,omitempty"`     // the last message: the channel ends
	Terminals []TerminalState `json:"terminals,omitzero"` // all of the session
	Error     *Error          `json:"error,omitempty"`
}

// TerminalOpened says which terminal it is; output from byte From on follows.
type TerminalOpened struct {
	Terminal string `json:"terminal"` // "t1", unique in the session
	From     int64  `json:"from"`
	Lost     int64  `json:"lost"` // bytes between what was seen and From, which are not kept any more
}

// TerminalExit says how the program ended.
type TerminalExit struct {
	Status int `json:"status"` // exit status; 128 and the signal's number if one ended it
}

// TerminalState is a terminal in a list.
type TerminalState struct {
	Terminal string `json:"terminal"`
	Cols     int    `json:"cols"`
	Rows     int    `json:"rows"`
	Command  string `json:"command"`         // name of the program that was started
	Attached bool   `json:"attached"`        // whether a channel shows it
	Ended    bool   `json:"ended,omitempty"` // the program has ended while no channel showed it; the last of its output can be read once
}

// DecodeTerminalRequest reads a technician's text message; every error is an *Error with CodeInvalid.
func DecodeTerminalRequest(data []byte) (m TerminalRequest, err error) {
	return m, decode(data, MaxRequest, &m)
}

// DecodeTerminalAnswer reads an endpoint's text message; every error is an *Error with CodeInvalid.
func DecodeTerminalAnswer(data []byte) (m TerminalAnswer, err error) {
	return m, decode(data, MaxMessage, &m)
}

func (m *TerminalRequest) check() error {
	if err := one(m.Open != nil, m.Resize != nil, m.List != nil, m.End != nil); err != nil {
		return err
	}
	switch {
	case m.Open != nil:
		return m.Open.check()
	case m.Resize != nil:
		return sides(m.Resize.Cols, m.Resize.Rows)
	}
	return nil
}

func (o *TerminalOpen) check() error {
	if err := sides(o.Cols, o.Rows); err != nil {
		return err
	}
	if err := short("terminal", o.Terminal, maxTerminalName); err != nil {
		return err
	}
	return within("from", o.From, 0, MaxOffset)
}

func sides(cols, rows int) error {
	if err := within("cols", int64(cols), 1, maxSide); err != nil {
		return err
	}
	return within("rows", int64(rows), 1, maxSide)
}

func (m *TerminalAnswer) check() error {
	if err := one(m.Opened != nil, m.Exit != nil, m.Terminals != nil, m.Error != nil); err != nil {
		return err
	}
	if o := m.Opened; o != nil {
		if err := within("from", o.From, 0, MaxOffset); err != nil {
			return err
		}
		return within("lost", o.Lost, 0, MaxOffset)
	}
	if len(m.Terminals) > MaxTerminals {
		return fmt.Errorf("%d terminals", len(m.Terminals))
	}
	return nil
}
