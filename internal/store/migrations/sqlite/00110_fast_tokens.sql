-- +goose Up

-- Tokens by which clients log in without the endpoint's secret (XEP-0484), two per client: the current and the new one. What is kept makes no token without the
-- server's key. expires is when the last of them is over: beyond a number of clients those that expire first give way.
CREATE TABLE fast_token (
    ep      INTEGER NOT NULL,
    client  TEXT    NOT NULL, -- id of the client's installation
    mark    BLOB    NOT NULL, -- of the secret that they were made under
    current BLOB    NOT NULL, -- JSON object
    new     BLOB    NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (ep, client)
) WITHOUT ROWID;
