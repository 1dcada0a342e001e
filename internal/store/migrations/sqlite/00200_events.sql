-- +goose Up

-- Number of the newest event that was deleted.
ALTER TABLE meta ADD COLUMN deleted_event INTEGER NOT NULL DEFAULT 0;
UPDATE meta SET deleted_event = coalesce((SELECT min(seq) - 1 FROM outbox), last_event);

-- Names of events that are written once, such as that a certificate is about to expire; kept until a time.
CREATE TABLE event_once (
    name  TEXT PRIMARY KEY,
    until INTEGER NOT NULL
) WITHOUT ROWID;

-- How far those have read who must not miss events: what they have not read is kept longer.
CREATE TABLE event_reader (
    name TEXT PRIMARY KEY,
    seq  INTEGER NOT NULL -- of the last event that was read
) WITHOUT ROWID;

-- Events of the server itself have no endpoint: ep is 0.
DROP VIEW event;
CREATE VIEW event AS
    SELECT o.seq, o.at, o.kind, coalesce(e.domain, g.domain, '') AS domain, coalesce(e.id, g.id, '') AS subject, o.push, o.data
    FROM outbox o LEFT JOIN endpoint e ON e.num = o.ep LEFT JOIN gone g ON g.num = o.ep;
