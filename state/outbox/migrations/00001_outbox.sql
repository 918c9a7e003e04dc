-- +goose Up
-- What has to be told to whom. Times are microseconds since 1970, UTC.
CREATE TABLE note (
    number   INTEGER PRIMARY KEY,        -- in the order of posting
    receiver TEXT    NOT NULL,
    id       TEXT    NOT NULL,
    body     BLOB    NOT NULL,           -- emptied when it has ended
    attempts INTEGER NOT NULL DEFAULT 0, -- begun so far
    posted   INTEGER NOT NULL,
    due      INTEGER NOT NULL,           -- not before
    began    INTEGER,                    -- an attempt is under way since then; NULL: none
    result   TEXT,                       -- how it ended; NULL: it waits
    UNIQUE (receiver, id)
) STRICT;

CREATE INDEX note_waiting ON note (receiver, due, number) WHERE result IS NULL;
CREATE INDEX note_ended ON note (posted) WHERE result IS NOT NULL;

-- From when on a receiver is told of a topic.
CREATE TABLE subscription (
    receiver TEXT    NOT NULL,
    topic    TEXT    NOT NULL,
    since    INTEGER NOT NULL,
    PRIMARY KEY (receiver, topic)
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE subscription;
DROP TABLE note;
