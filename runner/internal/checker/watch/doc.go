// Package watch makes passes of the checker: it asks the sources, gives what they say
// and what was remembered to the pure core, stores what comes of it, acts, tells, and
// says how it went. Loop makes one after the other and serves HTTP meanwhile.
//
// Here is the order of things and what happens when one of them fails. What is wrong or
// worth telling is decided in checker, how something is asked, stored, done or told in
// source, store, action and deliver.
package watch
