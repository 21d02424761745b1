-- Times are milliseconds since the Unix epoch.

CREATE TABLE queues (
    id          INTEGER PRIMARY KEY,
    name        TEXT    NOT NULL UNIQUE,
    jobs        INTEGER NOT NULL DEFAULT 0, -- how many there are, kept by every transaction
    last_job_id INTEGER NOT NULL DEFAULT 0  -- no id up to the greatest of these is given out again
) STRICT;

CREATE TABLE jobs (
    id            INTEGER PRIMARY KEY, -- in the order of publishing
    queue_id      INTEGER NOT NULL,
    attempts      INTEGER NOT NULL,    -- finished ones
    is_alone      INTEGER NOT NULL,    -- to be offered in a batch of its own
    first_seen_at INTEGER NOT NULL,
    available_at  INTEGER,             -- null: never offered; the greatest integer: offered again, in hand
    payload       BLOB    NOT NULL
) STRICT;

CREATE INDEX jobs_offered_before ON jobs (queue_id, available_at) WHERE available_at IS NOT NULL;

-- The jobs in a consumer's hand. What is here at the start was in hand when the process died.
CREATE TABLE claims (
    id      INTEGER PRIMARY KEY,
    job_ids TEXT NOT NULL -- a JSON array
) STRICT;

CREATE TABLE dead_letters (
    id            INTEGER PRIMARY KEY, -- the job's
    queue_id      INTEGER NOT NULL,
    attempts      INTEGER NOT NULL,
    first_seen_at INTEGER NOT NULL,
    died_at       INTEGER NOT NULL,
    reason        TEXT    NOT NULL,
    payload       BLOB    NOT NULL
) STRICT;

CREATE INDEX dead_letters_newest ON dead_letters (queue_id, died_at);
