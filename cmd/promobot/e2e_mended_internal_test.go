package main

// A mistake in the pipeline file on the default branch: it stops everything, says
// so, and once it is mended what came meanwhile goes on.

import (
	"strings"
	"testing"

	"github.com/promobot/promobot/promotion/config"
)

// TestPipelineFileIsMended merges a mistake, which fails on the tip and stops
// everything, and then its remedy.
func TestPipelineFileIsMended(t *testing.T) {
	t.Parallel()
	s := shop(t, shopPropose)
	broken := s.push("a mistake", map[string]string{config.Path: strings.Replace(shopPropose, "from: dev", "from: dve", 1)})
	s.wait("the mistake is shown", func() bool { return s.check(broken).Conclusion == "failure" })
	if c := s.check(broken); c.Annotations != 1 || !strings.Contains(c.Title+c.Summary+c.Text, "dve") {
		t.Errorf("its check run is %+v", c)
	}
	revision := s.release("2.0.0")
	s.settle()
	if ps := s.pulls(); len(ps) > 0 {
		t.Fatalf("something is proposed without a valid file: %s", s.describe())
	}
	s.push("the remedy", map[string]string{config.Path: shopPropose})
	p := s.proposed(revision)
	s.merge(p.Number, "merge")
	s.wait("it has landed", func() bool { return s.landed(revision, shopProd) })
}
