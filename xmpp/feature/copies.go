package feature

import "sync/atomic"

// Copies counts the copies of one message on their way to clients of an account, so that the message comes back once, and only if no client has read it (XEP-0198
// section 4). It is safe for concurrent use.
type Copies struct {
	left atomic.Int32 // not lost
	read atomic.Bool
}

// sole counts any message of which there is one copy, so that most messages need no count of their own.
var sole Copies

// NewCopies returns the count of n copies, 1 or more.
func NewCopies(n int) *Copies {
	if n == 1 {
		return &sole
	}
	c := new(Copies)
	c.left.Store(int32(n))
	return c
}

// Read notes that a client has acknowledged its copy.
func (c *Copies) Read() {
	if c != &sole {
		c.read.Store(true)
	}
}

// Lost notes that a client will not get its copy; true: it was the last one, and nobody has read any.
func (c *Copies) Lost() (last bool) { return c == &sole || c.left.Add(-1) == 0 && !c.read.Load() }
