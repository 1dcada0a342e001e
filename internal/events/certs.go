package events

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/telemetry"
)

const (
	certLook   = time.Hour           // how often the days that are left are counted
	certMemory = 90 * 24 * time.Hour // how long past its end it is remembered what was told of a certificate
	noticeTime = 10 * time.Second    // how long writing an event may take
	day        = 24 * time.Hour
)

// certDays are the days before the end of a certificate at which it is told of, the last first.
var certDays = [...]int{1, 7, 14, 30}

// Certificate is what is told of a certificate that serves.
type Certificate struct {
	File     string    `json:"file"` // name of its file, of which there is one
	Names    []string  `json:"names"`
	SHA256   string    `json:"sha256"` // thumbprint of the leaf
	NotAfter time.Time `json:"not_after"`
}

// Certificates are those that serve. The methods may be called concurrently.
type Certificates interface {
	Certificates() []Certificate
	// Changed returns a channel that is closed at the next change.
	Changed() <-chan struct{}
}

// adder is what writers of events need of the Store.
type adder interface {
	AddEvent(ctx context.Context, n Notice) (bool, error)
}

// CertWatch tells of certificates that are about to expire, once for each number of days and each certificate, also over restarts, and of those that change.
type CertWatch struct {
	certs Certificates
	store adder
	log   *zap.Logger
	known map[string]Certificate // by file
}

// NewCertWatch starts nothing: call Run.
func NewCertWatch(c Certificates, store Store, log *zap.Logger) *CertWatch {
	return &CertWatch{certs: c, store: store, log: log.Named("events")}
}

// Run tells until ctx is done. It is called once.
func (w *CertWatch) Run(ctx context.Context) error {
	hourly := time.NewTicker(certLook)
	defer hourly.Stop()
	for {
		changed := w.certs.Changed() // before the look, so that nothing is missed
		w.look(ctx, time.Now())
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-hourly.C:
		}
	}
}

// look tells what is new at a moment. What serves at the start is no change.
func (w *CertWatch) look(ctx context.Context, now time.Time) {
	first, before := w.known == nil, w.known
	w.known = map[string]Certificate{}
	for _, c := range w.certs.Certificates() {
		w.known[c.File] = c
		if old, had := before[c.File]; !first && (!had || old.SHA256 != c.SHA256) {
			w.changed(ctx, c, old)
		}
		w.expiring(ctx, c, now)
	}
	for file, old := range before {
		if _, there := w.known[file]; !there {
			w.write(ctx, Notice{Type: CertChanged}, certChange{Certificate: old, Gone: true})
		}
	}
}

// certChange is the Data of cert.changed.
type certChange struct {
	Certificate
	Before *Certificate `json:"before,omitempty"` // nil: there was none in that file
	Gone   bool         `json:"gone,omitempty"`   // it serves no more, and no other is in its place
}

func (w *CertWatch) changed(ctx context.Context, c, old Certificate) {
	change := certChange{Certificate: c}
	if old.File != "" {
		change.Before = &old
	}
	w.write(ctx, Notice{Type: CertChanged}, change)
}

// certExpiry is the Data of cert.expiring.
type certExpiry struct {
	Certificate
	Days int `json:"days"` // whole days that are left; negative: it has expired
}

// expiring tells of a certificate whose end is near: of the nearest number of days alone, where several were passed since the last look.
func (w *CertWatch) expiring(ctx context.Context, c Certificate, now time.Time) {
	left := c.NotAfter.Sub(now)
	for _, days := range certDays {
		if left > time.Duration(days)*day {
			continue
		}
		until := c.NotAfter
		if now.After(until) {
			until = now
		}
		whole := int(left / day)
		if left < 0 {
			whole--
		}
		n := Notice{Type: CertExpiring, Once: fmt.Sprintf("cert.expiring/%s/%d", c.SHA256, days), Until: until.Add(certMemory)}
		w.write(ctx, n, certExpiry{c, whole})
		return
	}
}

func (w *CertWatch) write(ctx context.Context, n Notice, data any) {
	tell(ctx, w.store, w.log, n, data)
}

// tell writes an event that belongs to nothing that can be undone: where that is not possible the log has it.
func tell(ctx context.Context, store adder, log *zap.Logger, n Notice, data any) {
	ctx, cancel := context.WithTimeout(ctx, noticeTime)
	defer cancel()
	var err error
	if n.Data, err = Encode(data); err == nil {
		_, err = store.AddEvent(ctx, n)
	}
	if err != nil {
		log.Warn("an event of the server was not written", telemetry.Reason(string(n.Type)), telemetry.Cause(err))
	}
}
