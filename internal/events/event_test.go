package events

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestIDsSortLikeNumbers(t *testing.T) {
	numbers := []int64{1, 31, 32, 33, 1 << 20, 1<<62 - 1}
	for i, n := range numbers {
		id := Event{Seq: n}.ID()
		if len(id) != 17 || !strings.HasPrefix(id, "evt_") {
			t.Errorf("id of %d = %q", n, id)
		}
		if i > 0 && id <= (Event{Seq: numbers[i-1]}).ID() {
			t.Errorf("id of %d sorts before that of %d", n, numbers[i-1])
		}
	}
}

func TestFilter(t *testing.T) {
	push := Event{Type: PushFailed, Domain: "a", Endpoint: "pc-1", Push: "psh_1", Fanout: "psh_0"}
	server := Event{Type: CertExpiring}
	for _, tc := range []struct {
		name         string
		f            Filter
		push, server bool
	}{
		{"all", Filter{}, true, true},
		{"domain", Filter{Domain: "a"}, true, true},
		{"other domain", Filter{Domain: "b"}, false, true},
		{"type", Filter{Types: []string{"push.failed"}}, true, false},
		{"subject", Filter{Types: []string{"cert.*", "server.*"}}, false, true},
		{"endpoint", Filter{Endpoints: []string{"pc-2", "pc-1"}}, true, false},
		{"other endpoint", Filter{Endpoints: []string{"pc-2"}}, false, false},
		{"push", Filter{Push: "psh_1"}, true, false},
		{"fan-out", Filter{Push: "psh_0"}, true, false},
		{"other push", Filter{Push: "psh_2"}, false, false},
		{"type and endpoint", Filter{Types: []string{"push.sent"}, Endpoints: []string{"pc-1"}}, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.f.Selects(&push); got != tc.push {
				t.Errorf("of a push: %v, want %v", got, tc.push)
			}
			if got := tc.f.Selects(&server); got != tc.server {
				t.Errorf("of the server: %v, want %v", got, tc.server)
			}
			for _, quiet := range []Type{EndpointDetached, EndpointResumed, EndpointNever} {
				if tc.f.Selects(&Event{Type: quiet, Domain: "a", Endpoint: "pc-1"}) {
					t.Errorf("%s is selected", quiet)
				}
			}
		})
	}
}

func TestCheckTypes(t *testing.T) {
	for _, tc := range []struct {
		types string
		ok    bool
	}{
		{"push.failed endpoint.*", true}, {"cert.*", true}, {"push", false}, {"*", false}, {".*", false}, {"push.", false}, {"push.*.*", false},
		{"endpoint.detached", false}, {"Push.failed", false}, {strings.Repeat("push.* ", 64) + "push.*", false},
	} {
		if err := CheckTypes(strings.Fields(tc.types)); (err == nil) != tc.ok {
			t.Errorf("CheckTypes(%.40q) = %v", tc.types, err)
		}
	}
}

func FuzzTypes(f *testing.F) {
	f.Add("push.*")
	f.Add("cert.expiring")
	f.Fuzz(func(t *testing.T, pattern string) {
		fits := slices.ContainsFunc(Types(), func(ty Type) bool { return (&Filter{Types: []string{pattern}}).Selects(&Event{Type: ty}) })
		if err := CheckTypes([]string{pattern}); (err == nil) != fits {
			t.Errorf("%q: CheckTypes = %v, but some type is selected: %v", pattern, err, fits)
		}
	})
}

func TestPushDataKeepsResults(t *testing.T) {
	got, err := Encode(PushData{ID: "psh_1", To: "pc-1", State: "handled", Result: json.RawMessage(`{"a": "<&>"}`)})
	if want := `{"id":"psh_1","to":"pc-1","state":"handled","result":{"a":"<&>"}}`; err != nil || string(got) != want {
		t.Errorf("Encode = %s, %v, want %s", got, err, want)
	}
}

func TestConfig(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
	for _, c := range []Config{{}, {Followers: 1001, Heartbeat: 2 * time.Minute}} {
		err := c.Validate()
		if err == nil || !strings.Contains(err.Error(), "followers: ") || !strings.Contains(err.Error(), "heartbeat: ") {
			t.Errorf("Validate of %+v = %v", c, err)
		}
	}
}
