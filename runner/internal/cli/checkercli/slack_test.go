package checkercli

import (
	"encoding/json"
	"maps"
	"testing"

	"github.com/outrider-run/outrider/runner/internal/checker/settings"
)

// TestSlackOfTheFlag: with a token a channel is told, at another Slack too; with a
// webhook alone that is.
func TestSlackOfTheFlag(t *testing.T) {
	for name, c := range map[string]struct {
		env, want map[string]string
	}{
		"token":   {map[string]string{"SLACK_TOKEN": "x"}, map[string]string{"channel": "#data", "token": "env:SLACK_TOKEN"}},
		"another": {map[string]string{"SLACK_TOKEN": "x", "SLACK_API_URL": "https://slack-gov.com/api/"}, map[string]string{"channel": "#data", "token": "env:SLACK_TOKEN", "api_url": "https://slack-gov.com/api/"}},
		"webhook": {map[string]string{"SLACK_WEBHOOK": "x", "SLACK_API_URL": "https://slack-gov.com/api/"}, map[string]string{"webhook": "env:SLACK_WEBHOOK"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, key := range []string{"SLACK_TOKEN", "SLACK_WEBHOOK", "SLACK_API_URL"} {
				t.Setenv(key, c.env[key])
			}
			s := settings.Settings{Receivers: map[string]settings.Receiver{}}
			if err := (given{slack: "#data"}).addSlack(&s); err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			if err := json.Unmarshal(s.Receivers["slack"].Params, &got); err != nil || !maps.Equal(got, c.want) {
				t.Errorf("%v %v, want %v", got, err, c.want)
			}
		})
	}
}
