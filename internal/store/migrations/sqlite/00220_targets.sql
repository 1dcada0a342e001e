-- Both columns are NULL for most pushes, which then stand in neither index.
-- +goose Up
ALTER TABLE push ADD COLUMN collapse TEXT;
ALTER TABLE push ADD COLUMN not_before INTEGER;
CREATE INDEX push_collapse ON push (ep, collapse, place, id) WHERE collapse IS NOT NULL;
-- What is accepted and not due is at place 3, where nobody looks for what waits. Once due it goes to the place of its priority and never comes back.
CREATE INDEX push_due ON push (not_before) WHERE not_before IS NOT NULL AND place = 3 AND state = 0;

ALTER TABLE fanout ADD COLUMN collapse TEXT;
ALTER TABLE fanout ADD COLUMN not_before INTEGER;
ALTER TABLE fanout ADD COLUMN selector TEXT;                    -- JSON object, NULL: it has a list of endpoints
ALTER TABLE fanout ADD COLUMN reached INTEGER NOT NULL DEFAULT 0; -- with a selector: endpoints up to this number were asked whether they match
ALTER TABLE fanout ADD COLUMN late INTEGER NOT NULL DEFAULT 0;  -- 0 it takes nobody later, 1 it takes who comes to match, 2 it does so no more
CREATE INDEX fanout_late ON fanout (expires) WHERE late = 1;

-- What endpoints are found by: 'g' and a group, or 'l', the bytes of a label's name, ':', its name and value.
CREATE TABLE tagged (
    domain TEXT    NOT NULL,
    tag    TEXT    NOT NULL,
    ep     INTEGER NOT NULL,
    PRIMARY KEY (domain, tag, ep)
) WITHOUT ROWID;

-- Endpoints whose labels or groups changed while a fan-out takes late joiners, until they have been looked at.
CREATE TABLE joined (
    ep INTEGER PRIMARY KEY
);

INSERT OR IGNORE INTO tagged (domain, tag, ep) SELECT e.domain, 'g' || g.value, e.num FROM endpoint e, json_each(e.groups) g;
INSERT OR IGNORE INTO tagged (domain, tag, ep)
    SELECT e.domain, 'l' || length(CAST(l.key AS BLOB)) || ':' || l.key || l.value, e.num FROM endpoint e, json_each(e.labels) l;

-- +goose StatementBegin
CREATE TRIGGER endpoint_tagged AFTER INSERT ON endpoint BEGIN
    INSERT OR IGNORE INTO tagged (domain, tag, ep) SELECT new.domain, 'g' || g.value, new.num FROM json_each(new.groups) g;
    INSERT OR IGNORE INTO tagged (domain, tag, ep)
        SELECT new.domain, 'l' || length(CAST(l.key AS BLOB)) || ':' || l.key || l.value, new.num FROM json_each(new.labels) l;
    INSERT OR IGNORE INTO joined (ep) SELECT new.num WHERE EXISTS (SELECT 1 FROM fanout WHERE late = 1);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER endpoint_untagged AFTER DELETE ON endpoint BEGIN
    DELETE FROM tagged WHERE domain = old.domain AND ep = old.num AND tag IN (SELECT 'g' || g.value FROM json_each(old.groups) g
        UNION ALL SELECT 'l' || length(CAST(l.key AS BLOB)) || ':' || l.key || l.value FROM json_each(old.labels) l);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER endpoint_retagged AFTER UPDATE OF labels, groups ON endpoint WHEN old.labels <> new.labels OR old.groups <> new.groups BEGIN
    DELETE FROM tagged WHERE domain = old.domain AND ep = old.num AND tag IN (SELECT 'g' || g.value FROM json_each(old.groups) g
        UNION ALL SELECT 'l' || length(CAST(l.key AS BLOB)) || ':' || l.key || l.value FROM json_each(old.labels) l);
    INSERT OR IGNORE INTO tagged (domain, tag, ep) SELECT new.domain, 'g' || g.value, new.num FROM json_each(new.groups) g;
    INSERT OR IGNORE INTO tagged (domain, tag, ep)
        SELECT new.domain, 'l' || length(CAST(l.key AS BLOB)) || ':' || l.key || l.value, new.num FROM json_each(new.labels) l;
    INSERT OR IGNORE INTO joined (ep) SELECT new.num WHERE EXISTS (SELECT 1 FROM fanout WHERE late = 1);
END;
-- +goose StatementEnd

-- What became of the pushes of a batch, to answer its repetition: a JSON array of ids and codes of errors. Kept as long as its idempotency key.
CREATE TABLE batch (
    id      INTEGER PRIMARY KEY,
    answers TEXT    NOT NULL,
    created INTEGER NOT NULL
);
