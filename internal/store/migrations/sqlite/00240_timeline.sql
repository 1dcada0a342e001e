-- +goose Up

-- What happened to one endpoint, without its pushes, whose histories stand in their own rows: an index over all events would write another page per change of a push.
CREATE INDEX outbox_endpoint ON outbox (ep, seq) WHERE push IS NULL;
