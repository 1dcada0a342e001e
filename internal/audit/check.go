package audit

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Trim is the detail of a Trimmed entry: what retention has deleted. Without one that says so, entries that are missing at the beginning are missing.
type Trim struct {
	Through int64     `json:"through"` // the last entry that was deleted, whose signed head stays
	Hash    Hash      `json:"hash"`    // of that entry
	Before  time.Time `json:"before"`  // what was older than this
}

// Damage is the detail of a Damaged entry: what the server had signed before, and is not there any more.
type Damage struct {
	Seq  int64 `json:"signed"`
	Hash Hash  `json:"hash"`
}

// Bad is what a check found first. From and To are the same where one entry alone can be it.
type Bad struct {
	From, To int64
	What     string // what is wrong with it, in words
}

// Error says it in one line.
func (b *Bad) Error() string {
	if b.From == b.To {
		return fmt.Sprintf("entry %d %s", b.From, b.What)
	}
	return fmt.Sprintf("entries %d to %d: %s", b.From, b.To, b.What)
}

const badHead = "has a signed head that no trusted key has signed"

// Report is what a check found.
type Report struct {
	First, Last   int64     // entries that were read, up to the bad one; 0: none
	Trimmed       int64     // the last entry that retention deleted; 0: none
	Anchor        Head      // of that entry; zero: it was not deleted yet
	Heads         int       // good ones
	Newest        Head      // of them; zero: there is none
	Unsigned      int64     // entries behind Newest, for which nobody vouches yet
	UnsignedSince time.Time // when the first of those was made; zero: there is none
	Bad           *Bad      // nil: nothing was changed
}

// Checker reads a chain from its first entry to its last and finds what was changed, dropped, put elsewhere or cut off.
type Checker struct {
	heads   []Head // those that are still ahead
	trusted []PublicKey
	last    Entry
	first   Entry
	trimmed Trim // the newest
	report  Report
}

// NewChecker returns a checker that has read nothing. heads are all that there are, in any order; trusted are the keys that they may be signed with.
func NewChecker(heads []Head, trusted ...PublicKey) *Checker {
	heads = slices.Clone(heads)
	slices.SortFunc(heads, func(a, b Head) int { return cmp.Compare(a.Seq, b.Seq) })
	return &Checker{heads: heads, trusted: trusted}
}

// Add reads the next entry. It returns false once something is bad: what follows says nothing more.
func (c *Checker) Add(e Entry) bool {
	if c.report.Bad != nil {
		return false
	}
	if c.report.First == 0 {
		c.begin(&e)
	} else {
		c.follow(&e)
	}
	if c.report.Bad == nil && e.Hash != e.digest() {
		c.bad(e.Seq, e.Seq, "does not have the hash of what it says: it was changed")
	}
	if c.report.Bad == nil {
		c.last, c.report.Last = e, e.Seq
		c.trim(&e)
		c.damage(&e)
		c.vouch(e.Link())
	}
	switch {
	case c.report.Newest.Seq == e.Seq:
		c.report.UnsignedSince = time.Time{}
	case c.report.UnsignedSince.IsZero():
		c.report.UnsignedSince = e.At
	}
	return c.report.Bad == nil
}

// begin looks at the first entry that there is.
func (c *Checker) begin(e *Entry) {
	c.first, c.report.First = *e, e.Seq
	switch {
	case e.Seq < 1:
		c.bad(e.Seq, e.Seq, "has no number that an entry has")
	case e.Seq == 1 && e.Prev != Hash{}:
		c.bad(1, 1, "does not begin a chain")
	case e.Seq > 1:
		c.vouch(Link{e.Seq - 1, e.Prev})
		c.report.Anchor = c.report.Newest
	}
}

// follow looks at an entry beside the one before it.
func (c *Checker) follow(e *Entry) {
	switch {
	case e.Seq == c.last.Seq+1 && e.Prev != c.last.Hash:
		c.bad(c.last.Seq, e.Seq, "they do not follow each other: one of them was changed")
	case e.Seq > c.last.Seq+1:
		c.bad(c.last.Seq+1, e.Seq-1, missing(e.Seq-1-c.last.Seq))
	case e.Seq <= c.last.Seq:
		c.bad(e.Seq, e.Seq, fmt.Sprintf("stands behind entry %d: it was moved or doubled", c.last.Seq))
	}
}

// trim notes what retention says that it has deleted.
func (c *Checker) trim(e *Entry) {
	var t Trim
	if e.Action != Trimmed || json.Unmarshal(e.Detail, &t) != nil || t.Through < c.report.Trimmed {
		return
	}
	c.trimmed, c.report.Trimmed = t, t.Through
	if t.Through == c.first.Seq-1 && t.Hash != c.first.Prev {
		c.bad(c.first.Seq, c.first.Seq, fmt.Sprintf("does not follow on the entries that were deleted as old, as entry %d says", e.Seq))
	}
}

// damage notes what the server says that somebody has done while it ran: cut entries off, with their heads, so that others took their numbers.
func (c *Checker) damage(e *Entry) {
	var d Damage
	if e.Action == Damaged && json.Unmarshal(e.Detail, &d) == nil && c.report.Bad == nil {
		c.bad(min(d.Seq, e.Seq), e.Seq, fmt.Sprintf("entry %d was signed as %s and is another now, or its signature is gone, as the server has noticed", d.Seq, d.Hash))
	}
}

// vouch holds the heads of the chain up to l against it.
func (c *Checker) vouch(l Link) {
	for len(c.heads) > 0 && c.heads[0].Seq <= l.Seq && c.report.Bad == nil {
		h := c.heads[0]
		c.heads = c.heads[1:]
		switch {
		case !c.signed(&h):
			c.bad(h.Seq, h.Seq, badHead)
		case h.Seq < l.Seq: // of an entry that was deleted as old
		case h.Hash != l.Hash && max(c.report.Newest.Seq+1, c.first.Seq) < h.Seq:
			c.bad(max(c.report.Newest.Seq+1, c.first.Seq), h.Seq, "one of them was changed, and those behind it chained anew: the signed head is of others")
		case h.Hash != l.Hash:
			c.bad(h.Seq, h.Seq, "is not that of its signed head: it was changed, or one before it")
		default:
			c.report.Heads++
			c.report.Newest = h
		}
	}
}

func (c *Checker) signed(h *Head) bool {
	return slices.ContainsFunc(c.trusted, func(k PublicKey) bool { return h.SignedBy(k) })
}

// Report ends the check.
func (c *Checker) Report() Report {
	r := &c.report
	if r.Bad == nil && len(c.heads) > 0 {
		c.cut(&c.heads[len(c.heads)-1])
	}
	if r.Bad == nil && r.First > 1 {
		c.beginning()
	}
	if r.Bad == nil {
		r.Unsigned = max(0, r.Last-max(r.Newest.Seq, r.First-1))
	}
	return *r
}

// beginning looks whether it was retention that deleted what is missing at the beginning: it says so in the trail, and leaves a signed head that was old then.
func (c *Checker) beginning() {
	r := &c.report
	gone := r.First - 1
	switch {
	case r.Trimmed < gone:
		c.bad(r.Trimmed+1, gone, missing(gone-r.Trimmed)+", and it was not retention that deleted what stood there")
	case r.Trimmed == gone && r.Anchor.Seq != gone:
		c.bad(gone, gone, "was deleted as old, and the signed head is missing that should vouch for it")
	case r.Trimmed == gone && !r.Anchor.At.Before(c.trimmed.Before):
		c.bad(gone, gone, "was deleted as old, and its signed head says that it was not")
	}
}

// cut says that the end is missing up to the entry of a head.
func (c *Checker) cut(h *Head) {
	if !c.signed(h) {
		c.bad(h.Seq, h.Seq, badHead)
		return
	}
	c.bad(c.report.Last+1, h.Seq, missing(h.Seq-c.report.Last)+" at the end: there is a signed head of them")
}

func missing(n int64) string {
	if n == 1 {
		return "is missing"
	}
	return "they are missing"
}

func (c *Checker) bad(from, to int64, what string) { c.report.Bad = &Bad{from, to, what} }
