package main

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"
)

// mailServer is a real SMTP server on loopback that keeps what it gets.
type mailServer struct {
	addr string
	// refuse is an address that it has no mailbox for, busy one whose mailbox is locked.
	refuse, busy string

	mu    sync.Mutex
	mails []mail
}

type mail struct{ from, to, data string }

func newMailServer(t *testing.T) *mailServer {
	t.Helper()
	m := &mailServer{refuse: "nobody@mail.example", busy: "busy@mail.example"}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.addr = l.Addr().String()
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &mailSession{server: m}, nil }))
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(l)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
	})
	return m
}

func (m *mailServer) got() []mail {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mails
}

// reached are those who got a mail, in order.
func (m *mailServer) reached() string {
	var all []string
	for _, mail := range m.got() {
		all = append(all, strings.TrimSuffix(mail.to, "@mail.example"))
	}
	return strings.Join(all, " ")
}

// url is an address of shoutrrr that sends to a mailbox of the server.
func (m *mailServer) url(to string) string {
	return "smtp://" + m.addr + "/?from=outrider@mail.example&to=" + to + "&starttls=no&auth=None"
}

type mailSession struct {
	server *mailServer
	mail   mail
}

func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	s.mail.from = from
	return nil
}

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	if to == s.server.refuse {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox here"}
	}
	if to == s.server.busy {
		return &smtp.SMTPError{Code: 450, EnhancedCode: smtp.EnhancedCode{4, 2, 1}, Message: "mailbox is locked"}
	}
	s.mail.to = to
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	s.mail.data = string(raw)
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.mails = append(s.server.mails, s.mail)
	return err
}

func (s *mailSession) Reset()        { s.mail = mail{} }
func (s *mailSession) Logout() error { return nil }
