package pushes

import (
	"encoding/binary"
	"errors"
	"strings"

	"signalbox/internal/push"
	"signalbox/internal/store/direct"
)

// maxHistory bounds the changes kept of one push. Only going back and forth between sent and accepted can reach it, so the oldest such pair is dropped.
const maxHistory = 64

// An entry is the state's number, the time in microseconds (8 bytes, big endian), the length of the reason, the reason.
const (
	entryHead      = 10
	maxReasonBytes = 255
)

var errHistory = errors.New("stored history is damaged")

// AppendChange adds a change to an encoded history.
func AppendChange(h []byte, code, at int64, reason string) []byte {
	reason = reason[:min(len(reason), maxReasonBytes)]
	h = append(h, byte(code))
	h = binary.BigEndian.AppendUint64(h, uint64(at))
	h = append(h, byte(len(reason)))
	return append(h, reason...)
}

// BoundHistory drops the oldest redelivery, which is the pair behind the first entry, if there is no room for one more entry. It works in place.
func BoundHistory(h []byte) ([]byte, error) {
	n, first, third := 0, 0, 0
	for rest := h; len(rest) > 0; n++ {
		size := entrySize(rest)
		if size == 0 {
			return nil, errHistory
		}
		rest = rest[size:]
		switch n {
		case 0:
			first = len(h) - len(rest)
		case 2:
			third = len(h) - len(rest)
		}
	}
	if n < maxHistory {
		return h, nil
	}
	return append(h[:first], h[third:]...), nil
}

// entrySize returns the bytes of the first entry, or 0 if it is not complete.
func entrySize(h []byte) int {
	if len(h) < entryHead || len(h) < entryHead+int(h[entryHead-1]) {
		return 0
	}
	return entryHead + int(h[entryHead-1])
}

// ByNewer is the reason of Replaced as the history and the outbox keep it.
func ByNewer(reason string, id push.ID) string { return reason + ":" + id.String() }

// ReplacedBy takes apart what ByNewer made.
func ReplacedBy(text string) (reason string, id push.ID) {
	reason, by, _ := strings.Cut(text, ":")
	id, err := push.ParseID(by)
	if err != nil {
		return text, 0
	}
	return reason, id
}

func decodeHistory(h []byte) ([]push.Change, error) {
	changes := make([]push.Change, 0, 4)
	for len(h) > 0 {
		size := entrySize(h)
		if size == 0 {
			return nil, errHistory
		}
		state, err := StateOf(int64(h[0]))
		if err != nil {
			return nil, err
		}
		at := int64(binary.BigEndian.Uint64(h[1:]))
		c := push.Change{State: state, At: direct.Time(at), Reason: string(h[entryHead:size])}
		if state == push.Replaced {
			c.Reason, c.By = ReplacedBy(c.Reason)
		}
		changes = append(changes, c)
		h = h[size:]
	}
	if len(changes) == 0 {
		return nil, errHistory
	}
	return changes, nil
}
