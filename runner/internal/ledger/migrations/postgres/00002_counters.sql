-- +goose Up
-- Tickets and fencing tokens rise with every one that is given.
CREATE SEQUENCE outrider_ticket;
CREATE SEQUENCE outrider_token;
