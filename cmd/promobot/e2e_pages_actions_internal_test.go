package main

// Each action of the pages end to end, as e2e_buttons_internal_test.go does the
// buttons of check runs: by wes, whose role is too low for production; by who may,
// twice; and then to a program that remembers nothing.

import (
	order "cmp"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pageCases are the buttons that check runs have too, and those of pages alone.
func pageCases() []buttonCase {
	cases := slices.Clone(buttonCases)
	for _, c := range commandCases {
		if slices.Contains([]string{"merge-confirmed", "cancel", "rebuild"}, c.name) {
			do, _, _ := strings.Cut(c.text, " ")
			cases = append(cases, buttonCase{do: do, pipeline: c.pipeline, by: c.by, holds: c.holds, prepare: func(s *scene) (string, int) {
				return "", c.prepare(s)
			}})
		}
	}
	return cases
}

// action is the form of a page by which a command is given.
func (p shown) action(do string) (command string, there bool) {
	for _, f := range forms.FindAllStringSubmatch(p.text, -1) {
		for _, field := range hidden.FindAllStringSubmatch(f[2], -1) {
			if name, _, _ := strings.Cut(field[2], " "); field[1] == "command" && name == do {
				return field[2], true
			}
		}
	}
	return "", false
}

func TestEachActionOfAPage(t *testing.T) {
	t.Parallel()
	const at = "/acme/gitops/e/prod/shop"
	cases := pageCases()
	if len(cases) != len(buttonCases)+3 {
		t.Fatalf("%d actions", len(cases))
	}
	for _, c := range cases {
		t.Run(c.do, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, sceneOptions{files: shopFiles(guardedShop(c.pipeline), "dev", "prod")})
			s.person("wes", "write")
			s.person("mai", "maintain")
			public := s.withPages()
			s.installed(2)
			c.prepare(s)
			s.settle()

			wes, page := s.signedIn(public, "wes", at)
			s.wait("the page has the button "+c.do, func() bool {
				page = wes.get(at)
				_, there := page.action(c.do)
				return there
			})
			s.settle()
			before, refs := s.heardOf(), s.refs()
			command, _ := page.action(c.do)
			if says := wes.answer(wes.press(page.form(t, command, ""))); !strings.Contains(says, "it asks for the role maintain") {
				t.Errorf("wes is answered:\n%s", says)
			}
			s.settle()
			if d := cmp.Diff(refs, s.refs()); d != "" {
				t.Fatalf("a press that is not allowed has an effect (-before +after):\n%s", d)
			}

			who, page := s.signedIn(public, order.Or(c.by, "ana"), at)
			to, form := page.form(t, command, "")
			done := who.press(to, form)
			form.Set("confirmed", "yes")
			if again := who.send(public+to, form); again.status != http.StatusConflict && again.at.String() != done.at.String() {
				t.Errorf("the same press again leads to %d, %v, not to %v", again.status, again.at, done.at)
			}
			s.wait("its effect", func() bool { return c.holds(s) })
			s.settle()
			if says := who.answer(done); strings.Contains(says, "it asks for the role") {
				t.Errorf("who may is answered:\n%s", says)
			}
			want := maps.Clone(before)
			want[shopProd]++
			if d := cmp.Diff(want, s.heardOf()); d != "" {
				t.Errorf("what the ledgers have heard (-want +got):\n%s", d)
			}
			s.restartsLater()
			if d := cmp.Diff(want, s.heardOf()); d != "" || !c.holds(s) {
				t.Errorf("after the program began anew, the ledgers have heard (-want +got):\n%s", d)
			}
		})
	}
}
