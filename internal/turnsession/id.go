package turnsession

import (
	"errors"
	"time"

	"signalbox/internal/id"
)

// ID names a session; what is opened later has the greater id, see id.Next.
type ID int64

const idPrefix = "trn_"

// ErrID says that a text is not the id of a session.
var ErrID = errors.New("not the id of a TURN session")

// String returns the id as the API and credentials show it: "trn_" and 13 digits that sort like the number.
func (n ID) String() string { return id.Format(idPrefix, int64(n)) }

// ParseID reads what String wrote, or returns ErrID.
func ParseID(text string) (ID, error) {
	n, ok := id.Parse(idPrefix, text)
	if !ok {
		return 0, ErrID
	}
	return ID(n), nil
}

func nextID(last ID, now time.Time) ID { return ID(id.Next(int64(last), now)) }
