package tests

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/certs"
	"signalbox/internal/client"
	"signalbox/internal/config"
	"signalbox/tests/harness"
)

// cutter hands connections on to an address and cuts each after a random number of bytes of the answer.
type cutter struct {
	t    *testing.T
	to   func() string
	l    net.Listener
	rnd  *rand.Rand
	cuts atomic.Int64
	wg   sync.WaitGroup
}

func startCutter(t *testing.T, to func() string) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{t: t, to: to, l: l, rnd: rand.New(rand.NewPCG(7, 7))}
	c.wg.Go(c.accept)
	t.Cleanup(func() {
		_ = l.Close()
		c.wg.Wait()
	})
	return c
}

func (c *cutter) accept() {
	for {
		conn, err := c.l.Accept()
		if err != nil {
			return
		}
		limit := c.rnd.Int64N(20_000) + 400
		c.wg.Go(func() { c.hand(conn, limit) })
	}
}

func (c *cutter) hand(conn net.Conn, limit int64) {
	defer conn.Close()
	server, err := net.Dial("tcp", c.to())
	if err != nil {
		return // it restarts
	}
	var up sync.WaitGroup
	up.Go(func() {
		_, _ = io.Copy(server, conn)
		_ = server.Close()
	})
	if n, _ := io.CopyN(conn, server, limit); n == limit {
		c.cuts.Add(1)
	}
	_ = conn.Close()
	_ = server.Close()
	up.Wait()
}

func apiClient(t *testing.T, url, token string) *client.Client {
	t.Helper()
	c, err := client.New(url, token, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// TestEventsThroughCuts follows the events through connections that are cut at random bytes, and through a restart, while pushes flow: nothing is left out, comes
// twice or out of order.
func TestEventsThroughCuts(t *testing.T) {
	s := harness.Start(t, func(c *config.Config) { c.Push.QueueCount = 10_000 })
	s.KeepPorts()
	api := s.Addr("api")
	for i := range 4 {
		s.Call(t, "POST", "/v1/endpoints", fmt.Sprintf(`{"id":"pc-%d"}`, i), 201)
	}
	cut := startCutter(t, func() string { return api })
	follower := apiClient(t, "http://"+cut.l.Addr().String(), s.Token)
	direct := apiClient(t, s.URL(), s.Token)

	var got []int64
	var wg sync.WaitGroup
	defer wg.Wait() // behind cancel, which ends what a test that fails has running
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	done := errors.New("done")
	wg.Go(func() {
		err := follower.FollowEvents(ctx, client.EventFilter{After: "0"}, nil, func(e client.Event) error {
			got = append(got, e.Seq)
			if e.Endpoint == "last" {
				return done
			}
			return nil
		})
		if !errors.Is(err, done) {
			t.Errorf("FollowEvents = %v", err)
		}
	})
	flow(t, direct, 100)
	s.Stop()
	s.Run()
	flow(t, direct, 100)
	s.Call(t, "POST", "/v1/endpoints", `{"id":"last"}`, 201)
	wg.Wait()
	if diff := cmp.Diff(allEvents(t, direct), got); diff != "" {
		t.Errorf("numbers (-want +got):\n%s", diff)
	}
	if cut.cuts.Load() < 5 {
		t.Errorf("the stream was cut %d times only", cut.cuts.Load())
	}
	t.Logf("%d events through %d cuts", len(got), cut.cuts.Load())
}

// flow posts pushes to one and to many, from several at once, and cancels some of them.
func flow(t *testing.T, api *client.Client, n int) {
	t.Helper()
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := range n {
				var r client.Receipt
				var err error
				p := client.NewPush{To: fmt.Sprintf("pc-%d", worker), Type: "demo.ping", IdempotencyKey: client.NewIdempotencyKey()}
				if i%10 == 0 {
					r, err = api.SendPushToMany(t.Context(), []string{"pc-0", "pc-1", "pc-2", "nobody"}, p)
				} else {
					r, err = api.SendPush(t.Context(), p)
				}
				if err == nil && i%3 == 0 {
					_, err = api.CancelPush(t.Context(), r.ID)
				}
				if err != nil {
					t.Errorf("push %d of %d: %v", i, worker, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// allEvents returns the numbers of all events that are kept, page by page.
func allEvents(t *testing.T, api *client.Client) (seqs []int64) {
	t.Helper()
	for after := "0"; ; {
		page, err := api.Events(t.Context(), client.EventFilter{After: after}, 500)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Items {
			if len(seqs) > 0 && e.Seq <= seqs[len(seqs)-1] {
				t.Fatalf("number %d came behind %d", e.Seq, seqs[len(seqs)-1])
			}
			seqs = append(seqs, e.Seq)
		}
		if page.Next == after {
			return seqs
		}
		after = page.Next
	}
}

// TestServerEvents: what the server tells of itself, and of its certificates.
func TestServerEvents(t *testing.T) {
	s := harness.New(t)
	dir := s.Config.Certs.Dir
	_, late, err := certs.MakeCA(certs.CAOptions{Names: []string{"late.test"}, LeafValid: 10 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, text []byte) {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(file+".new", text, 0o600), os.Rename(file+".new", file)); err != nil {
			t.Fatal(err)
		}
	}
	write("late.pem", late)
	s.Run()
	t.Cleanup(s.Stop)
	api := apiClient(t, s.URL(), s.Token)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	want := []string{"cert.expiring late.pem", "server.started ", "cert.changed " + harness.Domain + ".pem"}
	done := errors.New("done")
	err = api.FollowEvents(ctx, client.EventFilter{After: "0"}, nil, func(e client.Event) error {
		var data struct {
			File    string
			Version string
		}
		if err := json.Unmarshal(e.Data, &data); err != nil {
			return err
		}
		i := slices.Index(want, e.Type+" "+data.File)
		if i < 0 {
			t.Errorf("event %+v", e)
		} else {
			want = slices.Delete(want, i, i+1)
		}
		if e.Type == "server.started" {
			write(harness.Domain+".pem", s.Next)
		}
		if len(want) == 0 {
			return done
		}
		return nil
	})
	if !errors.Is(err, done) {
		t.Errorf("FollowEvents = %v; not seen: %q", err, want)
	}
}

// TestRefusedHandshakesAreTold has a client that does not trust the server try twice, which is one event with a count.
func TestRefusedHandshakesAreTold(t *testing.T) {
	s := harness.Start(t)
	for range 2 {
		c, err := tls.Dial("tcp", s.Addr("tls"), &tls.Config{ServerName: harness.Domain, RootCAs: x509.NewCertPool(), NextProtos: []string{"xmpp-client"}})
		if err == nil {
			_ = c.Close()
			t.Fatal("a client without authorities trusts the server")
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := errors.New("done")
	count := 0
	err := apiClient(t, s.URL(), s.Token).FollowEvents(ctx, client.EventFilter{After: "0", Types: []string{"tls.refused"}}, nil, func(e client.Event) error {
		var data struct {
			Source, Listener, Reason, Alert string
			Count                           int
		}
		if err := json.Unmarshal(e.Data, &data); err != nil {
			return err
		}
		if data.Source != "127.0.0.1" || data.Listener != "tls" || data.Reason != "handshake_failed" || data.Alert == "" {
			t.Errorf("data %s", e.Data)
		}
		if count += data.Count; count == 2 {
			return done
		}
		return nil
	})
	if !errors.Is(err, done) {
		t.Errorf("FollowEvents = %v after %d refusals", err, count)
	}
}
