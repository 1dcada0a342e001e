-- +goose Up

CREATE TABLE remote_session (
    id         INTEGER PRIMARY KEY,
    domain     TEXT    NOT NULL,
    endpoint   TEXT    NOT NULL, -- its id; it may have been deleted
    technician TEXT    NOT NULL, -- id
    state      TEXT    NOT NULL,
    ended      INTEGER NOT NULL, -- 0: it is open
    record     TEXT    NOT NULL  -- JSON object: all that is known of it
);
CREATE INDEX remote_session_open ON remote_session (id) WHERE ended = 0;
CREATE INDEX remote_session_ended ON remote_session (ended) WHERE ended > 0;
CREATE INDEX remote_session_endpoint ON remote_session (domain, endpoint, id);
CREATE INDEX remote_session_technician ON remote_session (domain, technician, id);
