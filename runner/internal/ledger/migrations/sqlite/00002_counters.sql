-- +goose Up
-- Tickets and fencing tokens rise with every one that is given.
CREATE TABLE outrider_counters (name TEXT PRIMARY KEY, value BIGINT NOT NULL);
INSERT INTO outrider_counters VALUES ('ticket', 0), ('token', 0);
