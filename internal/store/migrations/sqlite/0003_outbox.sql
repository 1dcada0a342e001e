-- +goose Up

-- Events name their endpoint by its number, which is the greater part of what they cost. So the numbers of endpoints that were deleted stay, and are not given to
-- others, as long as events name them.
CREATE TABLE gone (
    num    INTEGER PRIMARY KEY,
    domain TEXT    NOT NULL,
    id     TEXT    NOT NULL,
    seq    INTEGER NOT NULL -- of its last event
);

INSERT INTO gone (num, domain, id, seq)
    SELECT coalesce((SELECT max(num) FROM endpoint), 0) + row_number() OVER (ORDER BY o.domain, o.subject), o.domain, o.subject, max(o.seq)
    FROM outbox o LEFT JOIN endpoint e ON e.domain = o.domain AND e.id = o.subject WHERE e.num IS NULL GROUP BY o.domain, o.subject;

-- One row per change of a push, a presence or an endpoint, written with the change. Numbers of kinds stand in event.go.
CREATE TABLE outbox_new (
    seq  INTEGER PRIMARY KEY,
    at   INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    ep   INTEGER NOT NULL,
    push INTEGER,             -- NULL: it is not about a push, or is older than this table
    data TEXT                 -- reason of a change of a push, NULL where there is none; without push a JSON object
);

INSERT INTO outbox_new (seq, at, kind, ep, push, data)
    SELECT o.seq, o.at, CASE o.kind
            WHEN 'push.accepted' THEN 0 WHEN 'push.sent' THEN 1 WHEN 'push.delivered' THEN 2 WHEN 'push.handled' THEN 3 WHEN 'push.failed' THEN 4
            WHEN 'push.expired' THEN 5 WHEN 'push.replaced' THEN 6 WHEN 'push.cancelled' THEN 7 WHEN 'push.rejected' THEN 8
            WHEN 'presence.online' THEN 9 WHEN 'presence.offline' THEN 10 WHEN 'presence.never' THEN 11 ELSE 12 END,
        coalesce(e.num, g.num), NULL, o.data
    FROM outbox o LEFT JOIN endpoint e ON e.domain = o.domain AND e.id = o.subject LEFT JOIN gone g ON g.domain = o.domain AND g.id = o.subject;

DROP TABLE outbox;
ALTER TABLE outbox_new RENAME TO outbox;

-- Events with the names of their endpoints, for readers.
CREATE VIEW event AS
    SELECT o.seq, o.at, o.kind, coalesce(e.domain, g.domain) AS domain, coalesce(e.id, g.id) AS subject, o.push, o.data
    FROM outbox o LEFT JOIN endpoint e ON e.num = o.ep LEFT JOIN gone g ON g.num = o.ep;
