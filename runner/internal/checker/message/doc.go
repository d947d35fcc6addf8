// Package message is what a person reads of an event, as data: what, since when, how it
// compares with what is usual and why that is the threshold, the task that holds it, what
// changed, and the exact commands that help. Of makes it of an event, Text renders it as
// plain text.
//
// Everything in it that an engine or a person named is data: control characters, a chat's
// mentions and template syntax are kept as they are, and escaped by whoever renders for a
// medium, with an Escape of that medium. Values of parameters do not come in here; a log's
// end may hold anything, and is redacted by who knows the secrets.
package message
