-- +goose Up
-- What is shown of a repository, apart from its environments. Times are
-- microseconds since 1970, UTC.
CREATE TABLE repository (
    id   INTEGER PRIMARY KEY,
    body BLOB    NOT NULL -- JSON of view.Repository; an environment has its name alone
) STRICT;

-- One row per environment, so that a run of a large repository writes what changed.
CREATE TABLE environment (
    repository INTEGER NOT NULL,
    pipeline   TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    body       BLOB    NOT NULL, -- JSON of view.Environment
    PRIMARY KEY (repository, pipeline, name)
) STRICT, WITHOUT ROWID;

-- What became of presses.
CREATE TABLE answer (
    repository INTEGER NOT NULL,
    id         TEXT    NOT NULL, -- the letter's
    at         INTEGER NOT NULL,
    body       BLOB    NOT NULL, -- JSON of view.Answer
    PRIMARY KEY (repository, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX answer_at ON answer (at);

-- +goose Down
DROP TABLE answer;
DROP TABLE environment;
DROP TABLE repository;
