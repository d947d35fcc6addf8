package client

// Near are at most three of names that are like name, the nearest first: a few
// letters differ, or one is a part of the other.
func Near(name string, names []string) []string { return nil }
