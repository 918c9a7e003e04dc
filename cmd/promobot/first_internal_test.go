package main

import (
	"strings"
	"testing"
)

const gitopsPipeline = `version: 1
mode: auto
environments:
  qa:           {verify: none}
  staging-us:   {from: qa, mode: auto, verify: none, allow: drift}
  staging-eu:   {from: qa, mode: auto, verify: none, allow: drift}
  staging-asia: {from: qa, verify: none}
  prod-asia:    {from: staging-asia, verify: none}
  prod-eu:      {from: staging-eu, after: prod-asia}
  prod-us:      {from: staging-us, after: prod-asia}
pipelines:
  simple-env-app:
    path: envs/$env
    promote:
      - files: [version.yml, settings.yml]
        keep: "**.env.CACHE_SIZE.value"
shared: [base/**, variants/**]
`

func TestFirstPromotion(t *testing.T) {
	s := newScene(t, sceneOptions{from: bundle(t, "gitops-environment-promotion.bundle"), files: map[string]string{".github/promobot.yml": gitopsPipeline}})
	s.start()
	s.wait("every environment has its baseline", func() bool { return len(s.ledgers()) == 7 })
	if ps := s.pulls(); len(ps) > 0 {
		t.Fatalf("installing proposes something: %s", s.describe())
	}
	version := strings.Replace(s.read("envs/qa/version.yml"), "simple-env-app:1.0", "simple-env-app:7.0", 1)
	s.push("qa: 7.0", map[string]string{"envs/qa/version.yml": version})
	s.wait("staging-us and staging-eu are merged, staging-asia is proposed", func() bool {
		l := s.ledgers()
		return l["simple-env-app/staging-us"].Landing != nil && l["simple-env-app/staging-eu"].Landing != nil && s.open()["staging-asia"] != nil
	})
}
