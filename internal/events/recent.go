package events

// Bounds of what is kept in memory for those who follow.
const (
	recentEvents = 4096
	recentBytes  = 4 << 20 // of the data of the events
)

// recent is the newest events in memory: all with a number greater than base and up to head.
type recent struct {
	events     []Event
	bytes      int
	base, head int64
}

// reset forgets all events; the next are those behind head.
func (r *recent) reset(head int64) { *r = recent{base: head, head: head} }

// add appends the events behind head, and forgets the oldest where they are too many.
func (r *recent) add(all []Event) {
	for i := range all {
		r.bytes += len(all[i].Data)
	}
	r.events = append(r.events, all...)
	r.head = r.events[len(r.events)-1].Seq
	n := 0
	for ; len(r.events)-n > recentEvents || r.bytes > recentBytes && n < len(r.events); n++ {
		r.bytes -= len(r.events[n].Data)
		r.base = r.events[n].Seq
		r.events[n] = Event{}
	}
	r.events = r.events[n:]
}

// after returns the events behind seq, which must be base or greater. They must not be changed.
func (r *recent) after(seq int64) []Event {
	lo, hi := 0, len(r.events)
	for lo < hi {
		if mid := (lo + hi) / 2; r.events[mid].Seq <= seq {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return r.events[lo:]
}
