-- +goose Up

-- One push for many endpoints. Its targets are rows of push; their payload is one row of push_body under the id of the fan-out.
CREATE TABLE fanout (
    id       INTEGER PRIMARY KEY,
    domain   TEXT    NOT NULL,
    type     TEXT    NOT NULL,
    binary   INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    ack      INTEGER NOT NULL,
    created  INTEGER NOT NULL,
    expires  INTEGER NOT NULL,
    targets  INTEGER NOT NULL, -- that were asked for
    stored   INTEGER NOT NULL, -- of them, the first so many
    refused  INTEGER NOT NULL, -- of the stored ones
    open     INTEGER NOT NULL  -- of the stored ones that are not final: with the last of them the payload goes
);

ALTER TABLE push ADD COLUMN fanout INTEGER; -- NULL: none
CREATE INDEX push_fanout ON push (fanout, id) WHERE fanout IS NOT NULL;

-- Targets that never became pushes; their ids are of the same sequence.
CREATE TABLE refused (
    id      INTEGER PRIMARY KEY,
    fanout  INTEGER NOT NULL,
    subject TEXT    NOT NULL, -- id of the endpoint, which may not exist
    reason  TEXT    NOT NULL,
    at      INTEGER NOT NULL
);
CREATE INDEX refused_fanout ON refused (fanout, id);
