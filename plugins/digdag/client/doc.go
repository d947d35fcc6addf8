// Package client speaks the REST API of a Digdag server, 0.9.31 and later, as it
// really behaves: the shapes, orders and oddities that its own documentation
// leaves out or has wrong. What it knows was read from Digdag's source and tried
// on a real 0.10.5.1 server.
//
// Here live the requests, their retries and the shapes of the answers. What a
// component, an address or a rule is does not belong here, and the package
// imports nothing of ours but plugins/internal/rest, on which every client stands.
//
// # Times
//
// An instant (CreatedAt, FinishedAt, NextRunTime ...) is in whole seconds and in
// UTC; null is the zero time. A session time carries the offset that its
// workflow's zone has at that time: compare session times with Equal.
//
// # Retries
//
// A request is tried again when it got no answer, or a 408, a 429 or a 5xx, and
// when doing it twice is as good as once. That holds for all but Skip and
// Backfill, which are tried again only if the server cannot have begun them.
package client
