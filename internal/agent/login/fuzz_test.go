package login

import (
	"testing"

	"mellium.im/sasl"
)

// No challenge keeps the agent busy for long or makes it panic.
func FuzzChallenge(f *testing.F) {
	for _, s := range []string{"r=x,s=AA==,i=4096", "r=", ",,,", "r=x,s=AA==,i=4096,", "m=x,r=x,s=AA==,i=4096", "i=4096,s=AA==,r=x", "\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, challenge []byte) {
		c := sasl.NewClient(strict(sasl.ScramSha256), sasl.Credentials(func() ([]byte, []byte, []byte) { return []byte("u"), []byte("p"), nil }))
		if _, _, err := c.Step(nil); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Step(challenge); err == nil {
			t.Fatalf("challenge %q without our nonce was accepted", challenge)
		}
	})
}
