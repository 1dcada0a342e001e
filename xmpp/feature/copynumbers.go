package feature

// CopyNumbers gives each message that comes back if no client reads it a number, which all its copies have, so that they can be told apart from those of others where
// the copies themselves are written down. The zero value is ready. One goroutine uses it.
type CopyNumbers struct {
	last int
	of   map[*Copies]int
}

// Number returns the number of a message; 0: it does not come back.
func (n *CopyNumbers) Number(c *Copies) int {
	switch {
	case c == nil || c.read.Load():
		return 0
	case c != &sole && n.of[c] != 0:
		return n.of[c]
	}
	n.last++
	if c != &sole { // the count of all messages of which there is one copy
		if n.of == nil {
			n.of = make(map[*Copies]int)
		}
		n.of[c] = n.last
	}
	return n.last
}

// NumberedCopies makes the counts of messages again. The zero value is ready. One goroutine uses it.
type NumberedCopies struct {
	counts map[int]int
	made   map[int]*Copies
}

// Count notes one copy of a message. All are noted before the first call of Copies.
func (n *NumberedCopies) Count(number int) {
	if n.counts == nil {
		n.counts, n.made = make(map[int]int), make(map[int]*Copies)
	}
	n.counts[number]++
}

// Copies returns the count of a message; nil for number 0.
func (n *NumberedCopies) Copies(number int) *Copies {
	if number == 0 {
		return nil
	}
	if n.made[number] == nil {
		n.made[number] = NewCopies(n.counts[number])
	}
	return n.made[number]
}
