-- +goose Up

-- Who did what to whom. Each row holds the hash of the one before; the columns are what internal/audit hashes.
CREATE TABLE audit (
    seq     INTEGER PRIMARY KEY, -- without a gap
    at      INTEGER NOT NULL,
    domain  TEXT    NOT NULL,    -- empty: the server as a whole
    actor   TEXT    NOT NULL,
    action  TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    detail  TEXT    NOT NULL,    -- JSON object
    prev    BLOB    NOT NULL,    -- hash of the row before; zeroes for the first of all
    hash    BLOB    NOT NULL
);
CREATE INDEX audit_actor ON audit (actor, seq);
CREATE INDEX audit_action ON audit (action, seq);
CREATE INDEX audit_subject ON audit (subject, seq);

-- Signatures that vouch for a row and all before. That of the last row which was deleted as old stays.
CREATE TABLE audit_head (
    seq       INTEGER PRIMARY KEY,
    hash      BLOB    NOT NULL,
    at        INTEGER NOT NULL,
    key       TEXT    NOT NULL, -- the public key
    signature BLOB    NOT NULL
);
