package events

import "context"

// maxPages bounds what one Page looks at where it selects few events.
const maxPages = 10

// Page returns events behind after that the filter selects, at most limit, without waiting, and the number to go on behind: where it is after, there are no more now. The place after is one that Follow takes.
// Of a long outbox it looks at a part, so there may be more though it returns none. Errors: ErrGone, those of the store.
func (h *Hub) Page(ctx context.Context, after int64, f Filter, limit int) (some []Event, next int64, err error) {
	if next, _, err = h.place(ctx, after); err != nil {
		return nil, 0, err
	}
	for range maxPages {
		all, err := h.store.ReadEvents(ctx, next, pageEvents)
		if err != nil || len(all) == 0 {
			return some, next, err
		}
		fit, seen := f.selected(all, limit-len(some))
		some, next = append(some, fit...), max(next, seen)
		if next != all[len(all)-1].Seq {
			break // there is one more than fits
		}
	}
	return some, next, nil
}
