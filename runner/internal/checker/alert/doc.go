// Package alert is the life of alerts: pending until a rule held for so many checks,
// firing until it holds no more, resolved. Step takes what was found and gives the new
// state with the events to be told, in order.
//
// Alerts that are told together are an incident: those of one receiver and one group,
// from the first firing on. Silences, windows and other alerts mute, so that nobody is
// told; what is muted goes on living. Nothing is lost: what still holds when a mute ends
// is told then.
//
// All is data and functions of it. Delivery, templates and storage do not belong here.
package alert
