-- +goose Up
-- Times are milliseconds since 1970, UTC. What a run has not is '' or 0.

-- A run: one host call of one component or command.
CREATE TABLE outrider_runs (
  id             TEXT PRIMARY KEY, -- a ULID: sorts by the time of asking
  state          TEXT NOT NULL,
  component      TEXT NOT NULL,    -- of a command exec, sh or its --name
  command        INTEGER NOT NULL, -- 1: exec or sh
  plugin_version TEXT NOT NULL,
  plugin_sha256  TEXT NOT NULL,
  params         TEXT NOT NULL,    -- JSON, secrets as references; of a command its argv
  digest         TEXT NOT NULL,    -- of params
  labels         TEXT NOT NULL,    -- JSON object
  -- Who called.
  engine         TEXT NOT NULL,
  instance       TEXT NOT NULL,
  project        TEXT NOT NULL,
  workflow       TEXT NOT NULL,
  task           TEXT NOT NULL,
  engine_run     TEXT NOT NULL,
  session        TEXT NOT NULL,
  logical_time   TEXT NOT NULL,
  task_id        TEXT NOT NULL,
  delivery       TEXT NOT NULL,
  try            INTEGER NOT NULL,
  link           TEXT NOT NULL,
  run_key        TEXT NOT NULL,    -- the same over all retries
  delivery_base  TEXT NOT NULL,    -- key of equal calls in one delivery
  memory_key     TEXT NOT NULL,    -- key under which a permanent failure is remembered
  -- Relatives.
  parent         TEXT NOT NULL,
  rerun_of       TEXT NOT NULL,
  -- Where it runs.
  host           TEXT NOT NULL,
  username       TEXT NOT NULL,
  pid            INTEGER NOT NULL,
  asked_at       BIGINT NOT NULL,
  started_at     BIGINT NOT NULL,
  ended_at       BIGINT NOT NULL,
  live           TEXT NOT NULL,    -- SQLite: the file whose lock says that it lives
  lease_until    BIGINT NOT NULL,  -- PostgreSQL: dead after it
  epoch          BIGINT NOT NULL,  -- rises when the run is taken for dead
  token          BIGINT NOT NULL,  -- fencing token of its claims; 0: none
  -- What came of it.
  attempts       INTEGER NOT NULL,
  code           TEXT NOT NULL,
  message        TEXT NOT NULL,
  permanent      INTEGER NOT NULL,
  unchanged      INTEGER NOT NULL,
  exit_code      INTEGER NOT NULL,
  output         TEXT NOT NULL,
  progress       TEXT NOT NULL,    -- JSON {done,total,note}
  checkpoint     TEXT NOT NULL,    -- JSON
  log_tail       TEXT NOT NULL,    -- the last 200 lines
  log_path       TEXT NOT NULL,
  late_result    TEXT NOT NULL,    -- JSON: the end that came after it was taken for dead
  cancel         TEXT NOT NULL,    -- why it is to end
  next_due       BIGINT NOT NULL   -- when the next run of this name is due (--expect)
);
CREATE INDEX outrider_runs_state ON outrider_runs (state, id);
CREATE INDEX outrider_runs_component ON outrider_runs (component, id);
CREATE INDEX outrider_runs_workflow ON outrider_runs (workflow, id) WHERE workflow <> '';
CREATE INDEX outrider_runs_key ON outrider_runs (run_key, id) WHERE run_key <> '';
CREATE INDEX outrider_runs_delivery ON outrider_runs (delivery_base) WHERE delivery_base <> '';
CREATE INDEX outrider_runs_memory ON outrider_runs (memory_key) WHERE memory_key <> '' AND permanent = 1;
-- What a run is part of, and what it was made of again, is looked for from above too.
CREATE INDEX outrider_runs_parent ON outrider_runs (parent, id) WHERE parent <> '';
CREATE INDEX outrider_runs_rerun ON outrider_runs (rerun_of, id) WHERE rerun_of <> '';
CREATE INDEX outrider_runs_ended ON outrider_runs (ended_at) WHERE ended_at > 0;

CREATE TABLE outrider_labels (
  run   TEXT NOT NULL,
  name  TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (name, value, run)
);
CREATE INDEX outrider_labels_run ON outrider_labels (run);

-- A call that took another run's result: a hit of a recorded success, or a join of
-- one that ran.
CREATE TABLE outrider_links (
  id            TEXT PRIMARY KEY, -- of the call
  run           TEXT NOT NULL,    -- whose result it took
  kind          TEXT NOT NULL,    -- hit | join
  at            BIGINT NOT NULL,
  host          TEXT NOT NULL,
  pid           INTEGER NOT NULL,
  engine        TEXT NOT NULL,
  task          TEXT NOT NULL,
  delivery_base TEXT NOT NULL,
  delivery      TEXT NOT NULL
);
CREATE INDEX outrider_links_run ON outrider_links (run);
CREATE INDEX outrider_links_delivery ON outrider_links (delivery_base) WHERE delivery_base <> '';

-- What can be claimed: lock:NAME, pool:NAME, once:KEY, delivery:KEY.
CREATE TABLE outrider_resources (
  name   TEXT PRIMARY KEY,
  slots  BIGINT NOT NULL,
  result TEXT NOT NULL,   -- of a key: the run that succeeded; '' for none
  used   BIGINT NOT NULL  -- last granted
);
CREATE INDEX outrider_resources_result ON outrider_resources (result) WHERE result <> '';

-- A claim that is held (ticket 0) or waited for.
CREATE TABLE outrider_claims (
  resource TEXT NOT NULL,
  run      TEXT NOT NULL,
  slots    BIGINT NOT NULL,
  ticket   BIGINT NOT NULL,
  since    BIGINT NOT NULL,
  PRIMARY KEY (resource, run)
);
CREATE INDEX outrider_claims_run ON outrider_claims (run);

-- The place in line of a run that waits, or of one that gave up and may come back.
CREATE TABLE outrider_tickets (
  ticket   BIGINT PRIMARY KEY,
  run      TEXT NOT NULL,
  identity TEXT NOT NULL,
  priority BIGINT NOT NULL,
  keep     BIGINT NOT NULL  -- passed over, kept until then; 0: it waits
);
CREATE INDEX outrider_tickets_run ON outrider_tickets (run);
CREATE INDEX outrider_tickets_kept ON outrider_tickets (identity) WHERE keep > 0;

CREATE TABLE outrider_artifacts (
  run    TEXT NOT NULL,
  name   TEXT NOT NULL,
  task   TEXT NOT NULL,
  path   TEXT NOT NULL,
  size   BIGINT NOT NULL,
  sha256 TEXT NOT NULL,
  host   TEXT NOT NULL,
  at     BIGINT NOT NULL,
  PRIMARY KEY (run, name)
);
