-- +goose Up
-- One row per key. Times are microseconds since 1970, UTC.
CREATE TABLE work (
    key         TEXT    PRIMARY KEY NOT NULL,
    note        TEXT    NOT NULL DEFAULT '', -- the newest address a wake gave
    due_at      INTEGER,                     -- earliest run asked for since the last claim; NULL: none
    claimed_due INTEGER,                     -- the due time a running claim serves; NULL: not claimed
    not_before  INTEGER NOT NULL DEFAULT 0,  -- backoff after a failed run
    attempt     INTEGER NOT NULL DEFAULT 0,  -- failed runs in a row
    lease_until INTEGER NOT NULL DEFAULT 0,  -- end of the running claim's lease
    token       INTEGER NOT NULL DEFAULT 0   -- fencing: raised by every claim
) STRICT, WITHOUT ROWID;

CREATE INDEX work_due ON work (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX work_claimed ON work (lease_until) WHERE claimed_due IS NOT NULL;

-- +goose Down
DROP TABLE work;
