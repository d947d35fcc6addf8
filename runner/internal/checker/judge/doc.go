// Package judge holds what a source is like against the rules: Judge says what they
// find, Absent what to think of an alert of which they find nothing any more.
//
// Both are functions of what is remembered of the source, its last snapshot and the
// rules. Times are the engine's. What becomes of a finding (whether anybody is told,
// and how often) is not decided here.
package judge
