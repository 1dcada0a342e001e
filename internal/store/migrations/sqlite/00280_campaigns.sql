-- +goose Up

-- An aborted campaign is looked at once more when its batches are cancelled, for one that was sent and not noted.
DROP INDEX campaign_active;
CREATE INDEX campaign_active ON campaign (id) WHERE state = 'running' OR state = 'aborted' AND cancelled <= batches;
