package store

import (
	"errors"
	"time"
)

// Config bounds the store and says how long it keeps what is over.
type Config struct {
	Queue                int           `key:"queue" doc:"Writes that may wait for the disk before new ones are refused with 503; 64 to 1000000."`
	Marks                int           `key:"marks" doc:"Changes of state that nobody waits for and that may be queued, before more are dropped and counted; 64 to 10000000."`
	Batch                int           `key:"batch" doc:"Writes that share one transaction at most; 1 to 10000."`
	Retention            time.Duration `key:"retention" doc:"How long finished pushes can be read; 1h or longer."`
	IdempotencyRetention time.Duration `key:"idempotency_retention" doc:"How long an Idempotency-Key is remembered; 24h or longer."`
	OutboxRetention      time.Duration `key:"outbox_retention" doc:"How long events are kept for their readers; 1h or longer."`
	OutboxUnread         time.Duration `key:"outbox_unread" doc:"How long events are kept at most that a webhook has not taken yet; then they are deleted and counted as lost. At least outbox_retention."`
	ArchiveRetention     time.Duration `key:"archive_retention" doc:"How long messages stay in the archives of accounts (XEP-0313); 1h or longer."`
	AuditRetention       time.Duration `key:"audit_retention" doc:"How long the audit trail and the records of remote sessions are kept; 24h or longer."`
}

// Default returns the configuration of one machine.
func Default() Config {
	return Config{
		Queue:                8192,
		Marks:                65536,
		Batch:                1024,
		Retention:            7 * 24 * time.Hour,
		IdempotencyRetention: 48 * time.Hour,
		OutboxRetention:      72 * time.Hour,
		OutboxUnread:         7 * 24 * time.Hour,
		ArchiveRetention:     30 * 24 * time.Hour,
		AuditRetention:       400 * 24 * time.Hour,
	}
}

// Validate returns all mistakes, each beginning with its key.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, mistake string) {
		if !ok {
			errs = append(errs, errors.New(mistake))
		}
	}
	check(c.Queue >= 64 && c.Queue <= 1_000_000, "queue: must be 64 to 1000000")
	check(c.Marks >= 64 && c.Marks <= 10_000_000, "marks: must be 64 to 10000000")
	check(c.Batch >= 1 && c.Batch <= 10_000, "batch: must be 1 to 10000")
	check(c.Retention >= time.Hour, "retention: must be at least 1h")
	check(c.IdempotencyRetention >= 24*time.Hour, "idempotency_retention: must be at least 24h, which the API promises")
	check(c.OutboxRetention >= time.Hour, "outbox_retention: must be at least 1h")
	check(c.OutboxUnread >= c.OutboxRetention, "outbox_unread: must be at least outbox_retention")
	check(c.ArchiveRetention >= time.Hour, "archive_retention: must be at least 1h")
	check(c.AuditRetention >= 24*time.Hour, "audit_retention: must be at least 24h")
	return errors.Join(errs...)
}
