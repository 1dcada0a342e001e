-- +goose Up

CREATE TABLE turn_session (
    id       INTEGER PRIMARY KEY,
    domain   TEXT    NOT NULL,
    spec     TEXT    NOT NULL, -- JSON object: what it was opened for, and by whom
    created  INTEGER NOT NULL,
    expires  INTEGER NOT NULL,
    ended    INTEGER NOT NULL, -- when that was noted; 0: it is open
    reason   TEXT    NOT NULL, -- of the end
    counters TEXT    NOT NULL, -- JSON object: what it has moved
    counted  INTEGER NOT NULL  -- when that was taken; 0: never
);
CREATE INDEX turn_session_open ON turn_session (id) WHERE ended = 0;
CREATE INDEX turn_session_ended ON turn_session (ended) WHERE ended > 0;
