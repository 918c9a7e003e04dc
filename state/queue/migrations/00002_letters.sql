-- +goose Up
-- What came as an event alone. Times are microseconds since 1970, UTC.
CREATE TABLE letter (
    number      INTEGER PRIMARY KEY,  -- in the order of arrival
    key         TEXT    NOT NULL,
    id          TEXT    NOT NULL,     -- the sender's: the same when it is sent again
    kind        TEXT    NOT NULL,
    body        BLOB    NOT NULL,     -- emptied when it is answered
    at          INTEGER NOT NULL,
    answered_at INTEGER,              -- NULL: waits
    UNIQUE (key, id)
) STRICT;

CREATE INDEX letter_waiting ON letter (key, at, number) WHERE answered_at IS NULL;
CREATE INDEX letter_answered ON letter (answered_at) WHERE answered_at IS NOT NULL;

-- How far something that is listed elsewhere was looked through.
CREATE TABLE cursor (
    name  TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE cursor;
DROP TABLE letter;
