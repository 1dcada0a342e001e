package deploy

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"signalbox/internal/client"
)

// The load and the upgrades under it.
const (
	upgrades    = 6
	upgradeEach = 20 * time.Second
	pushEach    = 100 * time.Millisecond
	pushPeers   = 4
)

// TestCompose: from the files of an operator to a green endpoint in a container of its own that handles a push; then upgrades, one version for the other, while pushes are posted: each
// push that was accepted is handled once, and nobody is told that the endpoint was offline. All is still there after "down" and "up".
func TestCompose(t *testing.T) {
	requireContainers(t)
	l := newLAN(t)
	s := newSite(t, l)
	server, far := newEngine(t, l, "server"), newEngine(t, l, "endpoint")
	server.build("v1", runtime.GOARCH)
	server.build("v2", runtime.GOARCH)
	server.give(far, "signalbox-agent:v1")
	s.start(server, map[string]string{
		"IMAGE_TAG": "v1", "SIGNALBOX_LISTEN_API": "127.0.0.1:8080," + serverIP + ":8080", "SIGNALBOX_API_INSECURE_HTTP": "true", "SIGNALBOX_API_ALLOW_FROM": "127.0.0.1," + managementIP,
	})
	p := s.enrol(far)
	s.handled()

	load, cancel := context.WithCancel(t.Context())
	accepted := s.postUntil(load)
	versions := s.upgrade()
	cancel()
	posted := accepted()
	for i, v := range versions {
		if want := []string{"v2", "v1"}[i%2]; v != want {
			t.Errorf("after upgrade %d version %s runs, want %s", i+1, v, want)
		}
	}
	for _, r := range posted {
		s.awaitHandled(r.ID)
	}
	effects := p.count()
	for _, r := range posted {
		if n := effects[r.ID]; n != 1 {
			t.Errorf("push %s was handled %d times", r.ID, n)
		}
	}
	t.Logf("%d pushes were accepted over %d upgrades, and each was handled once", len(posted), len(versions))
	if least := int(upgrades * upgradeEach / time.Second); len(posted) < least {
		t.Errorf("%d pushes are no load, want %d", len(posted), least)
	}
	s.server.compose("down")
	s.server.compose("up", "-d")
	s.awaitHealth("healthy")
	s.awaitHandled(posted[0].ID)
	s.handled()
	if on, off := s.management.heard("endpoint.online", endpointID), s.management.heard("endpoint.offline", endpointID); on != 1 || off != 0 {
		t.Errorf("the management server was told %d times that the endpoint is online and %d times that it is offline, want once and never", on, off)
	}
}

// upgrade has docker-compose replace the server by the other version, again and again, and returns which one ran after each time.
func (s *site) upgrade() (versions []string) {
	s.t.Helper()
	tick := time.NewTicker(upgradeEach)
	defer tick.Stop()
	for i := range upgrades {
		<-tick.C
		before := s.id()
		s.env["IMAGE_TAG"] = []string{"v2", "v1"}[i%2]
		s.server.write(s.env)
		began := time.Now()
		s.server.compose("up", "-d")
		after := s.id()
		if after == before {
			s.t.Errorf("upgrade %d left the container as it was", i+1)
		}
		s.t.Logf("upgrade %d took %v", i+1, time.Since(began).Round(100*time.Millisecond))
		var v client.Version
		await(s.t, patience, "the new version answers", func() (ok bool) {
			var err error
			v, err = s.api.Version(s.t.Context())
			return err == nil
		})
		versions = append(versions, v.Version)
	}
	s.awaitHealth("healthy")
	return versions
}

// postUntil posts pushes until ctx ends, each again until it is accepted or the test ends. What it returns waits for that, and returns them all.
func (s *site) postUntil(ctx context.Context) func() []client.Receipt {
	var mu sync.Mutex
	var all []client.Receipt
	var peers sync.WaitGroup
	for range pushPeers {
		peers.Go(func() {
			tick := time.NewTicker(pushPeers * pushEach)
			defer tick.Stop()
			for n := push(); ; <-tick.C {
				r, err := s.api.SendPush(s.t.Context(), n) // again with the same key where no answer came
				if err == nil {
					mu.Lock()
					all = append(all, r)
					mu.Unlock()
					n = push()
				}
				if s.t.Context().Err() != nil || err == nil && ctx.Err() != nil {
					return
				}
			}
		})
	}
	return func() []client.Receipt {
		peers.Wait()
		return all
	}
}
