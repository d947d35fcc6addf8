// Package threshold says from when on something takes too long: after a fixed time,
// or after longer than it usually takes, and explains the number.
//
// `usual` works on logarithms, as durations of jobs are skewed: with the median m of
// ln d over the successes, and their median absolute deviation from it,
//
//	usual = exp(m + clamp(4 · 1.4826 · MAD · (1 + 4/n), ln 1.5, ln 3))
//
// so that it lies between 1.5 and 3 times the median, and neither one outlier nor a bad
// week moves it much. A factor multiplies it, a floor and a cap bound it. Simulate
// measures how often that is wrong, beside what other tools use.
//
// Here are numbers and their text. Where durations come from and whom a threshold is
// for does not belong here, nor does anything that reads a clock.
package threshold
