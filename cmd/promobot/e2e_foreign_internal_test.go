package main

// People's own pull requests: what merging them would promote, what they reach,
// and what they make of the pipeline file.

import (
	"strings"
	"testing"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/promotion/config"
)

func TestPeoplesPullRequests(t *testing.T) {
	cases := map[string]struct {
		files      map[string]string
		conclusion string // "" for no check run
		says       []string
		notes      int // annotations
	}{
		"changes an environment":         {map[string]string{"envs/qa/version.yml": "image: simple-env-app:9\n"}, "neutral", []string{"qa", "staging-us", "prod-us"}, 0},
		"changes what is shared":         {map[string]string{"base/service.yml": "kind: Service\n"}, "neutral", []string{"base/service.yml", "7 environments"}, 0},
		"mends the pipeline file":        {map[string]string{config.Path: strings.Replace(gitopsPipeline, "prod-eu:      {from: staging-eu, after: prod-asia}", "prod-eu:      {from: staging-eu}", 1)}, "neutral", []string{"prod-eu"}, 0},
		"breaks the pipeline file":       {map[string]string{config.Path: strings.Replace(gitopsPipeline, "mode: auto", "moed: auto", 1)}, "failure", []string{"did you mean mode?"}, 1},
		"changes nothing promobot knows": {map[string]string{"README.md": "hello\n"}, "", nil, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := gitops(t, gitopsPipeline, githubsim.RepoOptions{})
			look, _ := s.byHand()
			look()
			before := s.refs()["refs/heads/main"]
			p := s.propose("mine", "My change", c.files)
			look()
			got := s.check(p.GetHead().GetSHA())
			text := got.Title + "\n" + got.Summary + "\n" + got.Text
			if got.Conclusion != c.conclusion || got.Annotations < c.notes || c.notes == 0 && got.Annotations > 0 {
				t.Errorf("got %q with %d annotations, want %q with %d:\n%s", got.Conclusion, got.Annotations, c.conclusion, c.notes, text)
			}
			for _, say := range c.says {
				if !strings.Contains(text, say) {
					t.Errorf("%q is not said in\n%s", say, text)
				}
			}
			if s.refs()["refs/heads/main"] != before || len(s.open()) > 0 {
				t.Error("a pull request that is not merged has an effect")
			}
		})
	}
}
