package message

// Fact is one thing that is told of an alert: our word for it, such as "since: ", and
// what it is, which may be somebody else's words.
type Fact struct{ Label, Text string }

// Measures are since when it is so, and how it compares with what is usual.
func Measures(it Item) []Fact {
	var f facts
	f.add("resolved: ", it.Reason)
	if !it.Since.IsZero() {
		f.add("since: ", Stamp(it.Since))
	}
	f.add("usual: ", it.Usual)
	if it.Threshold != "" {
		f.add("threshold: ", it.Threshold+" ("+it.Why+")")
	}
	f.add("will end about: ", it.ETA)
	return f
}

// Holds are the task that it hangs on, and its error.
func Holds(it Item) []Fact {
	var f facts
	f.add("task: ", it.Task)
	f.add("error: ", it.Error)
	return f
}

// About is what changed, who holds what is full, and whom it concerns.
func About(it Item) []Fact {
	var f facts
	for _, c := range it.Changes {
		f.add("changed: ", c)
	}
	for _, h := range it.Holders {
		f.add("held by: ", h)
	}
	for _, n := range it.Notes {
		f.add("note: ", n)
	}
	f.add("acknowledged by ", it.Ack)
	f.add("", it.Text)
	f.add("owner: ", it.Owner)
	return f
}

// Links are addresses to look at.
func Links(it Item) []Fact {
	var f facts
	f.add("runbook: ", it.Runbook)
	f.add("link: ", it.Link)
	return f
}

type facts []Fact

func (f *facts) add(label, text string) {
	if text != "" {
		*f = append(*f, Fact{label, text})
	}
}
