-- +goose Up
-- Times are milliseconds since 1970, UTC; data is JSON with the core's names. In columns
-- that hold names a NUL is written as \0 and a \ as \\, since PostgreSQL takes no NUL.

-- One row: what there is once. On PostgreSQL its lock makes writes one after another.
CREATE TABLE outrider_checker_meta (
  one       INTEGER PRIMARY KEY CHECK (one = 1),
  state     INTEGER NOT NULL, -- version of checker.State
  book      TEXT NOT NULL,    -- alert.Book without its maps
  changes   BIGINT NOT NULL,  -- rises with every change of alerts outside of a pass
  last_id   BIGINT NOT NULL,  -- of rows in outbox and log
  token     BIGINT NOT NULL,  -- of the turn; rises when it begins and when it ends
  holder    TEXT NOT NULL,    -- whose turn it is; '': nobody's
  until     BIGINT NOT NULL,  -- PostgreSQL: the turn is over after it
  last_pass TEXT NOT NULL     -- the last finished pass; '': none
);
INSERT INTO outrider_checker_meta VALUES (1, 0, '{}', 0, 0, 0, '', 0, '');

-- Transactions that took place, for an hour: one that is tried again is not done twice.
CREATE TABLE outrider_checker_writes (
  id TEXT PRIMARY KEY,
  at BIGINT NOT NULL
);

CREATE TABLE outrider_checker_sources (
  name      TEXT PRIMARY KEY,
  data      TEXT NOT NULL DEFAULT '', -- history.Source without workflows and open runs; '': not seen yet
  open_runs TEXT NOT NULL DEFAULT '', -- of history.Source
  position  TEXT NOT NULL DEFAULT '', -- the cursor; '': none
  down      TEXT NOT NULL DEFAULT '', -- checker.Down; '': it answers
  unwatched TEXT NOT NULL DEFAULT ''  -- since when it is not watched; '': it is
);

CREATE TABLE outrider_checker_workflows (
  source TEXT NOT NULL,
  name   TEXT NOT NULL,
  data   TEXT NOT NULL,
  PRIMARY KEY (source, name)
);

-- changed is meta.changes when the row was last written outside of a pass.
CREATE TABLE outrider_checker_alerts (
  name    TEXT PRIMARY KEY,
  data    TEXT NOT NULL,
  changed BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE outrider_checker_incidents (
  name    TEXT PRIMARY KEY,
  data    TEXT NOT NULL,
  changed BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE outrider_checker_acted (
  name TEXT PRIMARY KEY,
  at   BIGINT NOT NULL -- nanoseconds
);

CREATE TABLE outrider_checker_silences (
  id    TEXT PRIMARY KEY,
  until BIGINT NOT NULL,
  data  TEXT NOT NULL
);

-- What is to be told; a row goes when it was told.
CREATE TABLE outrider_checker_outbox (
  id         BIGINT PRIMARY KEY, -- in the order of telling
  receiver   TEXT NOT NULL,
  incident   TEXT NOT NULL,
  event      TEXT NOT NULL,
  severity   TEXT NOT NULL,
  state      TEXT NOT NULL,
  doubt      INTEGER NOT NULL, -- 1: an earlier try may have told it
  handed     INTEGER NOT NULL, -- 1: the fallback has it
  tries      INTEGER NOT NULL, -- that failed
  version    BIGINT NOT NULL,  -- rises with each change, from 1 on
  next_at    BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  err        TEXT NOT NULL
);
CREATE INDEX outrider_checker_outbox_thread ON outrider_checker_outbox (receiver, incident, id);

-- What a receiver has been told of an incident.
CREATE TABLE outrider_checker_threads (
  receiver TEXT NOT NULL,
  incident TEXT NOT NULL,
  seq      BIGINT NOT NULL, -- of the last event that was to be told
  receipt  TEXT NOT NULL DEFAULT '', -- that stands for the thread; '': none
  at       BIGINT NOT NULL,
  PRIMARY KEY (receiver, incident)
);

CREATE TABLE outrider_checker_log (
  id   BIGINT PRIMARY KEY,
  at   BIGINT NOT NULL,
  data TEXT NOT NULL
);
CREATE INDEX outrider_checker_log_at ON outrider_checker_log (at);

CREATE TABLE outrider_checker_acts (
  id        TEXT PRIMARY KEY,
  action    TEXT NOT NULL,
  event_key TEXT NOT NULL,
  state     TEXT NOT NULL,
  writer    TEXT NOT NULL, -- the checker that gave it its state
  at        BIGINT NOT NULL,
  data      TEXT NOT NULL,
  UNIQUE (action, event_key)
);
