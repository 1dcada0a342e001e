-- +goose Up

-- What an endpoint was refused, for those that come to match a fan-out later.
CREATE INDEX refused_subject ON refused (subject, fanout);
