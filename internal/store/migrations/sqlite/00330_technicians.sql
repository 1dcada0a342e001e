-- +goose Up

CREATE TABLE technician (
    id       TEXT    PRIMARY KEY,
    domain   TEXT    NOT NULL,
    name     TEXT    NOT NULL,
    display  TEXT    NOT NULL,
    roles    TEXT    NOT NULL, -- JSON array of names
    enabled  INTEGER NOT NULL,
    password TEXT    NOT NULL, -- what is kept of it; empty: there is none
    created  INTEGER NOT NULL,
    updated  INTEGER NOT NULL,
    UNIQUE (domain, name)
) WITHOUT ROWID;

-- Those that are built in have no row.
CREATE TABLE technician_role (
    domain  TEXT    NOT NULL,
    name    TEXT    NOT NULL,
    rights  TEXT    NOT NULL, -- JSON object
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (domain, name)
) WITHOUT ROWID;

CREATE TABLE technician_signin (
    hash       BLOB    PRIMARY KEY, -- SHA-256 of the cookie
    technician TEXT    NOT NULL,
    method     TEXT    NOT NULL,
    remote     TEXT    NOT NULL,
    created    INTEGER NOT NULL,
    seen       INTEGER NOT NULL,
    expires    INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX technician_signin_of ON technician_signin (technician, created);
CREATE INDEX technician_signin_expiry ON technician_signin (expires);

CREATE TABLE technician_link (
    hash       BLOB    PRIMARY KEY, -- SHA-256 of what the link holds
    technician TEXT    NOT NULL,
    domain     TEXT    NOT NULL,
    expires    INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX technician_link_of ON technician_link (technician);
CREATE INDEX technician_link_expiry ON technician_link (expires);
