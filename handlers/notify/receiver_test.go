package notify_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/promobot/promobot/handlers/notify"
)

func TestWhatIsWrongWithAReceiver(t *testing.T) {
	t.Parallel()
	const secret = "https://hooks.example.com/services/T0/B0/verysecret"
	cases := []struct {
		name   string
		change func(*notify.Settings)
		want   string // "": nothing
		line   int
	}{
		{"nothing", func(*notify.Settings) {}, "", 0},
		{"no name", func(s *notify.Settings) { s.Name = "" }, `name: "" is no name`, 0},
		{"a kind that is not known", func(s *notify.Settings) { s.Format = "teams" }, `"teams" is neither slack nor webhook`, 0},
		{"no URL", func(s *notify.Settings) { s.URL = "" }, "url: it is missing", 0},
		{"no URL at all", func(s *notify.Settings) { s.URL = "hooks.example.com/verysecret" }, "not a URL that begins with https://", 0},
		{"not encrypted", func(s *notify.Settings) { s.URL = "http://hooks.example.com/verysecret" }, "use https", 0},
		{"not encrypted, as allowed", func(s *notify.Settings) { s.URL, s.AllowPrivate = "http://10.0.0.1/verysecret", true }, "", 0},
		{"a password", func(s *notify.Settings) { s.URL = "https://a:verysecret@example.com/" }, "must not hold a user or password", 0},
		{"an event that is not known", func(s *notify.Settings) { s.On = []notify.Kind{"exploded"} }, `"exploded" is none of rolled_back, halted`, 0},
		{"no glob", func(s *notify.Settings) { s.Environments = []string{"prod-[a"} }, `environments: "prod-[a" is no glob`, 0},
		{"a template that does not parse", func(s *notify.Settings) { s.Template = "one\n{{if}}" }, "missing value for if", 2},
		{"a field that is not there", func(s *notify.Settings) { s.Template = "{{.Title}}\n\n{{.Titel}}" }, "there is no field .Titel", 3},
		{"a function that is not there", func(s *notify.Settings) { s.Template = `{{exec "rm"}}` }, `function "exec" not defined`, 1},
		{"a template that grows", func(s *notify.Settings) { s.Template = `{{printf "%99999s" .Title}}` }, "longer than 64 KB", 0},
		{"a template with all there is", func(s *notify.Settings) {
			s.Template = "{{upper .Kind}} {{.Name}} {{.At.Format \"15:04\"}}{{if .Production}} :fire:{{end}} {{.Text}} {{.Needs}} {{.URL}} {{.Revision}}"
		}, "", 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := notify.Settings{Name: "ops", Format: notify.Slack, URL: secret}
			c.change(&s)
			_, err := notify.NewReceiver(s)
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "verysecret") {
				t.Fatalf("%v, want %s", err, c.want)
			}
			var wrong *notify.SettingError
			errors.As(err, &wrong)
			if wrong == nil || wrong.Line != c.line {
				t.Errorf("%+v is not on line %d", wrong, c.line)
			}
		})
	}
}
