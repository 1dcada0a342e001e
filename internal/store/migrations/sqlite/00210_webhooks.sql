-- +goose Up

-- Receivers of events. What they ask for and how far they are change apart from each other. The keys stand here as they are: they sign.
CREATE TABLE webhook (
    id         TEXT PRIMARY KEY,
    enabled    INTEGER NOT NULL,
    cursor     INTEGER NOT NULL, -- events up to this number are done
    definition TEXT    NOT NULL, -- JSON object
    state      TEXT    NOT NULL  -- JSON object
) WITHOUT ROWID;

-- The log of attempts; the newest of each receiver and result are kept.
CREATE TABLE webhook_delivery (
    num      INTEGER PRIMARY KEY,
    webhook  TEXT    NOT NULL,
    failed   INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    seq      INTEGER NOT NULL, -- 0: not in the outbox
    event    TEXT    NOT NULL,
    type     TEXT    NOT NULL,
    endpoint TEXT    NOT NULL,
    attempt  INTEGER NOT NULL,
    status   INTEGER NOT NULL,
    took     INTEGER NOT NULL, -- microseconds
    next     INTEGER NOT NULL,
    fault    TEXT              -- JSON object; NULL: it was taken
);
CREATE INDEX webhook_delivery_log ON webhook_delivery (webhook, failed, num);

-- Events that their receiver refuses while it takes others, and those of the same endpoints behind them. The cursor has passed them.
CREATE TABLE webhook_aside (
    webhook  TEXT    NOT NULL,
    seq      INTEGER NOT NULL,
    endpoint TEXT    NOT NULL,
    tries    INTEGER NOT NULL,
    since    INTEGER NOT NULL,
    next     INTEGER NOT NULL,
    given_up INTEGER NOT NULL,
    PRIMARY KEY (webhook, seq)
) WITHOUT ROWID;
