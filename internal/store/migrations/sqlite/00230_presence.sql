-- +goose Up

-- bound: when the session was bound. ended and end_reason: the end of the session before, of an endpoint that is online. told and place: what the last event told, the state and where the session was that it told of as online. due: when the next event
-- is written if what is told is not true any more by then; 0: nothing waits.
ALTER TABLE presence ADD COLUMN bound INTEGER NOT NULL DEFAULT 0;
ALTER TABLE presence ADD COLUMN ended      INTEGER NOT NULL DEFAULT 0;
ALTER TABLE presence ADD COLUMN end_reason TEXT    NOT NULL DEFAULT '';
ALTER TABLE presence ADD COLUMN told  TEXT    NOT NULL DEFAULT '';
ALTER TABLE presence ADD COLUMN place TEXT    NOT NULL DEFAULT '';
ALTER TABLE presence ADD COLUMN due   INTEGER NOT NULL DEFAULT 0;
UPDATE presence SET told = state; -- until now each change had its event at once
CREATE INDEX presence_due ON presence (due) WHERE due > 0;
