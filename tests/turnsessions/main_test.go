package turnsessions

import (
	"fmt"
	"os"
	"testing"

	"signalbox/internal/client"
	"signalbox/tests/harness"
	"signalbox/tests/harness/turnchild"
	"signalbox/turn/turntest"
)

func TestMain(m *testing.M) {
	if ran, status := turnchild.Run(); ran {
		os.Exit(status)
	}
	os.Exit(m.Run())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func api(t *testing.T, s *harness.Server) *client.Client {
	t.Helper()
	c, err := client.New(s.URL(), s.Token, client.Options{})
	must(t, err)
	t.Cleanup(c.Close)
	return c
}

// open opens a session.
func open(t *testing.T, s *harness.Server, n client.NewTURNSession) client.TURNGrant {
	t.Helper()
	made, err := api(t, s).OpenTURNSession(t.Context(), n)
	must(t, err)
	return made
}

// shown reads a session.
func shown(t *testing.T, s *harness.Server, id string) client.TURNSession {
	t.Helper()
	found, err := api(t, s).TURNSession(t.Context(), id)
	must(t, err)
	return found
}

// awaitBytes waits until a session's counters say that it moved so many bytes each way: a packet is counted a moment after it was sent.
func awaitBytes(t *testing.T, s *harness.Server, id string, n uint64) {
	t.Helper()
	var c *client.TURNCounters
	harness.Await(t, func() bool {
		c = shown(t, s, id).Counters
		return c != nil && c.BytesUp == n && c.BytesDown == n
	}, func() string { return fmt.Sprintf("counters = %+v, want %d bytes each way", c, n) })
}

// join is a client of one side, over UDP.
func join(t *testing.T, s *harness.Server, side client.TURNCredentials) *turntest.Client {
	t.Helper()
	c, err := turntest.Dial("udp", s.Addr("turn_udp"))
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c.As(side.Username, side.Credential)
}
