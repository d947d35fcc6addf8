// Package deliver brings events out of the outbox to their receivers: it renders them,
// sends them, and settles what becomes of a row. Receivers are served side by side, the
// incidents of each in their order, and nothing is given up: what cannot be told now is
// told later, and meanwhile to the receiver's fallback.
//
// A row is marked before it is sent, so that a kill in between leaves it in doubt; then
// Slack is asked whether the message stands there, and others are told again.
//
// What is told, and in which words, is package message's; how a component is called is
// the Runner's; how rows are stored is the Outbox's.
package deliver
