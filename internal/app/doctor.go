package app

import (
	"context"
	"maps"
	"os"
	"slices"
	"syscall"
	"time"

	"signalbox/internal/api"
	"signalbox/internal/diagnosis"
	"signalbox/internal/doctor"
	"signalbox/internal/endpoint"
)

// selfDoctor answers /v1/doctor. One examination runs at a time.
type selfDoctor struct {
	app     *App
	started time.Time
	turn    chan struct{} // one element while an examination runs
}

func (a *App) buildDoctor() *selfDoctor {
	return &selfDoctor{app: a, started: time.Now(), turn: make(chan struct{}, 1)}
}

// Examine implements api.Doctor.
func (d *selfDoctor) Examine(ctx context.Context) ([]api.DoctorCheck, error) {
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	a := d.app
	in := doctor.Installation{File: "configuration", Config: a.cfg, Running: a.Addrs()}
	found := doctor.ExamineRunning(ctx, in, d.running(ctx))
	checks := make([]api.DoctorCheck, len(found))
	for i, c := range found {
		checks[i] = api.DoctorCheck{Step: string(c.Step), Check: c.Check, OK: c.OK, Warning: c.Warning, Detail: c.Detail, Action: c.Action}
	}
	return checks, ctx.Err()
}

// running collects what this server knows of itself.
func (d *selfDoctor) running(ctx context.Context) doctor.Running {
	a := d.app
	server := whyServer{a}
	r := doctor.Running{
		Now: time.Now(), Started: d.started, Unsynced: doctor.Unsynced(), Closed: server.Closed(), Bundles: a.certs.Report(), Unwritable: server.Unwritable(ctx),
		Restless: d.restless(ctx),
	}
	addrs := a.Addrs()
	for _, name := range slices.Sorted(maps.Keys(addrs)) {
		for _, addr := range addrs[name] {
			r.Listeners = append(r.Listeners, name+" "+addr)
		}
	}
	r.FilesOpen, r.FilesMost = files()
	if r.TURN = a.turn != nil; r.TURN {
		if err := a.turn.Away(); err != nil {
			r.TURNAway = err.Error()
		}
	}
	for _, c := range a.attempts.memory.LastHour() {
		r.Refused = append(r.Refused, doctor.Refused{
			Code: c.Code, Throttled: c.Limit(), N: c.N, At: c.At, From: c.From.String(), Seen: c.Seen(), Action: "see signalbox endpoint diagnose of the endpoint that is there",
		})
	}
	if m, ok := a.why.Management(ctx, endpoint.Key{}); ok {
		switch f := diagnosis.Tell(m); f.Code {
		case "":
		case "event_backlog":
			r.Backlog, r.Waited = m.Waiting, time.Since(m.Oldest)
		case "events_set_aside":
			r.Aside = m.Aside
		default:
			r.Untold = doctor.Refused{Summary: f.Summary, Action: f.Action}
		}
	}
	return r
}

// restless returns what is said of endpoints that flap, or as which two programs log in.
func (d *selfDoctor) restless(ctx context.Context) (all []doctor.Restless) {
	ids := d.app.attempts.memory.Quarrels()
	for _, k := range d.app.endpoint.Restless() {
		ids = append(ids, k.ID)
	}
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		r := doctor.Restless{ID: id}
		if len(all) < doctor.MostNamed {
			found, err := d.app.why.Endpoint(ctx, id)
			if err != nil {
				continue // it was deleted meanwhile
			}
			r.Code = found.Code
		}
		all = append(all, r)
	}
	return all
}

// files returns how many file descriptors are in use and how many may be, 0 for what is not known.
func files() (open, most int) {
	if f, err := os.Open("/proc/self/fd"); err == nil {
		names, _ := f.Readdirnames(-1)
		_ = f.Close() // it was only read
		open = len(names)
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err == nil {
		most = int(min(limit.Cur, 1<<40))
	}
	return open, most
}
