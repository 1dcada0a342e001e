-- What an account holds for standard XMPP clients. Every table hangs on endpoint.num, directly or through its node.

-- +goose Up

-- What there is once per account; no row: nothing of it. Triggers count the archive.
CREATE TABLE account (
    ep             INTEGER PRIMARY KEY,
    roster         INTEGER NOT NULL DEFAULT 0, -- version
    archived       INTEGER NOT NULL DEFAULT 0, -- messages in the archive
    archived_bytes INTEGER NOT NULL DEFAULT 0,
    preferences    TEXT,                       -- JSON object; NULL: never set
    last_at        INTEGER NOT NULL DEFAULT 0,
    last_status    TEXT    NOT NULL DEFAULT ''
);
CREATE INDEX account_preferences ON account (ep) WHERE preferences IS NOT NULL;

-- Contacts in the roster (listed), and strangers whose request waits.
CREATE TABLE contact (
    ep           INTEGER NOT NULL,
    jid          TEXT    NOT NULL,
    listed       INTEGER NOT NULL,
    subscription INTEGER NOT NULL, -- bits: 1 to, 2 from
    pending_out  INTEGER NOT NULL,
    pending_in   INTEGER NOT NULL,
    approved     INTEGER NOT NULL,
    asked        INTEGER NOT NULL, -- when the request came that waits
    name         TEXT    NOT NULL,
    groups       TEXT    NOT NULL, -- JSON array; empty: none
    stanza       BLOB,             -- of the request that waits
    PRIMARY KEY (ep, jid)
) WITHOUT ROWID;
CREATE INDEX contact_jid ON contact (jid); -- who knows an account that is deleted

CREATE TABLE blocked (
    ep  INTEGER NOT NULL,
    jid TEXT    NOT NULL,
    PRIMARY KEY (ep, jid)
) WITHOUT ROWID;

-- Messages that wait for a session; ids never come twice.
CREATE TABLE offline (
    id      INTEGER PRIMARY KEY,
    ep      INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    size    INTEGER NOT NULL,
    stanza  BLOB    NOT NULL
);
CREATE INDEX offline_queue  ON offline (ep, id, expires, size);
CREATE INDEX offline_expiry ON offline (expires) WHERE expires > 0;

-- Ids of the archive are unique over all accounts and grow with time.
CREATE TABLE archive (
    id       INTEGER PRIMARY KEY,
    ep       INTEGER NOT NULL,
    peer     TEXT    NOT NULL, -- bare JID of the other party
    resource TEXT    NOT NULL,
    outgoing INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    size     INTEGER NOT NULL,
    stanza   BLOB    NOT NULL
);
CREATE INDEX archive_account ON archive (ep, id, at, size);
CREATE INDEX archive_peer    ON archive (ep, peer, id, at);

-- +goose StatementBegin
CREATE TRIGGER archive_in AFTER INSERT ON archive BEGIN
    INSERT INTO account (ep, archived, archived_bytes) VALUES (new.ep, 1, new.size)
        ON CONFLICT (ep) DO UPDATE SET archived = archived + 1, archived_bytes = archived_bytes + new.size;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER archive_out AFTER DELETE ON archive BEGIN
    UPDATE account SET archived = archived - 1, archived_bytes = archived_bytes - old.size WHERE ep = old.ep;
END;
-- +goose StatementEnd

CREATE TABLE node (
    num    INTEGER PRIMARY KEY,
    ep     INTEGER NOT NULL,
    name   TEXT    NOT NULL,
    items  INTEGER NOT NULL,
    bytes  INTEGER NOT NULL, -- of the payloads of its items
    config TEXT    NOT NULL, -- JSON object: configuration, affiliations, subscribers
    UNIQUE (ep, name)
);

-- A greater seq is newer.
CREATE TABLE node_item (
    seq       INTEGER PRIMARY KEY,
    node      INTEGER NOT NULL,
    id        TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    publisher TEXT    NOT NULL,
    size      INTEGER NOT NULL,
    payload   BLOB    NOT NULL,
    UNIQUE (node, id)
);
CREATE INDEX node_item_order ON node_item (node, seq, size);

CREATE TABLE push_target (
    ep      INTEGER NOT NULL,
    service TEXT    NOT NULL,
    node    TEXT    NOT NULL,
    options BLOB,
    PRIMARY KEY (ep, service, node)
) WITHOUT ROWID;
