package audit

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"signalbox/internal/telemetry"
)

// How much of what strangers cause is written, and when heads are signed.
const (
	PerMinute    = 20        // entries of one action
	HeadInterval = time.Hour // between signed heads, as long as there are new entries

	queued    = 256 // entries of strangers that wait for the disk
	tick      = time.Minute
	lastWrite = 10 * time.Second // for what is left at the end
)

// Store keeps the trail. All methods may be called concurrently.
type Store interface {
	// AppendAudit chains an entry to the newest and returns when it is durable. Acts that change something are chained by the store with that change, in one transaction.
	AppendAudit(ctx context.Context, e Entry) error
	// AuditEntries returns entries, the newest first.
	AuditEntries(ctx context.Context, q Query) ([]Entry, error)
	// AuditEnd returns where the chain stands, and the newest signed head; zero values where there is none.
	AuditEnd(ctx context.Context) (Link, Head, error)
	// AddAuditHead keeps a signed head.
	AddAuditHead(ctx context.Context, h Head) error
}

// Query selects entries. Empty fields select all.
type Query struct {
	Domain  string // with those of the server as a whole
	Actor   string
	Action  string // its name, or its beginning with the dot, such as "session."
	Subject string
	From    time.Time // at or after it
	Until   time.Time // before it
	Before  int64     // number: those before it; 0: from the newest
	Limit   int
}

// Log takes what is to be audited and signs the heads of the chain. All methods may be called concurrently.
type Log struct {
	store Store
	key   Signer
	name  string // of key
	log   *zap.Logger

	left    *prometheus.CounterVec
	damaged prometheus.Counter
	queue   chan Entry // of strangers
	signed  Head       // the newest that Run has seen

	mu      sync.Mutex
	minutes map[string]*minute // by action
}

// minute is what was written of one action in the minute that runs.
type minute struct {
	began   time.Time
	written int
	left    int // that were only counted
}

// New returns a log that has started nothing. key signs heads; name is the text of its public part.
func New(store Store, key Signer, name string, log *zap.Logger, reg prometheus.Registerer) *Log {
	l := &Log{
		store: store, key: key, name: name, log: log.Named("audit"), queue: make(chan Entry, queued), minutes: map[string]*minute{},
		left: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "signalbox_audit_summarized_entries_total", Help: "Acts of strangers that the audit trail holds as a number only, by action.",
		}, []string{"action"}),
		damaged: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "signalbox_audit_damages_total", Help: "How often the server noticed that entries of the audit trail which it had signed were cut off or changed.",
		}),
	}
	l.left.WithLabelValues(SessionRefused) // so that a rate is right from the first
	reg.MustRegister(l.left, l.damaged)
	return l
}

// Record writes an entry that goes with no change of state of its own. It returns when it is durable, or why it is not. What strangers can cause (actions that end in "refused") it
// takes without waiting, up to PerMinute of each action, and the rest of a minute as one entry that says how many there were.
func (l *Log) Record(ctx context.Context, e Entry) error {
	if _, err := (Link{}).Next(e, time.Now()); err != nil {
		return err
	}
	if !strangers(e.Action) {
		return l.store.AppendAudit(ctx, e)
	}
	if e.At.IsZero() {
		e.At = time.Now()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.minuteLocked(e.Action, e.At)
	if m.written < PerMinute {
		select {
		case l.queue <- e:
			m.written++
			return nil
		default: // the disk is slow
		}
	}
	m.left++
	l.left.WithLabelValues(e.Action).Inc()
	return nil
}

// minuteLocked returns the minute of an action that runs now. One that is over and has something to tell stays until it is told, so its action is counted in it for up to a tick more.
func (l *Log) minuteLocked(action string, now time.Time) *minute {
	m := l.minutes[action]
	if m == nil || m.left == 0 && now.Sub(m.began) >= time.Minute {
		m = &minute{began: now}
		l.minutes[action] = m
	}
	return m
}

// Entries returns entries, the newest first.
func (l *Log) Entries(ctx context.Context, q Query) ([]Entry, error) {
	return l.store.AuditEntries(ctx, q)
}

// Run writes what strangers cause and signs heads, at the start, every HeadInterval and at its end, until ctx is done.
func (l *Log) Run(ctx context.Context) error {
	l.sign(ctx)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for signed := time.Now(); ; {
		select {
		case <-ctx.Done():
			l.finish(ctx)
			return nil
		case e := <-l.queue:
			l.append(ctx, e)
		case now := <-ticker.C:
			l.summarize(ctx, now.Add(-time.Minute))
			if now.Sub(signed) >= HeadInterval {
				l.sign(ctx)
				signed = now
			}
		}
	}
}

// finish writes all that is left.
func (l *Log) finish(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWrite)
	defer cancel()
	for len(l.queue) > 0 {
		l.append(ctx, <-l.queue)
	}
	l.summarize(ctx, time.Now())
	l.sign(ctx)
}

// append writes an entry; one that cannot be written is counted as one of those that were left out.
func (l *Log) append(ctx context.Context, e Entry) {
	err := l.store.AppendAudit(ctx, e)
	if err == nil {
		return
	}
	l.log.Warn("an entry of the audit trail is not written, only counted", telemetry.Detail(e.Action), telemetry.Cause(err))
	l.left.WithLabelValues(e.Action).Inc()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.minuteLocked(e.Action, e.At).left++
}

// summary is the detail of an entry that stands for many.
type summary struct {
	More  int       `json:"more"`  // acts of this kind that have no entry of their own
	Since time.Time `json:"since"` // the first of their minute
}

// summarize writes what was left out in minutes that began before a time, and forgets minutes that are over.
func (l *Log) summarize(ctx context.Context, before time.Time) {
	over := map[string]*minute{}
	l.mu.Lock()
	for action, m := range l.minutes {
		if !m.began.After(before) {
			over[action] = m
			delete(l.minutes, action)
		}
	}
	l.mu.Unlock()
	for action, m := range over {
		if m.left == 0 {
			continue
		}
		detail, err := json.Marshal(summary{m.left, m.began.UTC()})
		if err == nil {
			err = l.store.AppendAudit(ctx, Entry{Actor: Server, Action: action, Detail: detail})
		}
		if err != nil {
			l.log.Warn("the audit trail does not say yet how much was left out", telemetry.Detail(action), telemetry.Count(m.left), telemetry.Cause(err))
			l.keep(action, m) // now it counts others' acts again
		}
	}
}

// keep puts a minute back that could not be told.
func (l *Log) keep(action string, m *minute) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.minutes[action]; now != nil {
		m.left += now.left
		m.written = now.written
	}
	l.minutes[action] = m
}

// sign signs the newest entry, unless that has been done, and looks whether what was signed before is still there.
func (l *Log) sign(ctx context.Context) {
	err := l.look(ctx)
	if err == nil {
		var head Head
		if head, err = SignEnd(ctx, l.store, l.key, l.name); err == nil {
			l.signed = head
		}
	}
	if err != nil {
		l.log.Warn("the audit trail was not signed; the next time is in an hour", telemetry.Cause(err))
	}
}

// look finds out whether somebody has cut off or changed what was signed last, and says so in the trail: after that, other entries would take the numbers of the old ones.
func (l *Log) look(ctx context.Context) error {
	end, newest, err := l.store.AuditEnd(ctx)
	if err != nil || end.Seq >= l.signed.Seq && newest.Seq >= l.signed.Seq && (newest.Seq > l.signed.Seq || newest.Link == l.signed.Link) {
		return err
	}
	l.damaged.Inc()
	l.log.Error("the audit trail is not what this server has signed: somebody cut off entries or changed them", telemetry.Detail(l.signed.Hash.String()), telemetry.Count(int(l.signed.Seq)))
	detail, err := json.Marshal(Damage{l.signed.Seq, l.signed.Hash})
	if err != nil {
		return err
	}
	return l.store.AppendAudit(ctx, Entry{Actor: Server, Action: Damaged, Detail: detail})
}

// SignEnd signs the newest entry of a trail, unless that has been done, and returns its head; the zero Head where there is no entry.
func SignEnd(ctx context.Context, store Store, key Signer, name string) (Head, error) {
	end, newest, err := store.AuditEnd(ctx)
	if err != nil || end.Seq == 0 || newest.Link == end && newest.Key == name {
		return newest, err
	}
	h := Sign(key, name, end, time.Now())
	return h, store.AddAuditHead(ctx, h)
}
