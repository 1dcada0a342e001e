package channel

import "encoding/json"

// pieceBytes is what the items of one message may take, so that there is room for the rest of it.
const pieceBytes = MaxMessage - 8<<10

// Pieces cuts a list into what fits into one message each: MaxPiece items, fewer if they are large. It calls send for each with whether more follow, for an empty list once,
// and stops at an error. An item must be smaller than a message.
func Pieces[T any](items []T, send func(piece []T, more bool) error) error {
	for {
		n, err := fitting(items)
		if err != nil {
			return err
		}
		if err := send(items[:n:n], n < len(items)); err != nil || n == len(items) {
			return err
		}
		items = items[n:]
	}
}

// fitting counts the first items that fit into one message.
func fitting[T any](items []T) (int, error) {
	room := pieceBytes
	for n := range min(len(items), MaxPiece) {
		text, err := json.Marshal(items[n])
		if err != nil {
			return 0, err
		}
		if room -= len(text) + 1; room < 0 && n > 0 {
			return n, nil
		}
	}
	return min(len(items), MaxPiece), nil
}
