package rule

// Could are the rules of a kind that may decide about a workflow, for people: for a task
// each of those that name some, whichever; and at the end the one that turns the kind off,
// which Decide leaves out.
func (s *Set) Could(kind Kind, who Subject, owner Owner) (all []Decision) {
	for _, r := range s.by[kind] {
		whichever := *r
		whichever.Task = nil
		if !whichever.Match(who) {
			continue
		}
		d := s.decide(r, owner)
		switch {
		case r.Off:
			d.OffBy = "config"
		case r.Builtin && owner.off(kind):
			d.OffBy = "owner"
		}
		all = append(all, d)
		if len(r.Task) == 0 && (d.OffBy != "" || !r.Continue && r.Severity != None) {
			break
		}
	}
	return all
}
