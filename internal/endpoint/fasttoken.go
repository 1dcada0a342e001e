package endpoint

import "time"

// Bounds of tokens for fast logins.
const (
	MaxFastClients     = 16 // clients with tokens per endpoint; beyond it those whose tokens expire first lose them
	MaxFastClientBytes = 64 // of a client's id
)

// FastTokens are the tokens of one client of an endpoint, by which it logs in without its secret (XEP-0484). The zero value means none.
type FastTokens struct {
	Mark    []byte    // of the secret that they were made under (Secret.Mark); under another one they are worth nothing
	Current FastToken // was used, or is the only one
	New     FastToken // was handed out and not used yet; takes the place of Current when it is (section 5.1)
}

// FastToken is what is kept of one token: nothing by which anybody could log in. The zero value means none.
type FastToken struct {
	Seed      []byte    `json:"seed"`      // random; with the server's key it makes the token
	Mechanism string    `json:"mechanism"` // the only one that takes it
	Expires   time.Time `json:"expires"`   // UTC, whole seconds
	Count     uint32    `json:"count"`     // the highest attempt (section 3.4) that was seen when the tokens were last stored
}

// Exists reports whether there is a token.
func (t FastToken) Exists() bool { return len(t.Seed) > 0 }
