-- +goose Up
-- What a run is part of, and what it was made of again, is looked for from above too.
CREATE INDEX outrider_runs_parent ON outrider_runs (parent, id) WHERE parent <> '';
CREATE INDEX outrider_runs_rerun ON outrider_runs (rerun_of, id) WHERE rerun_of <> '';
