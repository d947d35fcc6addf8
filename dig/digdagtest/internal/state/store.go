package state

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
)

// State is all that is remembered. It is only to be touched inside Update and
// View, and what is changed there is to be handed to Put.
type State struct {
	Projects  map[int64]*Project
	Revisions map[int64]*Revision
	Workflows map[int64]*Workflow
	Sessions  map[int64]*Session
	Attempts  map[int64]*Attempt
	Schedules map[int64]*Schedule
	tasks     map[int64][]*Task // by attempt, by id
	open      map[int64]bool    // attempts that are not done
	ofSession map[int64][]*Attempt
	sessionAt map[sessionKey]*Session

	lastID map[string]int64
	dirty  record
}

// sessionKey is what a session is unique by.
type sessionKey struct {
	project  int64
	workflow string
	unix     int64
}

// record is a line of the journal: what one transaction left behind.
type record struct {
	Projects  []*Project  `json:",omitempty"`
	Revisions []*Revision `json:",omitempty"`
	Workflows []*Workflow `json:",omitempty"`
	Sessions  []*Session  `json:",omitempty"`
	Attempts  []*Attempt  `json:",omitempty"`
	Tasks     []*Task     `json:",omitempty"`
	Schedules []*Schedule `json:",omitempty"`
}

// Store is the state with its journal.
type Store struct {
	mu      sync.Mutex
	state   *State
	dir     string
	journal *os.File
}

// Open reads the journal in dir, or starts one.
func Open(dir string) (*Store, error) {
	path := filepath.Join(dir, "journal.ndjson")
	s := &Store{dir: dir, state: &State{
		Projects: map[int64]*Project{}, Revisions: map[int64]*Revision{}, Workflows: map[int64]*Workflow{},
		Sessions: map[int64]*Session{}, Attempts: map[int64]*Attempt{}, Schedules: map[int64]*Schedule{},
		tasks: map[int64][]*Task{}, lastID: map[string]int64{}, open: map[int64]bool{}, ofSession: map[int64][]*Attempt{},
		sessionAt: map[sessionKey]*Session{},
	}}
	data, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	// What kill -9 cut short, the last line without its end, never happened.
	whole := data[:bytes.LastIndexByte(data, '\n')+1]
	for i, line := range bytes.Split(bytes.TrimSuffix(whole, []byte("\n")), []byte("\n")) {
		if len(line) == 0 {
			continue
		}
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("read the journal: line %d: %w", i+1, err)
		}
		s.state.take(r)
	}
	if s.journal, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	if err := s.journal.Truncate(int64(len(whole))); err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	if _, err := s.journal.Seek(0, 2); err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	return s, nil
}

// Close ends the journal.
func (s *Store) Close() error { return s.journal.Close() }

// Update runs f alone on the state and writes what it Put as one line. f checks
// first and changes then: there is no rolling back.
func (s *Store) Update(f func(*State) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := f(s.state); err != nil {
		return err
	}
	r := s.state.dirty
	s.state.dirty = record{}
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	if bytes.Equal(line, []byte("{}")) {
		return nil
	}
	if _, err := s.journal.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	return nil
}

// View runs f alone on the state.
func (s *Store) View(f func(*State)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.state)
}

// SaveArchive keeps the archive of a revision.
func (s *Store) SaveArchive(revision int64, data []byte) error {
	return os.WriteFile(s.archive(revision), data, 0o600)
}

// Archive reads the archive of a revision.
func (s *Store) Archive(revision int64) ([]byte, error) { return os.ReadFile(s.archive(revision)) }

func (s *Store) archive(revision int64) string {
	return filepath.Join(s.dir, strconv.FormatInt(revision, 10)+".tar.gz")
}

// NextID gives ids from 1, per kind, never twice.
func (st *State) NextID(kind string) int64 {
	st.lastID[kind]++
	return st.lastID[kind]
}

// Put marks things as new or changed.
func (st *State) Put(things ...any) {
	for _, x := range things {
		switch x := x.(type) {
		case *Project:
			st.Projects[x.ID] = x
			st.dirty.Projects = once(st.dirty.Projects, x)
		case *Revision:
			st.Revisions[x.ID] = x
			st.dirty.Revisions = once(st.dirty.Revisions, x)
		case *Workflow:
			st.Workflows[x.ID] = x
			st.dirty.Workflows = once(st.dirty.Workflows, x)
		case *Session:
			st.Sessions[x.ID] = x
			st.sessionAt[sessionKey{x.ProjectID, x.Workflow, x.Time.Unix()}] = x
			st.dirty.Sessions = once(st.dirty.Sessions, x)
		case *Attempt:
			st.putAttempt(x)
			st.dirty.Attempts = once(st.dirty.Attempts, x)
		case *Task:
			st.putTask(x)
			st.dirty.Tasks = once(st.dirty.Tasks, x)
		case *Schedule:
			st.Schedules[x.ID] = x
			st.dirty.Schedules = once(st.dirty.Schedules, x)
		default:
			panic(fmt.Sprintf("state cannot keep a %T", x))
		}
	}
}

func once[T comparable](list []T, x T) []T {
	if slices.Contains(list, x) {
		return list
	}
	return append(list, x)
}

func (st *State) putAttempt(a *Attempt) {
	st.Attempts[a.ID] = a
	st.ofSession[a.SessionID] = insert(st.ofSession[a.SessionID], a, func(a *Attempt) int64 { return a.ID })
	delete(st.open, a.ID)
	if !a.Done {
		st.open[a.ID] = true
	}
}

// insert puts x into a list that is in order of id, in place of what has its id.
func insert[T any](list []T, x T, id func(T) int64) []T {
	i, found := slices.BinarySearchFunc(list, id(x), func(t T, want int64) int { return cmp.Compare(id(t), want) })
	if found {
		list[i] = x
		return list
	}
	return slices.Insert(list, i, x)
}

func (st *State) putTask(t *Task) {
	st.tasks[t.AttemptID] = insert(st.tasks[t.AttemptID], t, func(t *Task) int64 { return t.ID })
}

// take puts a line of the journal into memory.
func (st *State) take(r record) {
	for _, x := range r.Projects {
		st.seen("project", x.ID)
		st.Put(x)
	}
	for _, x := range r.Revisions {
		st.seen("revision", x.ID)
		st.Put(x)
	}
	for _, x := range r.Workflows {
		st.seen("workflow", x.ID)
		st.Put(x)
	}
	for _, x := range r.Sessions {
		st.seen("session", x.ID)
		st.Put(x)
	}
	for _, x := range r.Attempts {
		st.seen("attempt", x.ID)
		st.Put(x)
	}
	for _, x := range r.Tasks {
		st.seen("task", x.ID)
		st.Put(x)
	}
	for _, x := range r.Schedules {
		st.seen("schedule", x.ID)
		st.Put(x)
	}
	st.dirty = record{}
}

func (st *State) seen(kind string, id int64) { st.lastID[kind] = max(st.lastID[kind], id) }
