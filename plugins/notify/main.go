// Command outrider-plugin-notify tells people: slack.post posts to Slack,
// notify.send to whatever the library shoutrrr knows, mail and Teams among
// them. Both work without the checker, from a .dig file's _error: or by hand.
//
// Here lives one file a component. What they are made of stands under internal:
// message (Slack's messages), slackapi (posting them), target (one service
// address) and redact (no secret in a text). When to tell whom is not decided
// here.
package main

import "github.com/outrider-run/outrider/sdk"

func main() { sdk.Serve(slackPost(), notifySend()) }
