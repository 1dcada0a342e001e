package store

// take removes entries up to a size of limit, one at least, first in, first out; but where more than that waits, pushes that somebody has posted go first in up to half
// of the room. Ten thousand endpoints whose presence changes at once, or a fan-out, then keep no caller of the API waiting for long, nor it them.
func (q *queue) take(limit int) []*entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	var batch []*entry
	first, size := q.urgentLocked(limit)
	left := q.entries[:0]
	full, others := false, 0
	for _, e := range q.entries {
		if !first[e] {
			full = full || others > 0 && size+e.size > limit // nothing else passes what is left; the first is taken, however large it is
			if full {
				left = append(left, e)
				continue
			}
			others++
			size += e.size
		}
		q.count(e, -1)
		q.presences.take(e)
		batch = append(batch, e)
	}
	clear(q.entries[len(left):])
	q.entries = left
	if len(q.entries) > 0 {
		q.wakeUp()
	}
	return batch
}

// urgentLocked returns the entries that go first, and their size; nil where all that waits fits. They change nothing that anything before them changes: a push gets
// its number when it is written.
func (q *queue) urgentLocked(limit int) (first map[*entry]bool, size int) {
	all := 0
	for _, e := range q.entries {
		if all += e.size; all > limit {
			break
		}
	}
	if all <= limit {
		return nil, 0
	}
	first = make(map[*entry]bool)
	for _, e := range q.entries {
		if _, ok := e.op.(*acceptPush); !ok {
			continue
		}
		if size+e.size > limit/2 {
			break
		}
		size += e.size
		first[e] = true
	}
	return first, size
}
