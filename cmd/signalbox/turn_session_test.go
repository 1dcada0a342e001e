package main

import (
	"encoding/json"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"signalbox/internal/client"
)

func TestTURNSessionText(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	end := at.Add(time.Minute)
	s := client.TURNSession{
		ID: "trn_0sa4jhbsg0000", State: "ended", Reason: "expired", OpenedBy: "management", Technician: "ann", Endpoints: &client.TURNParties{B: "pc-1"},
		AllowPeers: []string{"192.0.2.7", "198.51.100.0/24"}, CreatedAt: at, ExpiresAt: end, EndedAt: &end, CountedAt: &end,
		Counters: &client.TURNCounters{Allocations: 2, PacketsUp: 3, PacketsDown: 4, BytesUp: 500, BytesDown: 600, Drops: map[string]uint64{"rate": 7, "no_permission": 8}},
	}
	var one, list, grant strings.Builder
	if err := writeTURNSession(&one, s); err != nil {
		t.Fatal(err)
	}
	if err := writeTURNSessions(&list, []client.TURNSession{s, {ID: "trn_0sa4jhbsg0001", State: "open", OpenedBy: "management", CreatedAt: at}}); err != nil {
		t.Fatal(err)
	}
	side := client.TURNCredentials{URLs: []string{"turn:turn.example:3478?transport=udp"}, Username: "1:trn_0sa4jhbsg0000:a", Credential: "p", ExpiresAt: end}
	if err := writeTURNGrant(&grant, client.TURNGrant{ID: s.ID, ExpiresAt: end, Sides: client.TURNSides{A: side, B: side}}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ got, want string }{
		{one.String(), `id           trn_0sa4jhbsg0000
state        ended, expired
opened by    management
technician   ann
endpoints    -, pc-1
peers        192.0.2.7, 198.51.100.0/24
created      2026-01-02T03:04:05Z
ends         2026-01-02T03:05:05Z
ended        2026-01-02T03:05:05Z
allocations  2 made, 0 there
packets      3 up, 4 down
bytes        500 up, 600 down
drops        no_permission 8, rate 7
counted      2026-01-02T03:05:05Z
`},
		{list.String(), `ID                 STATE  OPENED BY   TECHNICIAN  SIDES    CREATED               ENDED                 BYTES
trn_0sa4jhbsg0000  ended  management  ann         -, pc-1  2026-01-02T03:04:05Z  2026-01-02T03:05:05Z  500 up, 600 down
trn_0sa4jhbsg0001  open   management  -           -        2026-01-02T03:04:05Z  -                     -
`},
		{grant.String(), `id      trn_0sa4jhbsg0000
ends    2026-01-02T03:05:05Z
side a  1:trn_0sa4jhbsg0000:a
        p
        until 2026-01-02T03:05:05Z
side b  1:trn_0sa4jhbsg0000:a
        p
        until 2026-01-02T03:05:05Z
server  turn:turn.example:3478?transport=udp
`},
	} {
		if tt.got != tt.want {
			t.Errorf("got\n%s\nwant\n%s", tt.got, tt.want)
		}
	}
}

// TestServerIsKilledWithTURNSessions: the commands open, show and end sessions of a server that runs, and what a killed server left open is said to have ended with it.
func TestServerIsKilledWithTURNSessions(t *testing.T) {
	in := install(t)
	if err := in.server.end(t, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	writeFile(t, in.path("signalbox.yaml"), strings.Replace(labConfig, "turn: []", `turn: ["127.0.0.1:0"]`, 1))
	in.serve(t)
	run := func(into any, args ...string) {
		t.Helper()
		if err := json.Unmarshal([]byte(must(t, in.env, "signalbox", slices.Concat([]string{"turn", "session"}, args, []string{"-o", "json"})...)), into); err != nil {
			t.Fatal(err)
		}
	}
	var left, over, renewed client.TURNGrant
	run(&left, "open", "--ttl", "1h", "--a", "pc-1", "--technician", "ann", "--allow-peer", "192.0.2.7,198.51.100.0/24")
	run(&over, "open")
	run(&renewed, "renew", left.ID)
	if renewed.ID != left.ID || renewed.Sides.A.Credential == "" || len(renewed.Sides.B.URLs) < 2 {
		t.Errorf("renewed = %+v", renewed)
	}
	var ended, shown client.TURNSession
	run(&ended, "end", over.ID)
	if ended.State != "ended" || ended.Reason != "requested" || ended.Counters == nil {
		t.Errorf("ended = %+v", ended)
	}
	var open []client.TURNSession
	if run(&open, "list", "--state", "open"); len(open) != 1 || open[0].ID != left.ID || open[0].Technician != "ann" || len(open[0].AllowPeers) != 2 {
		t.Errorf("open sessions = %+v", open)
	}
	in.server.end(t, syscall.SIGKILL)
	in.serve(t)
	if !eventually(func() bool { run(&shown, "show", left.ID); return shown.State == "ended" }) || shown.Reason != "server_restarted" {
		t.Errorf("a session that a killed server left open = %+v", shown)
	}
	if run(&shown, "show", over.ID); shown.Reason != "requested" {
		t.Errorf("a session that had ended before = %+v", shown)
	}
}
