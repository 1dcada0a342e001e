-- Times are microseconds since 1970 in UTC, 0 where there is none. Numbers of states, levels and priorities stand in codes.go.

-- +goose Up

-- The last numbers given out; probes is written to find out whether the disk takes writes again.
CREATE TABLE meta (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    last_push  INTEGER NOT NULL,
    last_event INTEGER NOT NULL,
    probes     INTEGER NOT NULL
);
INSERT INTO meta (one, last_push, last_event, probes) VALUES (1, 0, 0, 0);

-- num stands for (domain, id) in every other table, which keeps their indexes small.
CREATE TABLE endpoint (
    num     INTEGER PRIMARY KEY,
    domain  TEXT    NOT NULL,
    id      TEXT    NOT NULL,
    enabled INTEGER NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    labels  TEXT    NOT NULL, -- JSON object
    groups  TEXT    NOT NULL, -- JSON array
    secret  TEXT    NOT NULL, -- JSON object
    UNIQUE (domain, id)
);

-- No row: never online.
CREATE TABLE presence (
    ep          INTEGER PRIMARY KEY,
    state       TEXT    NOT NULL,
    since       INTEGER NOT NULL,
    last_heard  INTEGER NOT NULL,
    reason      TEXT    NOT NULL,
    resource    TEXT    NOT NULL,
    remote_addr TEXT    NOT NULL,
    via         TEXT    NOT NULL,
    tls_version TEXT    NOT NULL
);
CREATE INDEX presence_online ON presence (ep) WHERE state = 'online';

-- place is the push's place in its endpoint's queue: 0 to 2 while it waits (its priority), 3 on the way or waiting for a result, 4 once it is final. The one index
-- by endpoint serves queue and history, because every further one would write another page per push. size is that of the kept payload; ended is the time of the
-- last change of a final push.
CREATE TABLE push (
    id       INTEGER PRIMARY KEY,
    ep       INTEGER NOT NULL,
    state    INTEGER NOT NULL,
    place    INTEGER NOT NULL,
    ack      INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    binary   INTEGER NOT NULL,
    size     INTEGER NOT NULL,
    created  INTEGER NOT NULL,
    expires  INTEGER NOT NULL,
    ended    INTEGER NOT NULL,
    type     TEXT    NOT NULL,
    history  BLOB    NOT NULL, -- see history.go
    result   TEXT              -- JSON
);
CREATE INDEX push_queue  ON push (ep, place, id, size);
CREATE INDEX push_expiry ON push (expires) WHERE place < 4;
CREATE INDEX push_state  ON push (state); -- for lists; in a state the pushes lie in the order of their ids, so that all that change together share pages

-- The payload, until the push is final.
CREATE TABLE push_body (
    id   INTEGER PRIMARY KEY,
    body BLOB NOT NULL
);

-- Idempotency keys. The push's id is the key because it grows with time: old rows are found without another index.
CREATE TABLE idem (
    push    INTEGER PRIMARY KEY,
    hash    INTEGER NOT NULL, -- of token and key, because an index of numbers is a third of the size
    token   TEXT    NOT NULL,
    key     BLOB    NOT NULL,
    body    BLOB    NOT NULL,
    created INTEGER NOT NULL
);
CREATE INDEX idem_hash ON idem (hash);

CREATE TABLE token (
    id      TEXT PRIMARY KEY,
    name    TEXT    NOT NULL UNIQUE,
    hash    BLOB    NOT NULL UNIQUE,
    scopes  TEXT    NOT NULL, -- JSON array
    created INTEGER NOT NULL
) WITHOUT ROWID;

-- One row per change of a push or a presence, written with the change.
CREATE TABLE outbox (
    seq     INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    kind    TEXT    NOT NULL, -- push.delivered, presence.online, ...
    domain  TEXT    NOT NULL,
    subject TEXT    NOT NULL, -- id of the endpoint
    data    TEXT    NOT NULL  -- JSON object
);
