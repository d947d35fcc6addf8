package target

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/email/smtp"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

// Receiver is who gets a message of its own: one recipient of a mail, or a service.
type Receiver struct {
	// Key tells it from the target's others, and nothing of who it is; "" where it is
	// the only one.
	Key     string
	name    string // such as "recipient 2 of 3"
	address string
	sender  types.Sender
}

// Open finds the receivers of an address of shoutrrr. Its error is a *Fault.
//
// Each recipient of a mail is one: shoutrrr sends to all in one session, in which
// servers refuse those that come after one without a mailbox (503, nested MAIL), and
// a retry could only send to all again.
func Open(address string) ([]Receiver, error) {
	guardDefault()
	if Service(address) == "logger" {
		return nil, &Fault{Code: "bad_target", Permanent: true, Text: "logger sends to nobody: name another service"}
	}
	service, err := locate(address)
	if err != nil {
		return nil, err
	}
	mail, isMail := service.(*smtp.Service)
	if !isMail || len(mail.Config.ToAddresses) < 2 {
		return []Receiver{{address: address, sender: service}}, nil
	}
	var all []Receiver
	for i, to := range mail.Config.ToAddresses {
		service, err := locate(address)
		if err != nil {
			return nil, err
		}
		service.(*smtp.Service).Config.ToAddresses = []string{to}
		all = append(all, Receiver{
			Key: digest(to), name: fmt.Sprintf("recipient %d of %d", i+1, len(mail.Config.ToAddresses)),
			address: address, sender: service,
		})
	}
	return all, nil
}

func locate(address string) (types.Service, error) {
	service, err := (&router.ServiceRouter{}).Locate(address)
	if err != nil {
		return nil, badTarget(address, err)
	}
	guardOwn(service)
	return service, nil
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}
