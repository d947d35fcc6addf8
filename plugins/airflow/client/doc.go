// Package client speaks the REST API of an Airflow: v2 of Airflow 3, and v1 of Airflow
// 2, as they really behave. Its types are the same for both. What it knows was read
// from Airflow's source and tried on real servers, 3.3.2 and 2.11.2.
//
// Here live the requests, the login and the shapes of the answers. What a component,
// an address or a rule is does not belong here, and the package imports nothing of
// ours but plugins/internal/rest, on which every client stands.
//
// # Retries
//
// A request is tried again when it got no answer, or a 408, a 429 or a 5xx, and when
// doing it twice is as good as once. That holds for all but Clear, and Trigger without
// an id, which are tried again only if the server cannot have begun them.
//
// # Lists
//
// A server gives at most 100 of a list at once ([api] maximum_page_limit), fewer than
// asked for without a word, so that the rows that came are what is counted.
package client
