package agent

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/internal/agent/status"
)

// readStatus reads what the agent says of itself.
func (r *run) readStatus() status.Status {
	r.t.Helper()
	s, err := ReadStatus(r.agent.cfg.StateDir)
	must(r.t, err)
	return s
}

func TestStatusFollowsTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig(t)
		cfg.Addresses = []string{"a:443", "b:443"}
		r := newRun(t, cfg)
		r.refuse["a:443"] = true
		r.start()
		p := r.next()
		if s := r.readStatus(); !s.Running || s.State != status.Connecting || s.LastOnline != nil {
			t.Errorf("before the login: %+v", s)
		}
		p = p.secure(nil)
		p.start()
		synctest.Wait()
		s := r.readStatus()
		if s.State != status.Online || s.Through.Address != "b:443" || s.Through.JID != "pc-1@example.org/r1" || s.NextAttempt != nil {
			t.Errorf("online: %+v, through %+v", s, s.Through)
		}
		if len(s.Attempts) != 2 || s.Attempts[0].Code != "unreachable" || s.Attempts[1].Code != "" || s.Attempts[1].Reached != "bind" {
			t.Errorf("attempts %+v", s.Attempts)
		}
		since := time.Now()
		p.send("<stream:error><reset " + streamErrorsNS + "/><retry xmlns='urn:signalbox:stream:1' after='60'/></stream:error>")
		p.drain()
		synctest.Wait()
		s = r.readStatus()
		if s.State != status.Offline || !s.LastOnline.Equal(since) || s.LastFailure.Code != "reset" || s.LastFailure.Route != "b:443" || s.NextAttempt.Sub(since) < time.Minute {
			t.Errorf("offline: %+v, failure %+v", s, s.LastFailure)
		}
		p = r.next().secure(nil)
		p.start()
		if got := r.addresses(); got[2] != "b:443" {
			t.Errorf("dialed %v, want what worked first", got)
		}
		r.stop(p)
		if s := r.readStatus(); s.Running || s.State != status.Stopped {
			t.Errorf("after the end: %+v", s)
		}
		again := newRun(t, cfg) // the same directory
		again.start()
		p = again.next().secure(nil)
		p.start()
		if got := again.addresses(); got[0] != "b:443" {
			t.Errorf("after a restart the agent dialed %v, want what worked first", got)
		}
		again.stop(p)
	})
}

// What was learned of a way is remembered across a restart; what was only configured then is not.
func TestPulseIsRecalled(t *testing.T) {
	for _, tt := range []struct {
		name    string
		through status.Through
		want    time.Duration
	}{
		{"learned", status.Through{Via: "direct", Keepalive: "20s", Learned: true}, 20 * time.Second},
		{"configured then", status.Through{Via: "direct", Keepalive: "20s"}, 45 * time.Second},
		{"of another way", status.Through{Via: "http://proxy:3128", Keepalive: "20s", Learned: true}, 45 * time.Second},
		{"out of bounds", status.Through{Via: "direct", Keepalive: "1ms", Learned: true}, 45 * time.Second},
		{"unreadable", status.Through{Via: "direct", Keepalive: "soon", Learned: true}, 45 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := testConfig(t)
				now := time.Now()
				must(t, status.Write(cfg.StateDir, status.Status{Through: &tt.through, LastOnline: &now}))
				r := startAgent(t, cfg)
				p := r.next().secure(nil)
				p.start()
				synctest.Wait()
				if got := r.readStatus().Through; got.Keepalive != tt.want.String() || got.Learned != (tt.want < 45*time.Second) {
					t.Errorf("through %+v, want it asked every %v", got, tt.want)
				}
				r.stop(p)
			})
		})
	}
}

// The counts follow the journal without anything happening to the session.
func TestStatusCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p, release := busyAgent(t)
		p.send(pushXML("p2", "agent.ping", ""))
		time.Sleep(refreshInterval + time.Second)
		if s := r.readStatus(); s.Pushes != (status.Pushes{Waiting: 1, Running: 1}) {
			t.Errorf("while it works: %+v", s.Pushes)
		}
		close(release)
		time.Sleep(refreshInterval)
		if s := r.readStatus(); s.Pushes != (status.Pushes{Results: 2}) {
			t.Errorf("after the work: %+v, want two results that the server has not acknowledged", s.Pushes)
		}
		r.stopAnyhow(p)
	})
}

// A status file that somebody broke, or made huge, is read as none, and made anew.
func TestBrokenStatusFile(t *testing.T) {
	huge, err := json.Marshal(make([]int, 64<<10))
	must(t, err)
	for name, text := range map[string]string{"broken": "{", "empty": "", "huge": string(huge)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := testConfig(t)
				must(t, os.WriteFile(filepath.Join(cfg.StateDir, status.Name), []byte(text), 0o600))
				if _, err := ReadStatus(cfg.StateDir); err == nil {
					t.Error("it can be read")
				}
				r := startAgent(t, cfg)
				p := r.next().secure(nil)
				p.start()
				r.stop(p)
				r.readStatus()
			})
		})
	}
}

// However often the agent fails, the file stays small.
func TestStatusIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRun(t, testConfig(t))
		r.refuse["server:443"] = true
		r.start()
		time.Sleep(2 * time.Hour)
		if n := len(r.readStatus().Attempts); n != status.MaxAttempts {
			t.Errorf("%d attempts are kept, want %d", n, status.MaxAttempts)
		}
		r.stop(nil)
	})
}
