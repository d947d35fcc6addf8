// Package address reads how people name what a Digdag runs,
// SOURCE:PROJECT/WORKFLOW[@SESSION][+task], and finds what is meant with a client.
// Reading is pure; finding asks no more than it must, and says on a miss what is
// near. What is done with the found belongs to the components.
package address

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Address names a workflow, and perhaps a session of it and a task.
type Address struct {
	// Source is a name under sources:, or "" where it was left out.
	Source string
	// Project and Workflow are exact names.
	Project, Workflow string
	Session           Session
	// Task is +group+task: a task's full name, or that without the workflow. "" if
	// none is named.
	Task string
}

// form is what an address looks like, for errors.
const form = "want SOURCE:PROJECT/WORKFLOW[@SESSION][+task], such as digdag:etl/daily@latest+load"

// Parse reads an address. The source may be left out. A workflow's name may hold +, @
// and %; they are written %2B, %40 and %25 there. A project's name may hold / too.
func Parse(text string) (Address, error) {
	a, err := parse(text)
	if err != nil {
		return Address{}, fmt.Errorf("address %.200q: %w", text, err)
	}
	return a, nil
}

func parse(text string) (a Address, err error) {
	// Neither a session nor a task has a slash, and a workflow is a file's name.
	slash := strings.LastIndexByte(text, '/')
	if slash < 0 {
		return a, fmt.Errorf("there is no / between project and workflow; %s", form)
	}
	rest := text[slash+1:]
	if a.Source, a.Project, err = project(text[:slash]); err != nil {
		return a, err
	}
	end := strings.IndexAny(rest, "@+")
	if end < 0 {
		end = len(rest)
	}
	if a.Workflow = unescape(rest[:end]); a.Workflow == "" {
		return a, fmt.Errorf("the workflow is empty; %s", form)
	}
	rest = rest[end:]
	if strings.HasPrefix(rest, "@") {
		if a.Session, rest, err = session(rest[1:]); err != nil {
			return a, err
		}
	}
	if rest != "" && !taskName.MatchString(rest) {
		return a, fmt.Errorf("%q is no task; want its name as Digdag shows it, such as +load or +group+load", rest)
	}
	a.Task = rest
	return a, nil
}

var (
	sourceName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)
	// taskName has parts that begin with + as they are written, or ^ as Digdag makes
	// them (ModelValidator.RAW_TASK_NAME_CHARS; what stands in a part of for_each> may
	// be more).
	taskName = regexp.MustCompile(`^\+[^+^/\s]+(?:[+^][^+^/\s]+)*$`)
)

func project(text string) (source, project string, err error) {
	project = text
	if before, after, ok := strings.Cut(text, ":"); ok {
		if source, project = before, after; !sourceName.MatchString(source) {
			return "", "", fmt.Errorf("%q is no name of a source; %s", source, form)
		}
	}
	if project == "" {
		return "", "", fmt.Errorf("the project is empty; %s", form)
	}
	return source, project, nil
}

// escapes are the characters that end a workflow's name, and how they stand in one.
var escapes = []string{"%", "%25", "+", "%2B", "@", "%40"}

func escape(name string) string { return strings.NewReplacer(escapes...).Replace(name) }

func unescape(text string) string {
	return strings.NewReplacer("%25", "%", "%2B", "+", "%2b", "+", "%40", "@").Replace(text)
}

// String writes an address so that Parse reads it as the same.
func (a Address) String() string {
	var b strings.Builder
	if a.Source != "" {
		b.WriteString(a.Source + ":")
	}
	b.WriteString(a.Project + "/" + escape(a.Workflow))
	if s := a.Session.String(); s != "" {
		b.WriteString("@" + s)
	}
	b.WriteString(a.Task)
	return b.String()
}

// errSession is the end of what is said of a session that cannot be read.
var errSession = errors.New("want latest, today, a date (2026-11-22), a time (2026-11-22T07:00:00, with +09:00 or in the workflow's zone), or the id of an attempt or session")
