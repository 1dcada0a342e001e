-- +goose Up

-- Tokens by which endpoints enrol. spec says which endpoints, with which labels and groups, and who made it.
CREATE TABLE enrolment (
    id       TEXT PRIMARY KEY,
    domain   TEXT    NOT NULL,
    hash     BLOB    NOT NULL UNIQUE, -- SHA-256 of the token
    spec     TEXT    NOT NULL,        -- JSON object
    created  INTEGER NOT NULL,
    expires  INTEGER NOT NULL,
    used     INTEGER NOT NULL,        -- endpoints that were enrolled
    last_use INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX enrolment_expires ON enrolment (expires);

-- The public key of the server that serves this state. Another key than this one is a lost file, and not a first start.
CREATE TABLE identity (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    public TEXT    NOT NULL
);
