-- +goose Up

CREATE TABLE campaign (
    id            INTEGER PRIMARY KEY, -- of the sequence of pushes
    domain        TEXT    NOT NULL,
    spec          TEXT    NOT NULL, -- JSON object: what is rolled out and how, without the payload
    body          BLOB    NOT NULL, -- the payload
    state         TEXT    NOT NULL,
    reason        TEXT    NOT NULL,
    history       TEXT    NOT NULL, -- JSON array
    targets       INTEGER NOT NULL,
    sent          INTEGER NOT NULL, -- of them, the first so many
    canary_at     INTEGER NOT NULL, -- when the last of the first few was sent
    canary_passed INTEGER NOT NULL,
    next_at       INTEGER NOT NULL, -- before which nothing more is sent
    batches       INTEGER NOT NULL,
    cancelled     INTEGER NOT NULL, -- of the batches, once it is aborted
    counts        TEXT,             -- JSON object: targets by state, once it is over
    created       INTEGER NOT NULL,
    updated       INTEGER NOT NULL
);
-- Those that Run looks at: the running ones, and aborted ones of which something is left to cancel.
CREATE INDEX campaign_active ON campaign (id) WHERE state = 'running' OR state = 'aborted' AND cancelled < batches;

-- Rows may stand here before their campaign does.
CREATE TABLE campaign_target (
    campaign INTEGER NOT NULL,
    place    INTEGER NOT NULL,
    subject  TEXT    NOT NULL, -- id of the endpoint
    PRIMARY KEY (campaign, place)
) WITHOUT ROWID;

CREATE TABLE campaign_batch (
    campaign INTEGER NOT NULL,
    place    INTEGER NOT NULL, -- of its first target
    fanout   INTEGER NOT NULL,
    PRIMARY KEY (campaign, place)
) WITHOUT ROWID;
