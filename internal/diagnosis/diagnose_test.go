package diagnosis

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"signalbox/internal/endpoint"
)

// TestDiagnoses holds what cannot be brought about from outside in a test's time; the rest is played in tests/why.
func TestDiagnoses(t *testing.T) {
	hour := time.Now().Add(-time.Hour)
	for _, tt := range []struct {
		name   string
		state  endpoint.State
		reason string
		edit   func(*world)
		code   string
		steps  string // results from dns to event, by their first letters
		words  []string
	}{
		{"online", "online", "", func(w *world) {}, "online", "ooooooooU", []string{"pc-1 is online", home}},
		{"online and told", "online", "", func(w *world) { w.management = &Management{Host: "itsm", Told: hour} }, "online", "ooooooooo", nil},
		{"online, nothing told yet", "online", "", func(w *world) { w.management = &Management{Host: "itsm"} }, "online", "ooooooooU", nil},
		{"no receipts", "online", "", func(w *world) { w.sent, w.oldest = 3, hour }, "unresponsive", "ooooooooU", []string{"3 pushes", "not acknowledged"}},
		{"a receipt is due", "online", "", func(w *world) { w.sent, w.oldest = 3, time.Now() }, "online", "ooooooooU", nil},
		{"flaps", "online", "", func(w *world) {
			w.record.Unrest = endpoint.Unrest{Flapping: true, Sessions: 7}
		}, "flapping", "ooooooooU", []string{"comes and goes", "7 sessions"}},
		{"flapped, and is calm", "online", "", func(w *world) { w.events = []StoredEvent{stored(1, time.Now(), "endpoint.flapping", "{}")} }, "online", "ooooooooU", nil},
		{"the name is not known", "online", "", manager("management_not_resolved", ""), "management_not_resolved", "oooooooof", []string{"not told of pc-1", "itsm.example", "resolved"}},
		{"nobody is there", "online", "", manager("management_unreachable", "connection refused"), "management_unreachable", "oooooooof", []string{"connection refused"}},
		{"bad certificate", "online", "", manager("management_certificate", "unknown authority"), "management_certificate", "oooooooof", []string{"certificate of itsm.example"}},
		{"4xx", "online", "", manager("management_refuses", "403 Forbidden"), "management_refuses", "oooooooof", []string{"403 Forbidden"}},
		{"5xx", "online", "", manager("management_fails", "502 Bad Gateway"), "management_fails", "oooooooof", []string{"502 Bad Gateway"}},
		{"slow", "online", "", func(w *world) {
			w.management = &Management{Host: "itsm.example", Code: "event_backlog", Waiting: 7, Oldest: hour, Since: hour}
		}, "event_backlog", "oooooooof", []string{"7 events wait"}},
		{"not slow yet", "online", "", func(w *world) {
			w.management = &Management{Host: "itsm.example", Waiting: 7, Oldest: time.Now(), Told: hour}
		}, "online", "ooooooooo", nil},
		{"refuses some", "online", "", func(w *world) { w.management = &Management{Host: "itsm.example", Aside: 2, Told: hour} }, "events_set_aside", "oooooooof", []string{"refuses 2 events while"}},
		{"not stored", "offline", "not_stored", func(w *world) {}, "session_ended", "UUnnnnnnU", []string{"not_stored"}},
		{"resume too late", "offline", "resume_expired", func(w *world) {}, "connection_lost", "UUnnnnnnU", nil},
		{"refused since", "offline", "silent", func(w *world) { w.memory.Failed(failure("cert_unknown_ca", home)) }, "cert_unknown_ca", "ooofnnnnU", []string{"The client at " + home}},
		{"refused before", "offline", "silent", func(w *world) {
			a := failure("cert_unknown_ca", home)
			a.At = hour.Add(-time.Hour)
			w.memory.Failed(a)
		}, "silent_death", "UUnnnnnnU", nil},
		{"a scanner, too", "offline", "silent", func(w *world) {
			w.memory.Failed(failure("cert_closed", home))
			w.memory.Failed(failure("closed_early", home))
		}, "cert_closed", "ooofnnnnU", nil},
		{"somebody else there", "offline", "silent", func(w *world) { w.memory.Failed(failure("wrong_secret", home).as("pc-2", true)) }, "silent_death", "UUnnnnnnU", nil},
		{"busy handshakes", "offline", "silent", func(w *world) { w.memory.Failed(failure("handshake_queue", home)) }, "handshake_queue", "ooofnnnnU", []string{"TLS handshake"}},
		{"not checked", "offline", "silent", func(w *world) {
			a := failure("login_unchecked", home).as("pc-1", false)
			a.Detail.Cause = "disk I/O error"
			w.memory.Failed(a)
		}, "login_unchecked", "ooooofnnU", []string{"disk I/O error"}},
		{"no room for a session", "offline", "silent", func(w *world) { w.memory.Failed(failure("bind_limit", home).as("pc-1", true)) }, "bind_limit", "oooooofnU", []string{"as many as it may"}},
		{"a clone is refused", "online", "", func(w *world) {
			w.record.Unrest.Rival = &endpoint.Rival{RemoteAddr: "198.51.100.7:1", At: time.Now()}
		}, "clone_refused", "ooooooooU", []string{"A machine at 198.51.100.7 logs in as pc-1", "last at"}},
		{"it was refused as a clone", "offline", "silent", func(w *world) {
			w.memory.Failed(failure("clone_refused", home).as("pc-1", true))
		}, "clone_refused", "oooooofnU", []string{"A machine at " + home + " logs in as pc-1"}},
		{"its name is said at home", "offline", "silent", func(w *world) { w.memory.Failed(failure("login_given_up", home).as("pc-1", false)) }, "login_given_up", "ooooofnnU", []string{"pc-1 saw which"}},
		{"its name is said elsewhere", "offline", "silent", func(w *world) {
			w.memory.Failed(failure("login_given_up", "198.51.100.7").as("pc-1", false))
		}, "login_given_up", "ooooofnnU", []string{"A client at 198.51.100.7 that calls itself pc-1 saw which"}},
		{"enabled since", "offline", "endpoint_disabled", func(w *world) {
			w.memory.Failed(failure("endpoint_disabled", home).as("pc-1", true))
		}, "enabled_later", "ooooofnnU", []string{"while it was disabled", "has not come back"}},
		{"sent away", "offline", "shutdown", func(w *world) {}, "server_stopped", "UUnnnnnnU", []string{"sent its endpoints away or stopped"}},
		{"never", "never", "", func(w *world) {}, "never_seen", "UnnnnnnnU", []string{"DNS"}},
		{"our ports are closed", "offline", "silent", func(w *world) { w.closed = "it expired" }, "server_certificate", "UfnnnnnnU", []string{"it expired"}},
		{"flaps and is away", "offline", "connection_lost", func(w *world) { w.record.Unrest = endpoint.Unrest{Flapping: true, Sessions: 7} }, "flapping", "UUnnnnnnU", []string{"7 sessions"}},
		{"we send everybody away", "offline", "shutdown", func(w *world) { w.draining = hour }, "server_draining", "UUUUfnnnU", []string{"sends its endpoints away since"}},
		{"not yet", "online", "", func(w *world) { w.draining = hour }, "online", "ooooooooU", nil},
		{"our disk is full, too", "offline", "silent", func(w *world) { w.unwritable = "no space" }, "silent_death", "UUnnnnnnU", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, tt.state, tt.reason)
			tt.edit(w)
			d := w.diagnose()
			if d.Code != tt.code || d.Fine != (tt.code == "online") {
				t.Errorf("code = %s (fine %v), want %s", d.Code, d.Fine, tt.code)
			}
			if got := letters(d.Steps); !strings.EqualFold(got, tt.steps) {
				t.Errorf("ladder = %s, want %s", got, tt.steps)
			}
			for _, words := range tt.words {
				if !strings.Contains(d.Summary, words) {
					t.Errorf("summary does not say %q: %s", words, d.Summary)
				}
			}
			if w.unwritable != "" && (len(d.Also) != 1 || d.Also[0].Code != "disk_full") {
				t.Errorf("also = %+v", d.Also)
			}
		})
	}
}

// manager has a management server that does not take events.
func manager(code, cause string) func(*world) {
	return func(w *world) {
		w.management = &Management{Host: "itsm.example", Code: code, Cause: cause, Since: time.Now(), Next: time.Now().Add(time.Second)}
	}
}

func letters(rungs []Rung) string {
	var b strings.Builder
	for i, r := range rungs {
		if r.Step != Steps()[i] {
			return fmt.Sprintf("%s in place of %s", r.Step, Steps()[i])
		}
		b.WriteString(string(r.Result[:1]))
	}
	return b.String()
}

// TestUnregistered: of an id that is not registered it is known who tried to log in as it.
func TestUnregistered(t *testing.T) {
	w := newWorld(t, endpoint.StateNever, "")
	if _, err := w.service.Endpoint(t.Context(), "pc-2"); !errors.Is(err, endpoint.ErrUnknown) {
		t.Errorf("of an id that nobody used: %v", err)
	}
	w.memory.Failed(failure("mechanism_not_offered", home).as("pc-2", false))
	d, err := w.service.Endpoint(t.Context(), "pc-2")
	if err != nil || d.Code != "unknown_endpoint" || !strings.Contains(d.Summary, home) {
		t.Errorf("diagnosis = %+v, %v", d, err)
	}
}

// TestCatalogue holds every row against its form.
func TestCatalogue(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range append(Codes(), PushCodes()...) {
		if seen[c.Name] || c.Name == "" || strings.ToLower(c.Name) != c.Name || strings.Contains(c.Name, " ") {
			t.Errorf("code %q: want a name of its own in lower case", c.Name)
		}
		seen[c.Name] = true
		if c.Step != "" && c.Step.height() < 0 {
			t.Errorf("%s: there is no step %q", c.Name, c.Step)
		}
		if c.Seen == "" || strings.HasSuffix(c.Seen, ".") {
			t.Errorf("%s: seen is %q", c.Name, c.Seen)
		}
		for _, text := range []string{c.Summary, c.Action} {
			if !strings.HasSuffix(text, ".") || strings.Contains(text, ". ") {
				t.Errorf("%s: %q is not one sentence", c.Name, text)
			}
		}
	}
}

// TestTimelineTellsThePast: what kept an endpoint out is told as it was then, whatever became of it.
func TestTimelineTellsThePast(t *testing.T) {
	w := newWorld(t, endpoint.StateOnline, "")
	w.memory.Failed(failure("unknown_endpoint", home).as("pc-1", false))
	w.memory.Failed(failure("endpoint_disabled", home).as("pc-1", true))
	p, err := w.service.Timeline(t.Context(), "pc-1", "", 10)
	if err != nil || len(p.Entries) != 2 {
		t.Fatalf("timeline = %+v, %v", p, err)
	}
	for i, want := range []string{"pc-1 tried to log in from " + home + " and was disabled then, at ", "pc-1 tried to log in from " + home + " and was not registered then, at "} {
		if got := p.Entries[i].Summary; !strings.HasPrefix(got, want) {
			t.Errorf("entry %d: %s, want %s...", i, got, want)
		}
	}
}
