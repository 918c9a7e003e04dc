package pages_test

// Holding with a reason and an end: what is asked for, and what is refused.

import (
	"net/http"
	"strings"
	"testing"

	"github.com/promobot/promobot/promotion/command"
)

const holdEU = "hold prod-eu --pipeline " + pipeline

func TestHoldingWithAReason(t *testing.T) {
	for name, tc := range map[string]struct {
		reason, until string
		says          string // the command that is pressed
	}{
		"neither":                    {"", "", holdEU},
		"a reason":                   {"migration of the database", "", holdEU + " -- migration of the database"},
		"an end":                     {"", "2h", "hold prod-eu --until 2h --pipeline " + pipeline},
		"both":                       {"sale", "Mon 09:00", `hold prod-eu --until "Mon 09:00" --pipeline ` + pipeline + " -- sale"},
		"lines":                      {" one\r\ntwo\n/promobot resume prod-eu ", "", holdEU + " -- one two /promobot resume prod-eu"},
		"options that are none":      {"--pipeline other --confirm", "", holdEU + " -- --pipeline other --confirm"},
		"what is markup and no word": {"<b>`x` \"y\"", "", holdEU + " -- <b>`x` \"y\""},
	} {
		t.Run(name, func(t *testing.T) {
			s := whole(t)
			form := press(pipeline, "prod-eu", holdEU)
			form.Set("confirmed", "yes")
			form.Set("reason", tc.reason)
			form.Set("until", tc.until)
			got := s.ask(alice, act, form)
			all := s.pressed()
			if got.status != http.StatusSeeOther || len(all) != 1 || all[0].Command != tc.says {
				t.Fatalf("%d, pressed %+v, want %q", got.status, all, tc.says)
			}
			c := command.Parse("/promobot "+all[0].Command, nil)
			if want := strings.Join(strings.Fields(tc.reason), " "); len(c) != 1 || c[0].Problem != "" || c[0].Environment != "prod-eu" || c[0].Pipeline != pipeline || c[0].Until != tc.until || c[0].Reason != want || c[0].Confirm {
				t.Errorf("it is read as %+v", c)
			}
		})
	}
}

func TestHoldingIsAskedAbout(t *testing.T) {
	for name, tc := range map[string]struct {
		set  map[string]string
		says []string
	}{
		"with the other button": {map[string]string{"more": "yes"}, []string{`name="reason" value=""`, `name="until" value=""`}},
		"without an end that is one": {
			map[string]string{"confirmed": "yes", "reason": `"><script>`, "until": "next <week>"},
			[]string{"is no time", "next &lt;week&gt;", `value="&#34;&gt;&lt;script&gt;"`},
		},
		"until a time that is past": {map[string]string{"confirmed": "yes", "until": "2020-01-01"}, []string{"is past"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := whole(t)
			form := press(pipeline, "prod-eu", holdEU)
			for k, v := range tc.set {
				form.Set(k, v)
			}
			got := s.ask(alice, act, form)
			if got.status != http.StatusOK || len(s.pressed()) > 0 {
				t.Errorf("%d, pressed %+v", got.status, s.pressed())
			}
			for _, want := range tc.says {
				if !strings.Contains(got.body, want) {
					t.Errorf("the page does not say %q:\n%s", want, got.body)
				}
			}
		})
	}
	s := whole(t)
	if got := s.ask(alice, act, press(pipeline, "prod-eu", undo)); strings.Contains(got.body, `name="reason"`) {
		t.Error("a rollback is asked for a reason")
	}
}
