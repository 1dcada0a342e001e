package login

import (
	"errors"
	"fmt"
	"strings"

	"mellium.im/sasl"
)

// Bounds of what a server may ask of a SCRAM client.
const (
	minIterations = 4096 // RFC 7677 section 4
	maxIterations = 1 << 20
)

var errChallenge = errors.New("the server's SCRAM challenge is malformed")

// strict looks at a server's first message before mellium does: mellium loops for ever over some malformed ones and takes any number of
// iterations.
func strict(m sasl.Mechanism) sasl.Mechanism {
	next := m.Next
	m.Next = func(n *sasl.Negotiator, challenge []byte, data any) (bool, []byte, any, error) {
		if n.State()&sasl.StepMask == sasl.AuthTextSent {
			if err := checkChallenge(string(challenge)); err != nil {
				return false, nil, nil, err
			}
		}
		return next(n, challenge, data)
	}
	return m
}

// checkChallenge wants r=...,s=...,i=N as RFC 5802 section 5.1 has it.
func checkChallenge(s string) error {
	fields := strings.Split(strings.TrimRight(s, "\x00"), ",")
	if len(fields) < 3 || !strings.HasPrefix(fields[0], "r=") || !strings.HasPrefix(fields[1], "s=") || !strings.HasPrefix(fields[2], "i=") {
		return errChallenge
	}
	for _, f := range fields {
		if len(f) < 3 || f[1] != '=' {
			return errChallenge
		}
	}
	var n int
	if _, err := fmt.Sscanf(fields[2], "i=%d", &n); err != nil || n < minIterations || n > maxIterations {
		return fmt.Errorf("%w: %s", errChallenge, fields[2])
	}
	return nil
}
