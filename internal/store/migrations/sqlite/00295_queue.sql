-- +goose Up

-- Which pushes an endpoint has, by their places. It takes the part of the index push_queue, which was written at a random page with every push: those above meta.filed may
-- be missing here, and the process that writes knows them (pushes/recent.go). No process writes pushes beside another.
CREATE TABLE queue (
    ep    INTEGER NOT NULL,
    place INTEGER NOT NULL,
    id    INTEGER NOT NULL,
    size  INTEGER NOT NULL,
    PRIMARY KEY (ep, place, id)
) WITHOUT ROWID;
INSERT INTO queue (ep, place, id, size) SELECT ep, place, id, size FROM push INDEXED BY push_queue ORDER BY ep, place, id;
DROP INDEX push_queue;
ALTER TABLE meta ADD COLUMN filed INTEGER NOT NULL DEFAULT 0;
UPDATE meta SET filed = last_push;
